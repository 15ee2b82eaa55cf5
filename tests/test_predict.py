"""Closed forms in numbers: against printed values, against quadrature, at the edges, and their limits."""

import itertools
import math
import subprocess
import sys
from decimal import Decimal

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.claims import CLAIMS
from theory.claims.gaussian import GAUSSIAN_LINE
from theory.gaussian import expectation
from theory.loop import Gaussian, Images, Loop, LoopError, MaximumLikelihood, Replace, Sampler, Unbiased
from theory.observable import LINE, SPACE
from theory.predict import central_moments, predict
from theory.replace import statistics as line
from theory.replace.limits import limits
from theory.replace.precision import context, gaussian_step, truncated_step
from theory.replace.statistics import statistics
from theory.replace.truncation import truncated_moments

MLE, UNB = MaximumLikelihood(), Unbiased()
EPSILON = np.finfo(float).eps


def loop(n, estimator=MLE, variance=1.0, **changes):
    sampler = {key: changes.pop(key) for key in ("bias", "truncate", "temperature") if key in changes}
    if sampler:
        changes["sampler"] = Sampler(applies_to_source=True, **sampler)
    return Loop(Gaussian(0.0, variance), Replace(n), estimator, **changes)


def value(loop, observable, t, statistic="mean"):
    return float(predict(loop, t, [observable])[observable].sel(statistic=statistic).item())


# Predictions worked out beside the formulas: entry, loop, observable, t, mean or variance, digits as printed.
PRINTED = [
    ("R1", loop(5, MLE, 1.69), "variance", 7, "mean", ".354419"),
    ("R1", loop(5, UNB, 1.69), "variance", 7, "mean", "1.69"),
    ("R1", loop(5, MLE, 1.69), "std", 7, "mean", ".386017"),
    ("R1", loop(5, UNB, 1.69), "std", 7, "mean", ".842930"),
    ("R1", loop(20, MLE, 0.64), "variance", 6, "variance", ".182163"),
    ("R2", loop(5, MLE, 1.69), "log_variance", 7, "mean", "-2.929816"),
    ("R2", loop(5, MLE, 1.69), "log_variance", 7, "variance", "4.514538"),
    ("R6", loop(5, MLE, 1.69), "mean_error_squared", 7, "mean", "1.335581"),
    ("R6", loop(5, UNB, 1.69), "mean_error_squared", 7, "mean", "2.366"),
    ("R7", loop(12, MLE), "mean_variance_product", 3, "mean", ".209056"),
    ("R7", loop(12, UNB), "mean_error_fourth", 4, "mean", ".390621"),
    ("R9", loop(5, MLE, 1.69), "w2_squared", 7, "mean", "2.376355"),
    ("R9", loop(5, UNB, 1.69), "w2_squared", 7, "mean", "3.554381"),
    ("R9", loop(50, UNB), "w2_squared", 3, "mean", ".090377"),
    ("R9", loop(50, UNB), "w2_squared", 3, "variance", ".009522"),
    ("R9", loop(20, UNB), "w2_squared", 5, "mean", ".377287"),
    ("R9", loop(20, UNB), "w2_squared", 5, "variance", ".210819"),
    ("R10", loop(5, MLE, 1.69), "kl_to_source", 7, "mean", "1.727272"),
    ("R10", loop(5, UNB, 1.69), "kl_to_source", 7, "mean", "1.646270"),
    ("R10r", loop(12, MLE), "kl_from_source", 4, "mean", "1.078997"),
    ("R10r", loop(20, MLE), "kl_from_source", 6, "mean", ".786437"),
    ("S1", loop(6, UNB, bias=0.8), "variance", 5, "mean", ".327680"),
    ("S1", loop(6, UNB, bias=0.8), "mean_error_squared", 5, "mean", ".448213"),
    ("S1", loop(6, UNB, bias=1.15), "log_variance", 200, "mean", "-14.674"),
    ("S2", loop(5, UNB, truncate=0.7), "variance", 3, "mean", ".003576"),
    ("S2", loop(5, UNB, truncate=0.7), "mean_error_squared", 3, "mean", ".035976"),
    ("S2", loop(8, MLE, truncate=1.5), "variance", 4, "mean", ".054236"),
    ("S2", loop(8, MLE, truncate=1.5), "variance_squared", 4, "mean", ".005626"),
    ("S2", loop(10, UNB, truncate=2.0), "variance", 3, "mean", ".463220"),
]


