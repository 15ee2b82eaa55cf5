"""Published statements about loops without real data: Shumailov et al., Alemohammad et al., Suresh et al."""

from __future__ import annotations

import math
from typing import Any

from theory import bounds
from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace, Unbiased
from theory.predict import central_moments, predict
from theory.published.statement import FINER, Point, Published
from theory.replace.fits import fit
from theory.replace.limits import thresholds
from theory.replace.precision import context

CURSE = "Shumailov et al. 2023, arXiv:2305.17493"
NATURE = "Shumailov et al. 2024, doi:10.1038/s41586-024-07566-y"
MAD = "Alemohammad et al. 2023, arXiv:2307.01850"
SLIDES = "formulas on seminar slides (University of Virginia, llmrisks, 2023); the supplement was not"
" accessible"
MAIN_TEXT = "the main text"
FULL_TEXT = "the full text"


def _loop(n: int, divisor: str = "n - 1") -> Loop:
    estimator = MaximumLikelihood() if divisor == "n" else Unbiased()
    return Loop(Gaussian(0.0, 1.0), Replace(n), estimator)


def _w2(point: Point, order: int = 0) -> float:
    return float(central_moments(_loop(point["n"]), "w2_squared", [point["t"]])[order, 0])


def _finer(point: Point) -> Point:
    return {**point, "n": FINER * point["n"]}


def _predictive(point: Point) -> float:
    """Var X of a sample of the model: E mu^2 + E sigma^2."""
    names = ("mean_error_squared", "variance")
    return sum(float(central_moments(_loop(point["n"]), name, [point["t"]])[0, 0]) for name in names)


def _limit_of_w2(point: Point) -> float:
    loop = _loop(point["n"], point["divisor"])
    return float(predict(loop, math.inf, ["w2_squared"])["w2_squared"].values[0, 0])


def _kurtosis(point: Point) -> float:
    """Of the mean error in the limit, maximum likelihood."""
    found = predict(_loop(point["n"], "n"), math.inf, ["mean_error_fourth", "mean_error_squared"])
    fourth, second = (float(found[name].values[0, 0]) for name in ("mean_error_fourth", "mean_error_squared"))
    return fourth / second**2


def _collapse_threshold(point: Point) -> float:
    with context(30):
        return float(thresholds(fit(_loop(point["n"]), 2, point["n"]))[1])


def _tail(point: Point) -> float:
    return bounds.exact(_loop(point["n"]), point["t"], point["threshold"])


def _bound(place: int) -> Any:
    return lambda point: bounds.BOUNDS[place].value(_loop(point["n"]), point["t"], point["threshold"])


W2_GRID = tuple({"n": n, "t": t} for n in (50, 200) for t in (1, 3, 10))
TAILS = tuple({"n": n, "t": t, "threshold": 0.1} for n, t in ((3, 10), (10, 50), (10, 100), (50, 400)))

REPLACE = (
    Published(
        "Wasserstein distance, mean",
        r"\mathbb{E}R_{W_2}^{t} ="
        r" \sigma^2\left(\tfrac1{M_0}+\dots+\tfrac1{M_{t-2}}+\tfrac{3}{2M_{t-1}}\right)+O(2)",
        CURSE, SLIDES, "expansion", W2_GRID,
        lambda x: (x["t"] - 1) / x["n"] + 1.5 / x["n"], _w2, _finer,
    ),
    Published(
        "the same, every fit's spread counted",
        r"\mathbb{E}W_2^2 = \tfrac32\sigma^2\sum_i\tfrac1{M_i} + O(2)", "own derivation", "", "expansion",
        W2_GRID,
        lambda x: 1.5 * x["t"] / x["n"], _w2, _finer,
    ),
    Published(
        "Wasserstein distance, variance",
        r"\sigma^4\left(\sum_i\tfrac2{M_i^2}+\tfrac3{M_{t-1}^2}+\sum_{i\ne j}\tfrac{3}{M_iM_j}\right) + O(3)",
        CURSE, SLIDES, "expansion", W2_GRID,
        lambda x: (2 * (x["t"] - 1) + 3 + 3 * (x["t"] - 1) * (x["t"] - 2)) / x["n"] ** 2,
        lambda x: _w2(x, 1), _finer, 3.0,
    ),
    Published(
        "the same, leading term",
        r"\mathrm{Var}\,W_2^2 = \tfrac52\sigma^4\Bigl(\sum_i\tfrac1{M_i}\Bigr)^2 + O(3)", "own derivation",
        "",
        "expansion", W2_GRID, lambda x: 2.5 * (x["t"] / x["n"]) ** 2, lambda x: _w2(x, 1), _finer, 3.0,
    ),
    Published(
        "variance of a sample of the model", r"\mathrm{Var}(X^t) = \sigma^2(1+\tfrac tM)", CURSE, SLIDES,
        "equality",
        W2_GRID, lambda x: 1 + x["t"] / x["n"], _predictive,
    ),
    Published(
        "Theorem 3.1: the distance diverges", r"\mathbb{E}\,W_2^2(N_t,N_0) \to \infty", NATURE, MAIN_TEXT,
        "equality",
        tuple({"n": n, "divisor": d} for d in ("n - 1", "n") for n in (5, 50)), lambda x: math.inf,
        _limit_of_w2,
    ),
    Published(
        "collapse for any lambda <= 1", r"\sigma_t \to 0 \text{ almost surely for } \lambda \le 1", MAD,
        FULL_TEXT,
        "lower bound", tuple({"n": n} for n in (3, 10, 100)), lambda x: 1.0, _collapse_threshold,
    ),
    Published(
        "the mean is a Gaussian random walk", r"\mathrm{kurtosis}(\mu_t) = 3", MAD, FULL_TEXT, "equality",
        tuple({"n": n} for n in (3, 10, 100)), lambda x: 3.0, _kurtosis,
    ),
    *(
        Published(bound.name, bound.statement, bound.source, bound.seen, "upper bound", TAILS, _bound(place),
        _tail)
        for place, bound in enumerate(bounds.BOUNDS)
    ),
)  # fmt: skip
"""Statements about loops that are trained on their own samples alone."""
