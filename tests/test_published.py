"""Published statements beside the truth: where they hold and where not, by numbers from other routes."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy import optimize, special

from autophagy import bounds_table
from jaxsim.agreement import Sample, Theory, agree
from theory.published import PUBLISHED
from theory.published.statement import Published

BY_NAME = {statement.name: statement for statement in PUBLISHED}

FAILS = {
    "Wasserstein distance, mean": lambda x: x["t"] > 1,
    "Wasserstein distance, variance": lambda x: True,
    "Theorem 3.1: the distance diverges": lambda x: x["divisor"] == "n",
    "the mean is a Gaussian random walk": lambda x: True,
    "fixed real data only delay collapse": lambda x: True,
    "accumulating data inflates the error by at most pi^2/6": lambda x: x["data"] != "equal batches",
    "pi^2/6 in regression": lambda x: x["covariates"] == "fresh",
    "golden-ratio weight of real points": lambda x: x["fit"] == "together" or x["synthetic"] != x["real"],
    "golden-ratio weight of real labels, minimum norm": lambda x: x["covariates"] == "fresh",
    "strong collapse, corollary": lambda x: True,
    "regression on its own labels degrades linearly": lambda x: x["noise"] != "known" and x["t"] > 1,
    "'unbiased' variances stay unbiased": lambda x: True,
    "a mixture without the spread between its means": lambda x: True,
}
"""Where each statement fails; those that are not here hold everywhere on their grid."""


@pytest.mark.parametrize("statement", PUBLISHED, ids=lambda statement: statement.name)
def test_a_statement_holds_where_it_does(statement: Published):
    fails = FAILS.get(statement.name, lambda x: False)
    for reading in statement.readings():
        assert reading.holds != fails(reading.point), dict(reading.point)
        assert not math.isnan(reading.value)
        assert not math.isnan(reading.exact)


@pytest.mark.parametrize("statement", PUBLISHED, ids=lambda statement: statement.name)
def test_a_statement_moved_beyond_the_truth_fails(statement: Published):
    """Negative control: no statement holds whatever it says."""
    point = statement.grid[0]
    exact = statement.exact(point)
    wrong = {"upper bound": exact / 2 - 1, "lower bound": 2 * exact + 1}.get(statement.kind, exact + 1.5)
    moved = replace(statement, value=lambda _: wrong if math.isfinite(wrong) else 0.0)
    assert not moved.at(point).holds


def exact_of(name, **point):
    return BY_NAME[name].exact(point)


def test_moments_of_the_wasserstein_distance():
    """E W2^2 = s^2 (2 + t/M - 2 c4^t) and, for one fit, Var W2^2 from the moments of a chi."""
    n, t = 50, 3
    c4 = math.sqrt(2 / (n - 1)) * math.exp(special.gammaln(n / 2) - special.gammaln((n - 1) / 2))
    assert exact_of("Wasserstein distance, mean", n=n, t=t) == pytest.approx(2 + t / n - 2 * c4**t, rel=1e-12)
    chi = [
        math.exp(special.gammaln((n - 1 + k) / 2) - special.gammaln((n - 1) / 2)) * (2 / (n - 1)) ** (k / 2)
        for k in range(5)
    ]
    fourth = sum(math.comb(4, k) * chi[k] * (-1) ** (4 - k) for k in range(5))
    second = chi[2] - 2 * chi[1] + 1
    spread = 3 / n**2 + 2 * second / n + fourth - (1 / n + second) ** 2
    assert exact_of("Wasserstein distance, variance", n=n, t=1) == pytest.approx(spread, rel=1e-9)


@pytest.mark.parametrize("n", [3, 10])
def test_the_mean_is_no_gaussian(n):
    """6n - 3, from R7's limit."""
    assert exact_of("the mean is a Gaussian random walk", n=n) == pytest.approx(6 * n - 3, rel=1e-9)