@pytest.mark.parametrize(("entry", "case", "observable", "t", "statistic", "printed"), PRINTED)
def test_printed_predictions(entry, case, observable, t, statistic, printed):
    half_unit = 0.5 * 10.0 ** -len(printed.partition(".")[2])
    assert abs(value(case, observable, t, statistic) - float(printed)) <= half_unit * (1 + 1e-6)


@pytest.mark.parametrize(
    ("n", "j"), [(n, j) for n in (2, 5, 40) for j in (-3, -1, 0, 1, 2, 3, 4) if j > 1 - n]
)
def test_moments_of_one_fit_by_quadrature(n, j):
    # E[f^{j/2} log^b f], f = lambda chi2_nu / c: integrated on a log scale.
    nu, c, factor = n - 1, n, 0.75
    with context(50), mpmath.workdps(40):
        step = gaussian_step(n, c, factor)

        def weight(y, power):
            # y = log chi2: density e^{nu y / 2 - e^y / 2} up to its constant.
            return mpmath.exp((mpmath.mpf(nu) + power) * y / 2 - mpmath.exp(y) / 2)

        ends = [-200, -50, -10, 0, 2, 4, 6, 8]
        total = mpmath.quad(lambda y: weight(y, 0), ends)
        scale = mpmath.log(mpmath.mpf(factor) / c)
        for b in range(4):
            integral = mpmath.quad(
                lambda y, b=b: weight(y, j) * mpmath.exp(j * scale / 2) * (y + scale) ** b, ends
            )
            known = mpmath.mpf(str(step.moment(0, j, b)))
            assert abs(integral / total - known) < mpmath.mpf(10) ** -18 * (1 + abs(known))


@pytest.mark.parametrize("cut", [1e-3, 0.7, 1.5, 6.0, 49.0, 51.0])
def test_truncated_moments_in_numbers(cut):
    c = sp.Symbol("c", positive=True)
    with context(60):
        step = truncated_step(7, 7, cut)
        # n E[e^2] is E z^2, and n^3 E[e^4] - 3 n (n - 1) v^2 = n mu_4.
        v = step.moment(2, 0, 0) * 7
        mu4 = step.moment(4, 0, 0) * 343 - 18 * v * v
        for order, number in ((2, v), (4, mu4)):
            exact = truncated_moments(c)(order).subs(c, sp.Rational(cut)).evalf(80, maxn=400)
            assert abs(sp.Float(str(number), 60) / exact - 1) < 1e-40


@pytest.mark.parametrize("estimator", [MLE, UNB], ids=lambda e: e.name)
@pytest.mark.parametrize("changes", [{}, {"bias": 0.75}, {"start": Gaussian(1.5, 0.25)}])
def test_numbers_agree_with_symbols(estimator, changes):
    case = loop(9, estimator, 2.25, **changes)
    data = predict(case, [1, 2, 17], LINE)
    for name, (g, t) in itertools.product(LINE, enumerate([1, 2, 17])):
        exact = float(expectation(case, name, sp.Integer(t)).evalf(30))
        assert data[name].values[0, g] == pytest.approx(exact, rel=4 * EPSILON, abs=0)


def test_schedule_of_equal_sizes_is_the_constant_loop():
    constant, listed = loop(7, UNB), loop([7] * 40, UNB)
    for name in LINE:
        a, b = (central_moments(x, name, [1, 5, 40]) for x in (constant, listed))
        np.testing.assert_allclose(a, b, rtol=4 * EPSILON, atol=0)


def test_large_steps_are_matrix_powers():
    # One jump to t against every step on the way.
    for name in LINE:
        jumped = central_moments(loop(50), name, [137])[:, 0]
        walked = central_moments(loop(50), name, range(1, 138))[:, -1]
        np.testing.assert_allclose(jumped, walked, rtol=4 * EPSILON, atol=0)


@pytest.mark.parametrize("n", [2, 10**8, 2**53])
def test_no_digits_are_lost(n, monkeypatch):
    case = Loop(Gaussian(1e6, 1e-4), Replace(n), UNB, Sampler(bias=0.5), start=Gaussian(-1e6, 1e4))
    before = {name: central_moments(case, name, [1, 3, 1000]) for name in LINE}
    needed = line.needed_digits
    monkeypatch.setattr(line, "needed_digits", lambda *arguments: 2 * needed(*arguments))
    for name in LINE:
        after = central_moments(case, name, [1, 3, 1000])
        np.testing.assert_allclose(before[name], after, rtol=2 * EPSILON, atol=0)


