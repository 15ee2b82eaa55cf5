"""Published statements about real data beside synthetic ones, accumulation, verification and regression."""

from __future__ import annotations

import math
from typing import Any

from theory.estimator import Weighted
from theory.linear import LeastSquares, Linear
from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace, Unbiased
from theory.policy import Accumulate, Fixed, Fresh
from theory.predict import predict
from theory.provenance import rational, second_moments
from theory.provenance.of_loop import recipe_of, settings_of
from theory.published.replace import FULL_TEXT, MAD
from theory.published.statement import FINER, Point, Published
from theory.recipe import recipe
from theory.recipes import accumulate_limits as accumulating
from theory.recipes.affine_step import affine_step
from theory.recipes.optimal_weight import stationary_weight
from theory.regression.chain import optimal_weight
from theory.regression.risk import risk
from theory.selected.mixture import breakdown, error_after

BERTRAND = "Bertrand et al. 2023, arXiv:2310.00429"
GERSTGRASSER = "Gerstgrasser et al. 2024, arXiv:2404.01413, Theorem 2"
DEY = "Dey and Donoho 2024, arXiv:2410.22812"
KAZDAN = "Kazdan et al. 2024, arXiv:2410.16713"
GARG = "Garg et al. 2025, arXiv:2509.22341"
HE = "He et al. 2025, arXiv:2502.18049"
FENG = "Feng et al. 2024, arXiv:2406.07515, Theorem 4.2"
STRONG = "Dohmatob et al. 2024, arXiv:2410.04840, Corollary 1"
DOHMATOB = "Dohmatob et al. 2024, arXiv:2402.07712"
QUOTED = "as quoted in a secondary text"
ABSTRACT = "abstract and summary only"
SCRIPT = "the authors' public script"
UNIT = Gaussian(0.0, 1.0)
GOLDEN = (math.sqrt(5) - 1) / 2


def _finer(point: Point) -> Point:
    return {**point, "n": FINER * point["n"]}


def _stationary(loop: Loop) -> Any:
    return affine_step(recipe_of(loop), number=rational, **settings_of(loop)).stationary()[0]


def _contraction(point: Point) -> float:
    """What m_t shrinks by in a generation, from the map of first moments."""
    synthetic = round(12 * point["ratio"])
    loop = Loop(UNIT, Fresh(12, synthetic), start=Gaussian(1.0, 1.0))
    early, late = second_moments(recipe_of(loop), 2, **settings_of(loop))
    return float(late[0].mean / early[0].mean)


def _sufficient(point: Point) -> float:
    """What the condition promises: contraction, a factor below 1, iff the ratio is below 1/2."""
    return 1.0 if point["ratio"] < 0.5 else math.inf


def _inflation(point: Point) -> float:
    """N E m^2 / s_0 in the limit, or after as many batches."""
    n = point["n"]
    match point["data"]:
        case "equal batches":
            return n * (1 - accumulating.survival(n))
        case "subsets of the pool":
            return n * (1 - (1 - 1 / n) ** 2 * accumulating.subsampled_survival(n))
    fits = second_moments(recipe(Accumulate([n] + [1] * (20 * n))), 20 * n)
    return n * fits[-1][0].mean_square


def _same_design(point: Point) -> float:
    loop = Loop(Linear(3, 1.0, 1.0, point["covariates"]), Accumulate(point["n"]), LeastSquares())
    late, early = (risk(loop, [t]).mean[0] for t in (math.inf, 1))
    return float(late / early)


def _plateau(point: Point) -> float:
    return (1 - 1 / point["n"]) ** 2 * accumulating.subsampled_survival(point["n"])


def _accumulated(point: Point) -> float:
    loop = Loop(UNIT, Accumulate(point["n"]))
    return float(predict(loop, math.inf, ["variance"])["variance"].values[0, 0])


def _best_weight(point: Point) -> float:
    estimator = Weighted() if point["fit"] == "apart" else MaximumLikelihood()
    return stationary_weight(point["real"], point["synthetic"], estimator)


def _best_mixing(point: Point) -> float:
    source = Linear(10, 1.0, point["signal"], point["covariates"])
    return optimal_weight(Loop(source, Fresh(4, 4, weight=0.5), LeastSquares()))


def _one_shot(point: Point) -> float:
    """The risk of one fit to real points and shifted labels, exact."""
    n, d = point["n"], 5
    source = Linear(d, 1.0, 1.0)
    half = n // 2
    loop = Loop(source, Fresh(half, half), LeastSquares(), start=Linear(d, 1.0, 1.0, shift=1.0))
    return float(risk(loop, [1]).mean[0])


def _growth(point: Point) -> float:
    loop = Loop(Linear(3, 1.0, 1.0), Replace(20), LeastSquares(point["noise"]))
    return float(risk(loop, [point["t"]]).mean[0])


def _fresh_iid(point: Point) -> float:
    """E sigma^2 at rest: N points, each synthetic with probability al."""
    n, al = point["n"], rational(point["share"])
    synthetic = al * n
    return float(_stationary(Loop(UNIT, Fresh(int(n - synthetic), int(synthetic), "iid"))).variance)


def _folklore(point: Point) -> float:
    n, al = point["n"], point["share"]
    return (1 - al) / (1 - al * (1 - 1 / n))


def _pooled_unbiased(point: Point) -> float:
    data = Fresh(4, 6) if point["data"] == "fresh" else Accumulate(5)
    loop = Loop(UNIT, data, Unbiased())
    return float(predict(loop, math.inf, ["variance"])["variance"].values[0, 0])


def _fixed(point: Point) -> float:
    return float(_stationary(Loop(UNIT, Fixed(point["real"], point["synthetic"]))).variance)


