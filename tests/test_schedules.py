"""Limits under growing samples: proved by SymPy where closed, by direct products elsewhere."""

import math

import pytest
import sympy as sp
from scipy import special

from theory.expression import Expression
from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace, Sampler, Unbiased
from theory.replace.growth import growth
from theory.replace.schedules import collapses, limit, to_sympy

MLE, UNBIASED = MaximumLikelihood(), Unbiased()
PLAIN = Gaussian(0.0, 1.0)
ROUNDING = 1e-12
k, t = sp.symbols("k t", integer=True, positive=True)


def loop(n, estimator, **parts):
    return Loop(PLAIN, Replace(n), estimator, **parts)


def test_quadratic_growth_proved():
    """For every n_1: prod (1 - 1/n_k) = sin(x)/x, prod (1 + 1/n_k) = sinh(x)/x, sum 1/n_k = pi^2 / 6 n_1.

    The products are taken to a finite t, then to the limit: SymPy leaves infinite products as they are.
    """
    first = sp.Symbol("n1", positive=True)
    x = sp.pi / sp.sqrt(first)
    for sign, stated in ((-1, sp.sin(x) / x), (1, sp.sinh(x) / x)):
        finite = sp.product(1 + sign / (first * k**2), (k, 1, t))
        assert not finite.has(sp.Product)
        assert sp.simplify(sp.gammasimp(sp.limit(finite, t, sp.oo)) - stated) == 0
    assert sp.summation(1 / (first * k**2), (k, 1, sp.oo)) == sp.pi**2 / (6 * first)


@pytest.mark.parametrize("first", [3, 4, 9, 100])
def test_quadratic_growth(first):
    text, x = f"{first}*t**2", math.pi / math.sqrt(first)
    expected = {
        ("variance", MLE): math.sin(x) / x,
        ("variance", UNBIASED): 1.0,
        ("variance_squared", MLE): math.sin(x) * math.sinh(x) / x**2,
        ("variance_squared", UNBIASED): math.sinh(x) / math.sin(x),
        ("mean_error_squared", MLE): 1 - math.sin(x) / x,
        ("mean_error_squared", UNBIASED): math.pi**2 / (6 * first),
    }
    for (observable, estimator), value in expected.items():
        assert limit(loop(text, estimator), observable) == pytest.approx(value, rel=ROUNDING), observable


@pytest.mark.parametrize("text", ["t**2 + 3*t + 2", "2*t**3", "3*t**4 - t + 1"])
def test_polynomials(text):
    """Against products to K; the rest, sum log(1 - 1/n_k), is -1 to -(1 + 1/n_K) times sum 1/n_k."""
    last = 4000
    sizes = [Expression(text).at(j) for j in range(1, last + 1)]
    start = math.log(limit(loop(text, MLE), "variance"))
    left = start - math.fsum(math.log1p(-1 / n) for n in sizes)
    tail = limit(loop(text, UNBIASED), "mean_error_squared") - math.fsum(1 / n for n in sizes)
    assert -tail * (1 + 1 / sizes[-1]) - ROUNDING <= left <= -tail + ROUNDING


def test_linear_growth_collapses_polynomially():
    """E s_t = Gamma(t + 1 - 1/n_1) / (Gamma(t + 1) Gamma(1 - 1/n_1)) ~ t^(-1/n_1)."""
    first = sp.Symbol("n1", positive=True)
    finite = sp.gamma(t + 1 - 1 / first) / (sp.gamma(t + 1) * sp.gamma(1 - 1 / first))
    step = sp.gammasimp(finite.subs(t, t + 1) / finite)
    assert sp.simplify(step - (1 - 1 / (first * (t + 1)))) == 0
    assert sp.simplify(sp.gammasimp(finite.subs(t, 1)) - (1 - 1 / first)) == 0
    assert limit(loop("3*t", MLE), "variance") == 0
    assert limit(loop("3*t", MLE), "mean_error_squared") == 1
    assert limit(loop("3*t", UNBIASED), "mean_error_squared") == math.inf
    # E s^2 -> prod (1 - 1/9k^2) > 0 although E s -> 0: rare runs survive.
    expected = math.sin(math.pi / 3) / (math.pi / 3)
    assert limit(loop("3*t", MLE), "variance_squared") == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize("ratio", [2, 3])