@pytest.mark.parametrize("n", [3, 8, 1000])
@pytest.mark.parametrize("bias", [1.0, 0.7])
def test_third_and_fourth_central_moments(n, bias):
    # Cumulants of log s are t psi^(r-1)(nu/2); one fit's variance is a scaled chi-square.
    nu, t = n - 1, 6
    psi = [float(mpmath.psi(r, mpmath.mpf(nu) / 2)) for r in range(4)]
    moments = central_moments(loop(n, UNB, bias=bias), "log_variance", [t])[1:, 0]
    expected = [t * psi[1], t * psi[2], t * psi[3] + 3 * (t * psi[1]) ** 2]
    np.testing.assert_allclose(moments, expected, rtol=8 * EPSILON)
    unit = 4.0 * bias / nu
    moments = central_moments(loop(n, UNB, 4.0, bias=bias), "variance", [1])[1:, 0]
    expected = [2 * nu * unit**2, 8 * nu * unit**3, 12 * nu * (nu + 4) * unit**4]
    np.testing.assert_allclose(moments, expected, rtol=16 * EPSILON)
    # Away from the source, the mean error is normal and its square a non-central chi-square of one degree.
    start = Gaussian(0.75, 1.0)
    variance = bias / n
    moments = central_moments(loop(n, UNB, bias=bias, start=start), "mean_error_squared", [1])[:, 0]
    shift = 0.75**2 / variance
    cumulants = [2 ** (r - 1) * math.factorial(r - 1) * (1 + r * shift) * variance**r for r in range(1, 5)]
    expected = [*cumulants[:3], cumulants[3] + 3 * cumulants[1] ** 2]
    np.testing.assert_allclose(moments, expected, rtol=32 * EPSILON)


def test_leading_order_at_large_n():
    # Large n: log s is normal with variance 2t/n, so is m with t/n; two digits of 1/n decide the rest.
    n, t = 10**8, 5
    for name, variance in {"log_variance": 2 * t / n, "mean_error": t / n, "std": t / (2 * n)}.items():
        moments = central_moments(loop(n), name, [t])[:, 0]
        assert moments[1] == pytest.approx(variance, rel=10 * t / n)
        assert moments[3] == pytest.approx(3 * variance**2, rel=100 * t / n)


def test_kl_from_source_names_the_condition_that_fails():
    data = predict(loop(3), [1, 4], ["kl_from_source"])["kl_from_source"]
    assert data.attrs["status"] == "infinite"
    assert data.attrs["reason"] == "n is 3: E[1/sigma^2] is finite only for n > 3"
    assert np.isposinf(data.values).all()
    data = predict(loop([9, 3, 9]), [1, 2, 3], ["kl_from_source"])["kl_from_source"]
    assert "3 at generation 2" in data.attrs["reason"]
    assert np.isfinite(data.values[:, 0]).all()
    assert np.isposinf(data.values[:, 1:]).all()


@pytest.mark.parametrize(("n", "finite"), [(4, 1), (5, 1), (6, 2), (8, 3), (10, 4)])
def test_moments_of_kl_from_source_exist_below_half_nu(n, finite):
    moments = central_moments(loop(n), "kl_from_source", [2])[:, 0]
    assert np.isfinite(moments[:finite]).all()
    assert np.isposinf(moments[finite:]).all()


def test_truncation_says_what_it_does_not_know():
    data = predict(Loop(Gaussian(0.0, 1.0), Replace(9), MLE, Sampler(truncate=1.0)), [1, 2, 3])
    known = {name for name in LINE if data[name].attrs["status"] == "exact"}
    assert known == {
        "mean_error", "mean_error_squared", "mean_error_fourth", "variance", "variance_squared",
        "mean_variance_product",
    }  # fmt: skip
    for name in set(LINE) - known:
        assert data[name].attrs["status"] == "none"
        assert "polynomial" in data[name].attrs["reason"]
        assert np.isnan(data[name].values).all()
    # Real data are not truncated: the first generation is the plain loop's.
    plain = predict(loop(9), 1, sorted(known))
    for name in known:
        np.testing.assert_array_equal(data[name].values[:, :1], plain[name].values)


@pytest.mark.parametrize(
    "case",
    [loop(6), loop(6, UNB), loop(6, UNB, 4.0, bias=0.8), loop(6, MLE, bias=1.4), loop(9, truncate=1.5)],
    ids=["mle", "unbiased", "shrunk", "exploding", "truncated"],
)
def test_limits_are_approached(case):
    far = predict(case, [4000, 16000], LINE)
    last = limits(case, LINE)
    for name in LINE:
        if last[name].status == "none":
            continue
        for row, limit in enumerate((last[name].mean[0], last[name].variance[0])):
            near, further = far[name].values[row]
            if math.isinf(limit):
                assert further == limit or (abs(further) > abs(near) and (further > 0) == (limit > 0))
            else:
                assert further == pytest.approx(limit, rel=1e-12, abs=1e-100)


