"""Claims about Gaussian mixtures: total variance, its split, extinction, selection (G1-G3, Q1, Q2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory.claim import Case, Claim, Experiment
from theory.estimator import MaximumLikelihood, Unbiased
from theory.loop import Gaussian, Loop, Replace
from theory.mixture.counts import one_step
from theory.mixture.parts import parts
from theory.mixture.selection import kept, nearest_of_pool
from theory.mixture.total_variance import floored
from theory.policy import Accumulate, Fixed, Fresh
from theory.sampler import Sampler
from theory.selected.law import central
from theory.selection import TopFraction
from theory.source import Mixture

OWN = "own derivation"

THREE = Mixture((0.6, 0.3, 0.1), (-2.0, 0.5, 4.0), (1.0, 0.5, 2.0))
TWO = Mixture((0.4, 0.6), (-1.5, 1.5), (1.0, 0.5))
OTHER = Mixture((0.7, 0.3), (-1.0, 2.5), (0.5, 1.0))
AWAY = Mixture((0.4, 0.6), (3.0, 6.0), (1.0, 0.5))
PLANE = Mixture(
    (0.6, 0.4), ((-2.0, 0.0), (1.0, 1.0)), ((1.0, 0.5), ((2.0, 0.5), (0.5, 1.0)))
)  # fmt: skip
FULL, TIED, SPHERICAL = (
    MaximumLikelihood(fit="em", iterations=3, covariance=kind) for kind in ("full", "tied", "spherical")
)
BIASED = Sampler(bias=0.9, applies_to_source=True)

HARD = Loop(THREE, Replace(30))
HARD_PLANE = Loop(PLANE, Replace(25))
HARD_AWAY = Loop(TWO, Replace(30), start=AWAY)
HARD_MOVED = Loop(TWO, Replace([20, 35, 15, 40]), start=OTHER)
SOFT = Loop(TWO, Replace(40), MaximumLikelihood(fit="em", iterations=8))
SHRUNK = Loop(THREE, Replace(30), sampler=BIASED)
KEEPING = Loop(THREE, Replace(30), Unbiased())
FEW, FEW_KEEPING = Loop(THREE, Replace(3)), Loop(THREE, Replace(3), Unbiased())
"""So few points that one more of them is seen in the spread between components."""
SPLIT = Loop(THREE, Fresh(5, 25))
SPLIT_AWAY = Loop(TWO, Fresh(5, 25), start=AWAY)
POOL_AWAY = Loop(TWO, Accumulate(20), start=AWAY)
SOFT_AWAY = Loop(TWO, Replace(40), FULL, start=AWAY)

LITERAL = "literal"
PAIR = Gaussian((0.0, 1.0), ((1.0, 0.0), (0.0, 2.0)))
TEN = Gaussian((0.0,) * 10, tuple(tuple(float(i == j) for i in range(10)) for j in range(10)))
MEAN, VARIANCE = ("mean_error",), ("variance",)

SQUARED = ("mean_error_squared",)
"""Met where the error is far from 0: the square of a normal of mean 0 has a long tail."""

REPLACE = r"\mathbb{E}V_t = V_0(1-1/n)^t,\quad \mathbb{E}|m_t-m_0|^2 = V_0 - \mathbb{E}V_t"
WEIGHTED = r"\mathbb{E}w_t = w_0,\quad \mathrm{Var}\,w_t = w_0(1-w_0)(1-\textstyle\prod_s(1-1/n_s))"
SPLIT_LAW = (
    r"V' = V_m(1-\tfrac1n) + m(1-m)D,\ D' = (1-m)^2D + \tfrac{V_m}{n},\ V_m = mV_0+(1-m)V;\quad"
    r" D_\infty = \frac{V_0}{n(1-(1-m)^2)+1-m}"
)
CHAIN = (
    r"S_{t+1}(j) = \lambda f(j)(S_tP)(j),\quad M_{t+1}(j) = (M_tP)(j) + \tfrac{\lambda}{j}(S_tP)(j),\quad"
    r" \mathbb{E}W = \sum_k\sum_j \tfrac jn S(j)"
)
ONE_STEP = (
    r"\mathbb{E}W' = \sum_k s_k[w_k - (1-(1-w_k)^n)/n],\quad"
    r" \mathbb{E}B' = B(1-\tfrac1n) + \tfrac1n\sum_k s_k[1-(1-w_k)^n-w_k]"
)
ALIVE = r"\mathbb{E}\,K_t = K - \sum_k v_t^{(k)}(0),\quad v_{t+1} = v_tP,\ P_{ij} = \mathrm{Bin}(j; n, i/n)"

IID_LAW = (
    r"T = V_m + m(1-m)D,\ V' = (1-\tfrac1n)T,\ D' = (1-m)^2D + \tfrac Tn,\ V_m = mV_0+(1-m)V;\quad"
    r" D_\infty = \frac{V_0}{n(1-(1-m)^2)+(1-m)^2}"
)
FIXED_SET = (
    r"V_r = V_0(1-\tfrac1{n_r}),\quad D' = b^2\bigl(D+\tfrac{V_r-D}{n_s}\bigr),\ D_1 = 0,"
    r"\ b = \tfrac{n_s}{n_r+n_s};\quad \mathbb{E}V_t = V_r-D_t"
)
UNBIASED_SAMPLES = (
    "any number of components, any d, every n >= 2 and t >= 1, unbiased sampling, maximum likelihood; in"
    " several dimensions a trace; every recipe, with the factor of its own second moments; from another start"
    " V_0, m_0 and w_0 are model 0's, and (m_0 - m)^2 adds to a squared error from the source's mean m"
)
MIXED_SAMPLES = (
    "any number of components, any d, unbiased sampling, maximum likelihood; V_0 the source's variance, D the"
    " squared error from the mean m of the source, V and D of model 0 at first"
)
SIZES = "; sizes may change: (1-1/n)^t becomes a product"
ANY_STEPS = UNBIASED_SAMPLES + (
    "; any number of M-steps, full and tied covariances; diagonal ones coordinate by coordinate, spherical"
    " ones in the trace"
)
CENTRED = (
    r"\mathbb{E}\,m_t = m_0\ \text{(no fresh data)},\ \mathbb{E}\,m_t = m + (1-m_r)^t(m_0-m)\ \text{(fresh,"
    r" a share } m_r \text{ of real points)}"
)
REPLACED = (
    Case(HARD, (1, 6)),
    Case(HARD, (1, 6), quick=False, engine=LITERAL),
    Case(HARD_PLANE, (1, 4)),
    Case(HARD_MOVED, (1, 4), quick=False),
)
ANCHORED = Case(Loop(TWO, Fixed(20, 15)), (1, 2, 5), quick=False)
SOFTENED = (
    Case(SOFT, (1, 5), engine=LITERAL),
    Case(Loop(PLANE, Replace(40), TIED), (1, 3), quick=False, engine=LITERAL),
    Case(Loop(PLANE, Replace(40), SPHERICAL), (1, 3), quick=False, engine=LITERAL),
    Case(SOFT_AWAY, (1, 4), engine=LITERAL),
)
SOFT_IID = Case(Loop(TWO, Fresh(6, 20, "iid"), FULL), (1, 4), quick=False, engine=LITERAL)
COUNTED = (Case(SPLIT, (1, 10)), Case(SPLIT_AWAY, (1, 2), quick=False))
HARD_IID = Case(Loop(THREE, Fresh(6, 15, "iid")), (1, 5), quick=False)


def _claims(
    entry: str, names: tuple[str, ...], status: Any, statement: str, valid: str, *cases: Case
) -> tuple[Claim, ...]:
    return tuple(
        Claim(f"mixture.{entry}", name, status, statement, OWN, valid, "moments", cases) for name in names
    )


def _measured(
    entry: str, name: str, status: Any, statement: str, valid: str, expected: Any, *cases: Case
) -> Claim:
    def moments(case: Case) -> np.ndarray:
        mean = np.asarray(expected(case), float)
        return np.stack([mean, *[np.full_like(mean, np.nan)] * 3])

    return Claim(f"mixture.{entry}", name, status, statement, OWN, valid, "moments", cases, moments)


def _one_step(case: Case) -> np.ndarray:
    """E W' or E B' of the only generation asked for, by the closed form and not by the chain."""
    source, factor = parts(case.loop.source), 1.0
    if case.loop.sampler.applies_to_source:
        factor = case.loop.sampler.bias
    spread = factor * source.variances[:, 0]
    return np.array(one_step(source.weights, spread, float(source.between[0, 0]), case.loop.data.n))


def _typical(case: Case) -> np.ndarray:
    loop = case.loop
    d = loop.source.dimension
    rate = central(loop.selection.fraction, d) * (1 - 1 / loop.data.n)
    spread = np.array(loop.source.variance, float)
    variance = np.diagonal(spread) if spread.ndim else spread
    return np.array([variance * rate**g for g in case.generations])


def _nearest(case: Case) -> np.ndarray:
    n, pool = case.loop.get("n"), case.loop.get("pool")
    square = nearest_of_pool(n, pool)
    return np.array([square, square * (1 - 1 / n)])


def _filtered(case: Case) -> np.ndarray:
    given = dict(case.loop.parameters)
    found = parts(Mixture(given["weights"], given["means"], given["variances"]))
    after = kept(found, given["fraction"])
    mean = np.stack([after.weights, after.weights * after.factors * found.variances[:, 0]])
    return np.where(mean > 0, mean, np.nan)  # of a mode wiped out there is nothing to test


def _floored(case: Case) -> np.ndarray:
    given = dict(case.loop.parameters)
    source = parts(Mixture(given["weights"], given["means"], given["variances"]))
    times = range(1, given["generations"] + 1)
    return np.array([floored(source.covariance[0, 0], given["n"], given["floor"], t) for t in times])


def _experiment(name: str, **parameters: Any) -> Case:
    return Case(Experiment(name, tuple(parameters.items())))


def _filter(fraction: float, weights: tuple, variances: tuple) -> Case:
    means = tuple(30.0 * k for k in range(len(weights)))
    return _experiment(
        "filtered_mixture", weights=weights, means=means, variances=variances, fraction=fraction, points=200
    )


def _selected(source: Gaussian, n: int, fraction: float) -> Loop:
    return Loop(source, Replace(n), selection=TopFraction(fraction, "typicality", applies_to_source=True))


TOTAL = (
    *_claims("G1a", MEAN, "exact", CENTRED, UNBIASED_SAMPLES, *REPLACED, ANCHORED),
    *_claims("G1a", VARIANCE, "exact", REPLACE, UNBIASED_SAMPLES + SIZES, *REPLACED),
    *_claims(
        "G1a", VARIANCE, "exact", FIXED_SET,
        "the same n_r real points in every fit, n_s samples beside them; " + UNBIASED_SAMPLES, ANCHORED,
    ),
    *_claims(
        "G1a", SQUARED, "exact", REPLACE, UNBIASED_SAMPLES, Case(HARD_AWAY, (1, 4)),
        Case(HARD_AWAY, (1, 4), quick=False, engine=LITERAL),
    ),
    *_claims("G1b", MEAN, "exact", CENTRED, ANY_STEPS, *SOFTENED, SOFT_IID),
    *_claims("G1b", VARIANCE, "exact", REPLACE, ANY_STEPS, *SOFTENED),
    *_claims(
        "G1b", VARIANCE, "exact", IID_LAW, MIXED_SAMPLES + "; any number of M-steps; every point real with"
        " probability m", SOFT_IID,
    ),
    *_claims(
        "G1b", SQUARED, "exact", REPLACE, UNBIASED_SAMPLES,
        Case(SOFT_AWAY, (1, 4), engine=LITERAL),
    ),
    *_claims("G1c", MEAN, "exact", CENTRED, MIXED_SAMPLES, *COUNTED, HARD_IID),
    *_claims("G1c", VARIANCE, "exact", SPLIT_LAW, MIXED_SAMPLES + "; exact counts", *COUNTED),
    *_claims(
        "G1c", VARIANCE, "exact", IID_LAW, MIXED_SAMPLES + "; every point real with probability m", HARD_IID,
    ),
    *_claims(
        "G1c", SQUARED, "exact", SPLIT_LAW, MIXED_SAMPLES + "; exact counts",
        Case(SPLIT_AWAY, (1, 2), quick=False),
    ),
    *_claims(
        "G1d", MEAN, "exact", CENTRED, UNBIASED_SAMPLES, Case(Loop(THREE, Accumulate(20)), (1, 10)),
        Case(POOL_AWAY, (1, 5), quick=False),
    ),
    *_claims(
        "G1d", VARIANCE, "exact",
        r"\mathbb{E}V_t = V_0\prod_{k\le t}(1-\tfrac{1}{nk^2}) \to V_0\frac{\sin(\pi/\sqrt n)}{\pi/\sqrt n}",
        UNBIASED_SAMPLES, Case(Loop(THREE, Accumulate(20)), (1, 10)),
        Case(POOL_AWAY, (1, 5), quick=False),
    ),
    *_claims(
        "G1d", SQUARED, "exact", r"\mathbb{E}|m_t-m_0|^2 = V_0 - \mathbb{E}V_t", UNBIASED_SAMPLES,
        Case(POOL_AWAY, (1, 5), quick=False),
    ),
    _measured(
        "G1e", "variance", "exact",
        r"\mathbb{E}V_t = n\epsilon + (1-\tfrac1n)^t(V_0-n\epsilon)",
        "soft EM with a floor eps added to every variance in every M-step; on the line", _floored,
        _experiment(
            "floored_mixture", weights=TWO.weights, means=TWO.means, variances=TWO.variances, n=25,
            floor=0.05, generations=6, iterations=4,
        ),
    ),
    *_claims(
        "G1w", ("weights",), "exact", WEIGHTED,
        "hard labels, any recipe, any bias of the samples (labels keep none); moments to the fourth under"
        " replace; EM: the mean, for one iteration under replace",
        Case(HARD, (1, 6)), Case(HARD_MOVED, (1, 4), quick=False),
        Case(Loop(TWO, Replace(40), MaximumLikelihood(fit="em", iterations=1)), (1, 4), engine=LITERAL),
    ),
)  # fmt: skip

SPLITTING = (
    _measured(
        "G2", "within", "exact", ONE_STEP, "hard labels, one fit by maximum likelihood; lambda s_k for s_k",
        lambda case: _one_step(case)[:1], Case(HARD, (1,)), Case(SHRUNK, (1,), quick=False),
    ),
    _measured(
        "G2", "between", "exact", ONE_STEP, "hard labels, one fit by maximum likelihood; lambda s_k for s_k",
        lambda case: _one_step(case)[1:], Case(HARD, (1,)), Case(SHRUNK, (1,), quick=False),
        Case(FEW, (1,), quick=False, least=2**18),
    ),
    *_claims(
        "G3a", ("within", "between"), "recursion", CHAIN + r",\quad f(j) = 1-1/j",
        "hard labels under replace, every n and lambda, maximum likelihood, any d; covariances not tied",
        Case(HARD, (1, 3)), Case(SHRUNK, (2,)), Case(HARD_PLANE, (1, 2), quick=False),
        Case(HARD_MOVED, (1, 2), quick=False),
    ),
    *_claims(
        "G3a", ("variance",), "recursion", CHAIN + r",\quad f(j) = 1-1/j",
        "hard labels under replace, samples with a bias lambda", Case(SHRUNK, (2, 6)),
    ),
    *_claims(
        "G3a", SQUARED, "recursion", CHAIN + r",\quad f(j) = 1-1/j",
        "hard labels under replace, samples with a bias lambda",
        Case(Loop(TWO, Replace(30), sampler=BIASED, start=AWAY), (1, 4)),
    ),
    *_claims(
        "G3b", ("within", "between", "variance"), "recursion",
        CHAIN + r",\quad f = 1;\quad \mathbb{E}W_t = W_0",
        "hard labels under replace, divisors N_k - 1; a single point leaves the variance it was drawn with",
        Case(KEEPING, (1,)), Case(Loop(THREE, Replace(80), Unbiased()), (1, 3), quick=False),
        Case(FEW_KEEPING, (1,), quick=False, least=2**18),
    ),
    *_claims(
        "G3e", ("components_alive",), "recursion", ALIVE,
        "hard labels under replace; all moments, by lumping components together", Case(HARD, (1, 6)),
        Case(HARD_MOVED, (4,), quick=False),
    ),
)  # fmt: skip

SELECTING = (
    _measured(
        "Q1", "variance", "exact",
        r"\mathbb{E}s_t = s_0(v_d(q)(1-\tfrac1n))^t,\quad v_d(q) = F_{d+2}(r)/q,\ F_d(r) = q",
        "a Gaussian in d dimensions, its most typical fraction q by the exact quantile, real points too",
        _typical,
        Case(_selected(Gaussian(0.0, 1.0), 25, 0.8), (1, 3), engine=LITERAL),
        Case(_selected(PAIR, 25, 0.8), (1, 3), quick=False, engine=LITERAL),
        Case(_selected(TEN, 20, 0.6), (2,), quick=False, engine=LITERAL),
    ),
    _measured(
        "Q1p", "variance", "recursion",
        r"\tfrac{M}{n}\int Q(u)P(\mathrm{Bin}(M-1,u)\le n-1)\,du\,(1-\tfrac1n)",
        "the best n of M standard normals by |x|; the mean square, and the variance with divisor n", _nearest,
        _experiment("nearest_of_pool", n=20, pool=25),
        _experiment("nearest_of_pool", n=12, pool=30),
    ),
    _measured(
        "Q2", "weights", "asymptotic",
        r"c_k^2 = 2\ln\frac{w_k}{\sqrt{2\pi s_k}\tau},\ \sum w_k(2\Phi(c_k)-1) = q;\quad"
        r" w_k' = w_k(2\Phi(c_k)-1)/q,\ s_k' = s_kv_1(2\Phi(c_k)-1)",
        "modes apart, with an error of the order of one mode's density at the others (here below 1e-40)",
        _filtered,
        _filter(0.85, (0.6, 0.3, 0.1), (1.0, 0.5, 2.0)), _filter(0.9, (0.9, 0.1), (1.0, 1.0)),
        _filter(0.6, (0.5, 0.25, 0.25), (1.0, 0.1, 3.0)),
    ),
)  # fmt: skip

MIXTURES = TOTAL + SPLITTING + SELECTING