def test_geometric_growth(ratio):
    """Against products multiplied out to 2^-100: nothing but rounding is left."""
    text = f"4*{ratio}**(t - 1)"
    sizes = [4 * ratio**j for j in range(100)]
    products = {
        ("variance", MLE): math.prod(1 - 1 / n for n in sizes),
        ("variance_squared", MLE): math.prod(1 - 1 / n**2 for n in sizes),
        ("variance_squared", UNBIASED): math.prod((n + 1) / (n - 1) for n in sizes),
        ("mean_error_squared", UNBIASED): math.fsum(1 / n for n in sizes),
        ("log_variance", MLE): math.fsum(_log_factor(n, n) for n in sizes[:45]),
        ("log_variance", UNBIASED): math.fsum(_log_factor(n, n - 1) for n in sizes[:45]),
    }
    for (observable, estimator), expected in products.items():
        assert limit(loop(text, estimator), observable) == pytest.approx(expected, rel=1e-11), observable
    root = math.exp(math.fsum(_log_root(n) for n in sizes[:45]))
    assert limit(loop(text, UNBIASED), "std") == pytest.approx(root, rel=1e-11)


def _log_factor(n, divisor):
    """E log(chi2_{n-1} / c), by the series of digamma for large n."""
    a = (n - 1) / 2
    if a < 1000:
        return special.digamma(a) + math.log(2 / divisor)
    return math.log1p(-(divisor - n + 1) / divisor) - 1 / (2 * a) - 1 / (12 * a**2)


def _log_root(n):
    a = (n - 1) / 2
    if a < 1000:
        return special.gammaln(a + 0.5) - special.gammaln(a) - math.log(a) / 2
    return -1 / (8 * a) + 1 / (192 * a**3)


@pytest.mark.parametrize("estimator", [MLE, UNBIASED])
def test_sums_of_logarithms(estimator):
    """n_k = 4 k^2: the tail beyond K lies between 1 and (1 + 2/n_K) times its leading term."""
    last = 3000
    sizes = [4 * j * j for j in range(1, last + 1)]
    divisor = 0 if estimator is MLE else 1
    log_sum = math.fsum(_log_factor(n, n - divisor) for n in sizes)
    tail = special.polygamma(1, last + 1) / 4
    lead = -(2 if estimator is MLE else 1) * tail
    found = limit(loop("4*t**2", estimator), "log_variance")
    assert abs(found - log_sum - lead) < abs(lead) * 2 / sizes[-1] + ROUNDING
    root_sum = math.fsum(_log_root(n) + (math.log1p(-1 / n) / 2 if estimator is MLE else 0) for n in sizes)
    lead = -(3 if estimator is MLE else 1) / 4 * tail
    found = math.log(limit(loop("4*t**2", estimator), "std"))
    assert abs(found - root_sum - lead) < abs(lead) * 2 / sizes[-1] + ROUNDING


@pytest.mark.parametrize(
    ("text", "collapse"),
    [
        ("100", True),
        ("3*t", True),
        ("floor(100*sqrt(t))", True),
        ("floor(t**1.01) + 1", False),
        ("floor(5*t*log(t + 1)) + 2", True),
        ("floor(5*t*log(t + 1)**2) + 2", False),
        ("floor(5*t*sqrt(log(t + 1))) + 2", True),
        ("t**2 - t + 2", False),
        ("2**t", False),
        ("t*2**(t - 1) + t", False),
        ("floor(log(t)) + 2", True),
        ("floor(t**2/(t + 1)) + 2", True),
        ("t - t + 5", None),
    ],
)
def test_dichotomy(text, collapse):
    assert collapses(loop(text, MLE)) is collapse
    assert collapses(loop(text, UNBIASED)) is collapse