def test_limits_in_closed_form():
    at_infinity = predict(loop(7, MLE, 4.0), math.inf, LINE)
    values = {name: at_infinity[name].values[0, 0] for name in LINE}
    assert values["mean_error_squared"] == 4.0
    assert values["mean_error_fourth"] == (6 * 7 - 3) * 16.0
    assert values["w2_squared"] == 8.0
    assert values["log_variance"] == -math.inf
    assert values["variance"] == values["std"] == 0
    shrunk = predict(loop(6, UNB, bias=0.8), math.inf, ["mean_error_squared"])
    assert shrunk["mean_error_squared"].values[0, 0] == pytest.approx(0.8 / (6 * 0.2), rel=4 * EPSILON)


def test_almost_sure_limits_where_they_differ():
    collapse = predict(loop(6, UNB, bias=1.15), math.inf)  # below 1.2376, above 1: E s grows, s vanishes
    assert collapse["variance"].values[0, 0] == math.inf
    assert collapse["variance"].attrs["almost_surely"] == 0
    explosion = predict(loop(6, UNB, bias=1.3), math.inf)
    assert explosion["log_variance"].values[0, 0] == math.inf
    assert "almost_surely" not in explosion["variance"].attrs
    assert "almost_surely" not in predict(loop(6), math.inf)["w2_squared"].attrs


def test_a_constant_expression_is_a_constant():
    case, plain = loop("10 ** 2"), loop(100)
    for name in LINE:
        a, b = (predict(x, [3, math.inf], [name])[name].values for x in (case, plain))
        np.testing.assert_array_equal(a, b)


EXTREMES = [
    Loop(Gaussian(1e300, 1e-300), Replace(5), start=Gaussian(-1e300, 1e300)),
    Loop(Gaussian(0.0, 5e-324), Replace(5), start=Gaussian(1e308, 1e308)),
    Loop(Gaussian(0.0, 1.0), Replace(2**53), sampler=Sampler(bias=1e-300)),
    Loop(Gaussian(0.0, 1e300), Replace(2)),
]


@pytest.mark.parametrize("case", EXTREMES)
def test_extremes_are_numbers(case):
    data = predict(case, [1, 40, 100_000, math.inf], LINE)
    for name in LINE:
        assert not np.isnan(data[name].values).any()


def test_truncation_at_the_ends():
    nothing = Loop(Gaussian(0.0, 1.0), Replace(9), MLE, Sampler(truncate=1e300))
    everything = Loop(Gaussian(0.0, 1.0), Replace(9), MLE, Sampler(truncate=1e-200))
    assert value(nothing, "variance", 4) == value(loop(9), "variance", 4)
    assert value(everything, "variance", 2) == 0  # underflows: (8/9)^2 1e-400 / 3
    assert value(everything, "mean_error_squared", 2) == value(loop(9), "mean_error_squared", 1)


def test_growing_loops_come_with_their_threshold():
    growing = predict(loop(6, UNB, bias=1.15), 5, ["variance"]).attrs["threshold"]
    assert "bounded only for lambda <= 1;" in growing
    assert "lambda < 1.23755" in growing
    assert "threshold" not in predict(loop(6, UNB), 5, ["variance"]).attrs
    assert "threshold" not in predict(loop(6, UNB, bias=0.8), 5, ["variance"]).attrs
    assert "threshold" in predict(loop(6, MLE, bias=1.21), 5, ["variance"]).attrs


def test_schedules_have_a_limit_only_as_expressions():
    with pytest.raises(LoopError, match="a list of sample sizes ends"):
        predict(loop([5, 6]), math.inf)
    squares = predict(loop("4 * t ** 2"), [200, math.inf], ["variance", "mean_variance_product"])
    assert squares["variance"].values[0, 1] == pytest.approx(2 / math.pi)  # sin(x)/x, x = pi/2 (R13)
    assert squares["variance"].values[0, 0] == pytest.approx(0.637414, abs=5e-7)


@pytest.mark.parametrize(
    ("subject", "names"),
    [
        (
            Loop(Gaussian(0.0, 1e300), Replace(10), MLE),
            {"mean_error_fourth", "variance_squared", "mean_variance_product"},
        ),
        (
            Loop(Gaussian([0.0, 0.0], 1e300), Replace(10), MLE),
            {"mean_error_fourth", "trace_of_square", "square_of_trace"},
        ),
    ],
)
def test_what_no_float_can_hold_is_not_called_exact(subject, names):
    data = predict(subject, 3, set(LINE if subject.source.is_scalar else SPACE) - {"log_pseudo_det"})
    for name, variable in data.data_vars.items():
        assert (variable.attrs["status"] == "infinite") == (name in names), name
        assert np.isinf(variable.values[0]).any() == (name in names), name
        assert not np.isnan(variable.values[0]).any() or "reason" in variable.attrs, name
        if name in names:
            assert "largest float" in variable.attrs["reason"]


