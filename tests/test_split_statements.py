"""Statements of single policies, written out as their claims state them, against theory on the cases."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from theory.categorical.reading import statistics
from theory.claims import categorical_cases as categories
from theory.claims import mixture as mixtures
from theory.claims.categorical import CATEGORICAL
from theory.claims.regression import REGRESSION
from theory.linear import LeastSquares
from theory.mixture.parts import parts
from theory.policy import Accumulate, Fixed, Fresh
from theory.predict import central_moments
from theory.regression.design import ridge
from theory.regression.risk import risk

DOUBLE = 1e-11
"""Relative rounding of some hundred operations in double precision, condition 1e2."""


def squares(loop):
    """|p|^2, |q|^2, <p, q> and sum q^2/p of source p and model 0 q."""
    return np.array(loop.source.shares), np.array(loop.first_model.shares)


def test_a_window_of_batches_of_categories():
    """C1, by what pairs of batches have in common."""
    loop, last = categories.WINDOWED, 6
    n, width = loop.data.n, loop.data.width
    h0 = 1 - sum(Fraction(x) ** 2 for x in loop.source.shares)
    real = range(2 - width, 2)
    common = {(i, j): h0 / n if i == j else Fraction(0) for i in real for j in real}
    error = [Fraction(0), h0 / n / width]
    for k in range(2, last + 1):
        before, window = range(k - width, k), range(k - width + 1, k + 1)
        for j in range(2 - width, k):
            common[j, k] = common[k, j] = sum(common[j, i] for i in before) / width
        common[k, k] = error[-1] + (h0 - error[-1]) / n
        error.append(sum(common[i, j] for i in window for j in window) / width**2)
    found = central_moments(loop, "heterozygosity", range(1, last + 1))[0]
    np.testing.assert_allclose(found, [float(h0 - d) for d in error[1:]], rtol=DOUBLE)


@pytest.mark.parametrize("claim", [c for c in CATEGORICAL if c.id == "mixture.C1" and c.expected])
def test_errors_from_a_source_that_is_not_the_start(claim):
    for case in claim.cases:
        p, q = squares(case.loop)
        for g, value in zip(case.generations, claim.expected(case)[0], strict=True):
            sizes = [case.loop.data.n] * g if isinstance(case.loop.data.n, int) else case.loop.data.n[:g]
            lost = 1 - np.prod([1 - 1 / n for n in sizes])
            weights = 1 / p if claim.observable == "chi_squared" else np.ones_like(p)
            stated = weights @ (p - q) ** 2 + lost * weights @ (q * (1 - q))
            assert value == pytest.approx(stated, rel=DOUBLE)


def test_the_divergence_from_a_source_that_is_not_the_start():
    loop = categories.STARTED
    p, q = squares(loop)
    found = statistics(loop, ["entropy", "kl_to_source"], (1, 8))
    np.testing.assert_allclose(
        found["kl_to_source"].mean, -q @ np.log(p) - found["entropy"].mean, rtol=DOUBLE
    )


def of_a_fixed_set(loop, last):
    real, synthetic = loop.data.real, loop.data.synthetic
    b, away, v0 = synthetic / (real + synthetic), 0.0, total_variance(loop.source)
    kept = v0 * (1 - 1 / real)
    found = [kept]
    for _ in range(last - 1):
        away = b**2 * (away + (kept - away) / synthetic)
        found.append(kept - away)
    return found


def of_fresh_points(loop, last):
    n = loop.data.real + loop.data.synthetic
    m, v0, v = loop.data.real / n, total_variance(loop.source), total_variance(loop.first_model)
    error = float((parts(loop.first_model).mean[0] - parts(loop.source).mean[0]) ** 2)
    found = []
    for _ in range(last):
        mixed, between = m * v0 + (1 - m) * v, m * (1 - m) * error
        if loop.data.composition == "iid":
            mixed, between = (1 - 1 / n) * (mixed + between), 0.0
            v, error = mixed, (1 - m) ** 2 * error + mixed / (n - 1)
        else:
            v, error = (1 - 1 / n) * mixed + between, (1 - m) ** 2 * error + mixed / n
        found.append(v)
    return found


def total_variance(model):
    return float(parts(model).covariance[0, 0])


@pytest.mark.parametrize(
    ("claim", "case"),
    [
        (claim, case)
        for claim in mixtures.TOTAL
        for case in claim.cases
        if claim.observable == "variance" and isinstance(getattr(case.loop, "data", None), Fixed | Fresh)
    ],
)
def test_the_total_variance_beside_real_points(claim, case):
    stated = of_a_fixed_set if isinstance(case.loop.data, Fixed) else of_fresh_points
    last = max(case.generations)
    found = central_moments(case.loop, "variance", case.generations)[0]
    values = stated(case.loop, last)
    np.testing.assert_allclose(found, [values[g - 1] for g in case.generations], rtol=DOUBLE)


def regression_cases(entry):
    return [
        case
        for claim in REGRESSION
        for case in claim.cases
        if claim.id == f"gaussian.{entry}" and claim.check == "moments"
    ]


@pytest.mark.parametrize("case", regression_cases("L8"))
def test_ridge(case):
    """L8, each of its five settings."""
    source, data = case.loop.source, case.loop.data
    n = data.real if isinstance(data, Fresh) else data.n
    design = ridge(n, source.dimension, case.loop.estimator.penalty)
    w = getattr(data, "weight", 0.0)
    state = same if source.covariates == "same" else fresh
    found = [state(design, source, isinstance(data, Accumulate), w, t) for t in case.generations]
    np.testing.assert_allclose(risk(case.loop, case.generations).mean, found, rtol=DOUBLE)


def same(design, source, grows, w, last):
    a, kept, spread = design.gains, np.ones_like(design.gains), np.zeros_like(design.gains)
    for t in range(1, last + 1):
        if grows:
            kept = a if t == 1 else kept * (1 - (1 - a) / t)
            spread = (1 - (1 - a) / t) ** 2 * spread + 1 / t**2
        else:
            kept = a * (w + (1 - w) * kept)
            spread = (1 - w) ** 2 * a**2 * spread + w**2 + (1 - w) ** 2
    signal = source.signal / source.dimension * (1 - kept) ** 2
    return design.mean(signal + source.noise * spread * design.noises)


def fresh(design, source, grows, w, last):
    assert not grows
    a, b, signal, u = design.gain, design.square, source.signal, 1 - w
    if w == 0:
        return signal * (1 - 2 * a**last + b**last) + source.noise * design.noise * (1 - b**last) / (1 - b)
    error, overlap = 0.0, 0.0
    for _ in range(last):
        error = (
            b * u**2 * error
            - 2 * (a - b) * u * overlap
            + (1 - 2 * a + b) * signal
            + source.noise * design.noise * (w**2 + u**2)
        )
        overlap = a * u * overlap - (1 - a) * signal
    return error


def rho(n, n2, d):
    n1, scale = n - n2, n * (n + 2) * (n - 1)
    return Fraction(n2 * (n * (n2 + 1) - 2), scale) + Fraction(n1 * n2 * (n * d - 2), scale * (n - d - 1))


@pytest.mark.parametrize("case", regression_cases("L10"))
def test_real_and_synthetic_points_side_by_side(case):
    source, data = case.loop.source, case.loop.data
    n1, n2, d = data.real, data.synthetic, source.dimension
    n, kept = n1 + n2, rho(n1 + n2, n2, d)
    if data.composition == "iid":
        p = Fraction(n2, n)
        kept = sum(comb(n, k) * p**k * (1 - p) ** (n - k) * rho(n, k, d) for k in range(n + 1))
    refitted = case.loop.estimator == LeastSquares("maximum-likelihood")
    error, noise, found = Fraction(case.loop.first_model.shift), Fraction(source.noise), []
    for _ in range(max(case.generations)):
        labels = (n1 * Fraction(source.noise) + n2 * noise) / n
        if refitted:
            noise = Fraction(n - d, n) * (labels + Fraction(n1 * n2, (n + 2) * (n - 1)) * error)
        error = kept * error + Fraction(d, n - d - 1) * labels
        found.append(float(error))
    np.testing.assert_allclose(
        risk(case.loop, case.generations).mean, [found[g - 1] for g in case.generations], rtol=DOUBLE
    )