def test_growth_declines_what_it_cannot_hold():
    assert growth(Expression("log(log(t + 3))")) is None
    assert growth(Expression("floor(5 + 1/t)")) is None
    assert growth(Expression("-t")) is None
    assert growth(Expression("t**t")) is None


def test_collapse_has_its_limits():
    slow = loop("floor(100*sqrt(t))", MLE)
    assert limit(slow, "variance") == 0
    assert limit(slow, "std") == 0
    assert limit(slow, "log_variance") == -math.inf
    assert limit(slow, "kl_to_source") == math.inf
    assert limit(slow, "w2_squared") == 2  # mean error 1 + variance 0 + 1
    assert limit(loop("floor(100*sqrt(t))", UNBIASED), "w2_squared") == math.inf


def test_other_units():
    """A source of variance v and a start elsewhere: by linearity, from the unit start."""
    text, source, start = "4*t**2", Gaussian(1.0, 3.0), Gaussian(0.0, 2.0)
    far = Loop(source, Replace(text), MLE, start=start)
    unit = {
        name: limit(loop(text, MLE), name)
        for name in ("variance", "std", "log_variance", "mean_error_squared")
    }
    assert limit(far, "mean_error") == -1
    assert limit(far, "variance") == pytest.approx(2 * unit["variance"], rel=ROUNDING)
    spread = 1 + 2 * unit["mean_error_squared"]
    assert limit(far, "mean_error_squared") == pytest.approx(spread, rel=ROUNDING)
    cross = 2 * math.sqrt(3) * math.sqrt(2) * unit["std"]
    expected = spread + 2 * unit["variance"] + 3 - cross
    assert limit(far, "w2_squared") == pytest.approx(expected, rel=ROUNDING)
    logs = unit["log_variance"] + math.log(2 / 3)
    expected = ((spread + 2 * unit["variance"]) / 3 - 1 - logs) / 2
    assert limit(far, "kl_to_source") == pytest.approx(expected, rel=ROUNDING)


def test_bias_decides():
    """The sum of lambda^(k-1) prod_{j<k} (1 - 1/n_j) / n_k, straight from the definition."""
    text = "4*t**2"
    low = loop(text, MLE, sampler=Sampler(bias=0.8))
    assert limit(low, "variance") == 0
    assert limit(low, "log_variance") == -math.inf
    total, variance = 0.0, 1.0
    for j in range(1, 300):
        n = 4 * j * j
        variance *= 0.8 if j > 1 else 1
        total += variance / n
        variance *= 1 - 1 / n
    assert limit(low, "mean_error_squared") == pytest.approx(total, rel=ROUNDING)
    high = loop(text, MLE, sampler=Sampler(temperature=1.1))
    assert limit(high, "variance") == math.inf
    assert limit(high, "mean_error_squared") == math.inf
    # Samples that grow faster than the variance hold the mean: sum 2^(k-1) / (2 3^k) = 1/2.
    held = loop("2*3**t", UNBIASED, sampler=Sampler(bias=2.0))
    assert limit(held, "mean_error_squared") == pytest.approx(0.5, rel=ROUNDING)


@pytest.mark.parametrize("text", ["floor(t**1.5) + 1", "5", "floor(5*t*log(t + 1)**2) + 2"])
def test_unknown_limits_are_none(text):
    assert limit(loop(text, MLE), "variance") is None


def test_no_limit_for_what_is_not_a_product():
    assert limit(loop("4*t**2", MLE), "kl_from_source") is None
    assert limit(loop("4*t**2", MLE, sampler=Sampler(truncate=1.0)), "variance") is None
    assert limit(loop(5, MLE), "variance") is None


def test_to_sympy_is_exact():
    found = to_sympy(Expression("floor(0.1*t**2) - sqrt(t)/3 + log(t) + ceil(-t)"), t)
    assert found.subs(t, 9) == sp.floor(sp.Rational(81, 10)) - 1 + sp.log(9) - 9