def test_a_limit_no_float_can_hold_is_not_called_exact():
    limit = predict(Loop(Gaussian(0.0, 1e300), Replace(10), MLE), math.inf, ["mean_error_fourth"])
    assert limit["mean_error_fourth"].attrs["status"] == "infinite"
    truly = predict(Loop(Gaussian(0.0, 1e300), Replace(10), UNB), math.inf, ["mean_error_fourth"])
    assert truly["mean_error_fourth"].attrs["status"] == "exact"
    assert truly["mean_error_fourth"].values[0] == math.inf


@pytest.mark.parametrize("generations", [0, -1, 2.5, [], [3, 3], [5, 2], math.nan])
def test_generations_are_whole_and_increase(generations):
    with pytest.raises(LoopError, match="generation"):
        predict(loop(5), generations)


def test_refusals():
    with pytest.raises(LoopError, match="not measured on this loop"):
        predict(loop(5), 1, ["trace"])
    with pytest.raises(LoopError, match="the list ends before generation 3"):
        predict(loop([5, 6]), 3)
    with pytest.raises(LoopError, match="numbers are needed"):
        predict(loop(sp.Symbol("n")), 3)
    with pytest.raises(LoopError, match="put the Gaussian"):
        predict(Loop(Images("digits"), Replace(5)), 3)


def test_the_data_set():
    data = predict(loop(10), [1, 5], None)
    assert set(data.data_vars) == {*LINE, "half_life"}
    assert data["variance"].dims == ("statistic", "generation")
    assert data["half_life"].dims == ("statistic",)
    assert data["generation"].dtype == float
    assert list(data["statistic"].values) == ["mean", "variance"]


positive = st.floats(1e-6, 1e6)
models = st.builds(Gaussian, st.floats(-1e6, 1e6), positive)
sizes = st.integers(2, 10**9)


@settings(max_examples=60, deadline=None)
@given(
    source=models,
    start=st.none() | models,
    n=sizes | st.lists(sizes, min_size=40, max_size=40),
    estimator=st.sampled_from([MLE, UNB]),
    bias=st.one_of(st.just(1.0), st.floats(1e-3, 10.0)),
    first=st.booleans(),
    t=st.integers(1, 40),
)
def test_every_number_is_a_number(source, start, n, estimator, bias, first, t):
    case = Loop(source, Replace(n), estimator, Sampler(bias=bias, applies_to_source=first), start)
    wanted = [t, math.inf] if isinstance(n, int) else [t]
    data = predict(case, wanted, LINE)
    for name in LINE:
        mean, variance = data[name].values
        assert not np.isnan(mean).any(), name
        assert (variance >= 0).all(), name
        assert name in ("mean_error", "log_variance") or (mean >= 0).all(), name


def test_every_prediction_names_a_claim():
    known = {(claim.id, claim.observable) for claim in CLAIMS}
    samplers = (Sampler(), Sampler(bias=0.5), Sampler(temperature=2.0), Sampler(truncate=1.0))
    for sampler in samplers:
        data = predict(Loop(Gaussian(0.0, 1.0), Replace(9), MLE, sampler), 3)
        for name, variable in data.data_vars.items():
            if variable.attrs["status"] != "none":
                assert (variable.attrs["claim"], name) in known


def test_cases_of_claims_are_numbers_the_theory_knows():
    assert len({(claim.id, claim.observable) for claim in GAUSSIAN_LINE}) == len(GAUSSIAN_LINE)
    for claim in GAUSSIAN_LINE:
        assert any(case.quick for case in claim.cases)
        for case in claim.cases:
            moments = central_moments(case.loop, claim.observable, case.generations)
            assert np.isfinite(moments).all(), (claim.id, claim.observable)


def test_decimals_stay_in_their_context():
    before = Decimal(1) / 3
    statistics(loop(10**8), LINE, [3])
    assert Decimal(1) / 3 == before


def test_predict_does_not_import_sympy():
    script = (
        "import sys; from theory.loop import *; from theory.predict import predict; from theory.observable"
        " import LINE; predict(Loop(Gaussian(0.0, 1.0), Replace(100)), [1, float('inf')], LINE);"
        " sys.exit('sympy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