MIXED = (
    Published(
        "fixed real data only delay collapse", r"\sigma_t \to 0", MAD, FULL_TEXT, "equality",
        ({"real": 4, "synthetic": 4}, {"real": 3, "synthetic": 12}, {"real": 10, "synthetic": 990}),
        lambda x: 0.0, _fixed,
    ),
    Published(
        "stability needs a ratio of synthetic to real below 1/2",
        r"\lambda_B(1+L\varepsilon/\alpha) < \tfrac12 \Rightarrow \text{contraction}", BERTRAND, ABSTRACT,
        "upper bound", tuple({"ratio": ratio} for ratio in (0.25, 0.5, 1, 4)), _sufficient, _contraction,
    ),
    Published(
        "accumulating data inflates the error by at most pi^2/6",
        r"n\,\mathbb{E}(\mu_\infty-\mu_0)^2 \le \tfrac{\pi^2}{6}\sigma_0^2", f"{GERSTGRASSER}; {DEY}",
        f"{QUOTED}; {SCRIPT}; stated for equal batches, the other rows are beyond its setting", "upper bound",
        tuple({"data": data, "n": n} for data in ("equal batches", "subsets of the pool",
        "one point at a time")
              for n in (10, 100)),
        lambda x: math.pi**2 / 6, _inflation,
    ),
    Published(
        "pi^2/6 in regression", r"R_\infty/R_1 = \tfrac{\pi^2}{6}", GERSTGRASSER,
        f"{QUOTED}; stated for the same covariates", "equality",
        tuple({"covariates": c, "n": n} for c in ("same", "fresh") for n in (10, 50)),
        lambda x: math.pi**2 / 6, _same_design,
    ),
    Published(
        "variance that survives accumulation", r"\sigma_0^2\,\frac{\sin(\pi/\sqrt n)}{\pi/\sqrt n}", KAZDAN,
        "the published form; its derivation was not accessible", "equality", tuple({"n": n} for n in (2, 5,
        50)),
        lambda x: math.sin(math.pi / math.sqrt(x["n"])) / (math.pi / math.sqrt(x["n"])), _accumulated,
    ),
    Published(
        "a plateau under accumulate-subsample", r"\mathbb{E}\sigma_\infty^2 > 0", KAZDAN, "the authors' code",
        "lower bound", tuple({"n": n} for n in (5, 50)), lambda x: 0.0, _plateau,
    ),
    Published(
        "golden-ratio weight of real points", r"w^* = (\sqrt5-1)/2", HE,
        f"{ABSTRACT}; stated for as many synthetic as real points, fitted apart", "equality",
        ({"fit": "apart", "real": 20, "synthetic": 20}, {"fit": "together", "real": 20, "synthetic": 20},
         {"fit": "apart", "real": 20, "synthetic": 60}),
        lambda x: GOLDEN, _best_weight,
    ),
    Published(
        "golden-ratio weight of real labels, minimum norm", r"w^* = (\sqrt5-1)/2", GARG,
        "reviews; stated for a fixed design",
        "equality",
        tuple({"covariates": c, "signal": s} for c in ("same", "fresh") for s in (0.1, 1.0, 10.0)),
        lambda x: GOLDEN, _best_mixing,
    ),
    Published(
        "breakdown point of a verifier", r"p^* = \frac{1}{1+\psi/\phi}\colon\ \text{error } \tfrac12", FENG,
        QUOTED,
        "equality", tuple({"phi": phi, "psi": psi} for phi, psi in ((0.9, 0.25), (0.6, 0.3), (0.8, 0.79))),
        lambda x: 0.5, lambda x: error_after(breakdown(x["phi"], x["psi"]), x["phi"], x["psi"]),
    ),
    Published(
        "strong collapse, corollary", r"R = \sigma^2\tfrac dn + p_2^2c^2 + O((d/n)^2)", STRONG, QUOTED,
        "expansion",
        tuple({"n": n} for n in (200, 2000)), lambda x: 5 / x["n"] + 0.25, _one_shot, _finer,
    ),
    Published(
        "the same with the term it lacks",
        r"R = \sigma^2\tfrac dn + p_2^2c^2 + p_1p_2c^2\tfrac{d+1}n + O(n^{-2})",
        "own derivation", "", "expansion", tuple({"n": n} for n in (200, 2000)),
        lambda x: 5 / x["n"] + 0.25 + 0.25 * 6 / x["n"], _one_shot, _finer,
    ),
    Published(
        "regression on its own labels degrades linearly", r"R_t = t\,\tfrac{\sigma^2d}{n-d-1}",
        f"{GERSTGRASSER};"
        f" {DOHMATOB}", f"{QUOTED}; stated for noise of constant variance", "equality",
        tuple({"noise": noise, "t": t} for noise in ("known", "maximum-likelihood") for t in (1, 5, 50)),
        lambda x: x["t"] * 3 / 16, _growth,
    ),
    Published(
        "'unbiased' variances stay unbiased", r"\mathbb{E}\sigma_\infty^2 = \sigma_0^2",
        "common in simulations",
        "", "equality", ({"data": "fresh"}, {"data": "accumulate"}), lambda x: 1.0, _pooled_unbiased,
    ),
    Published(
        "a mixture without the spread between its means", r"s' = (1-\alpha)\sigma_0^2 + \alpha(1-\tfrac1n)s",
        "folklore", "", "equality", ({"n": 10_000, "share": 0.999}, {"n": 100, "share": 0.9}), _folklore,
        _fresh_iid,
    ),
)  # fmt: skip
"""Statements about mixtures, accumulation, verification and regression."""