def test_almost_sure_collapse_needs_less():
    n = 10
    value = (n - 1) / 2 * math.exp(-special.digamma((n - 1) / 2))
    assert exact_of("collapse for any lambda <= 1", n=n) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(("real", "synthetic"), [(4, 4), (3, 12)])
def test_a_fixed_real_set_keeps_the_variance(real, synthetic):
    n, b = real + synthetic, Fraction(synthetic, real + synthetic)
    kept = (1 - Fraction(1, real)) * n * (1 - b**2) / (n * (1 - b**2) + b)
    found = exact_of("fixed real data only delay collapse", real=real, synthetic=synthetic)
    assert found == pytest.approx(float(kept), rel=1e-12)


@pytest.mark.parametrize("ratio", [0.25, 1, 4])
def test_contraction_without_a_condition(ratio):
    name = "stability needs a ratio of synthetic to real below 1/2"
    assert exact_of(name, ratio=ratio) == pytest.approx(ratio / (1 + ratio), rel=1e-12)


@pytest.mark.parametrize(("fit", "real", "synthetic"), [("apart", 20, 60), ("together", 20, 20)])
def test_the_best_weight_by_search(fit, real, synthetic):
    """Of the stated stationary errors X8 and X9."""
    k = real / synthetic

    def error(w):
        u = 1 - w
        if fit == "apart":
            return (w**2 + k * u**2) / (w * (2 - w))
        return (u**2 / synthetic + w**2 / real) / (1 - u**2 + u**2 / synthetic)

    best = optimize.minimize_scalar(error, bounds=(1e-6, 1), method="bounded", options={"xatol": 1e-10}).x
    found = exact_of("golden-ratio weight of real points", fit=fit, real=real, synthetic=synthetic)
    assert found == pytest.approx(best, abs=1e-7)


@pytest.mark.parametrize("signal", [0.1, 10.0])
def test_the_best_mixing_by_search(signal):
    """Of L6's fixed point, minimum norm on fresh covariates."""
    g, trace = 0.4, 4 / (10 - 4 - 1)

    def risk(w):
        return ((1 - g) * signal + trace * (w**2 + (1 - w) ** 2)) / (1 - (1 - w) ** 2 * g)

    best = optimize.minimize_scalar(risk, bounds=(1e-6, 1), method="bounded", options={"xatol": 1e-10}).x
    name = "golden-ratio weight of real labels, minimum norm"
    assert exact_of(name, covariates="fresh", signal=signal) == pytest.approx(best, abs=1e-7)


def test_the_spread_between_means_by_iteration():
    n, al, s = 100, 0.9, 1.0
    for _ in range(4000):
        s = (1 - 1 / n) * ((1 - al**2) + al**2 * s)
    name = "a mixture without the spread between its means"
    assert exact_of(name, n=n, share=al) == pytest.approx(s, rel=1e-12)


def test_the_corollary_by_drawing():
    """The risk of one fit to shifted labels; without the missing term it is seen to be off."""
    n, d, runs = 200, 5, 20_000
    rng = np.random.default_rng(7)
    shift = np.eye(d)[0]
    risks = []
    for _ in range(runs):
        x, noise = rng.standard_normal((n, d)), rng.standard_normal(n)
        y = noise + (x @ shift) * (np.arange(n) < n // 2)
        risks.append(np.sum(np.linalg.lstsq(x, y, rcond=None)[0] ** 2))
    statement, sample = BY_NAME["strong collapse, corollary"], Sample.of(risks)
    assert agree(sample, Theory(statement.exact({"n": n}))).mean.holds
    assert agree(sample, Theory(statement.value({"n": n}))).disagrees


def test_the_table_says_all():
    found = bounds_table.readings()
    text = " ".join(bounds_table.table(found).split())  # long sources are on several lines
    for statement in PUBLISHED:
        assert statement.name in text
        assert statement.source in text
    entry = bounds_table.entries(found)[0]
    assert {"statement", "source", "seen", "at", "stated", "exact", "ratio", "holds"} <= entry.keys()
    assert f"of {len(found)} readings hold" in text
