"""The words of a selection and their refusals, the law of a selected point, detectors and corrections."""

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from literal_selection import chosen
from scipy import integrate, stats

from jaxsim.agreement import Sample, Theory, agree, replicates_for
from theory.loop import Gaussian, LoopError, Replace
from theory.meal import Mixed, Real
from theory.meal import Sample as Draw
from theory.policy import Accumulate, Fixed, Fresh, Memory, Web
from theory.provenance import rational, second_moments
from theory.recipe import recipe
from theory.recipes.affine_step import affine_step
from theory.selected.law import (
    BEST_OF_THREE,
    BEST_OF_TWO,
    central,
    preference_shift,
    selected_moments,
    selected_points,
    top,
    top_higher,
)
from theory.selected.recipe import corrected, detected
from theory.selected.replace import fit_constants
from theory.selection import (
    RULES,
    BestOf,
    BradleyTerry,
    Correction,
    Detector,
    Tilt,
    TopFraction,
    Verifier,
    check_dimension,
)

ROUNDING = 1e-12


# Words


@pytest.mark.parametrize(
    ("key", "make"),
    [
        ("fraction", lambda: TopFraction(0.0, "linear")),
        ("fraction", lambda: TopFraction(1.5, "linear")),
        ("fraction", lambda: TopFraction("half", "linear")),
        ("score", lambda: TopFraction(0.5, "best")),
        ("direction", lambda: TopFraction(0.5, "typicality", direction=1.0)),
        ("direction", lambda: TopFraction(0.5, "linear", direction=[0.0, 0.0])),
        ("threshold", lambda: TopFraction(0.5, "linear", threshold="batch")),
        ("applies_to_source", lambda: TopFraction(0.5, "linear", applies_to_source=1)),
        ("candidates", lambda: BestOf(0)),
        ("candidates", lambda: BestOf(2.5)),
        ("strength", lambda: BradleyTerry(2, -1.0)),
        ("candidates", lambda: BradleyTerry(0, 1.0)),
        ("reward", lambda: Tilt("cubic", 1.0)),
        ("centre", lambda: Tilt("quadratic", 1.0)),
        ("centre", lambda: Tilt("linear", 1.0, centre=0.0)),
        ("direction", lambda: Tilt("quadratic", 1.0, centre=0.0, direction=1.0)),
        ("true_positive", lambda: Detector(1.2, 0.1)),
        ("false_positive", lambda: Detector(0.2, -0.1)),
        ("true_positive", lambda: Detector(0.0, 0.0)),
        ("radius", lambda: Verifier(0.0, 0.0)),
        ("gamma", lambda: Correction(-0.5)),
        ("gamma", lambda: Correction(math.inf)),
    ],
)
def test_what_makes_no_sense_is_refused(key, make):
    with pytest.raises(LoopError) as refusal:
        make()
    assert refusal.value.key == key
    assert str(refusal.value)


def test_rules_and_defaults():
    assert list(RULES) == [
        "top-fraction", "best-of", "bradley-terry", "tilt", "detector", "verifier", "correction",
    ]  # fmt: skip
    rule = TopFraction(0.5, "linear")
    assert (rule.direction, rule.threshold, rule.applies_to_source) == (1.0, "population", False)
    assert not any(getattr(part, "applies_to_source", False) for part in RULES.values())
    assert hash(TopFraction(0.5, "linear", direction=[1, 2])) == hash(
        TopFraction(0.5, "linear", direction=(1, 2))
    )


def test_directions_fit_the_source():
    line, plane = Gaussian(0.0, 1.0), Gaussian((0.0, 0.0), 1.0)
    check_dimension(TopFraction(0.5, "linear", direction=[1, 0]), plane)
    check_dimension(TopFraction(0.5, "typicality"), plane)
    check_dimension(Verifier(0.5, 1.0), line)
    for rule, source in [
        (TopFraction(0.5, "linear"), plane),
        (BestOf(2, direction=[1.0]), line),
        (Tilt("linear", 1.0, direction=[1, 2, 3]), plane),
        (Verifier([0.0, 0.0], 1.0), line),
    ]:
        with pytest.raises(LoopError):
            check_dimension(rule, source)


# The law of one point

LAWS = [
    (TopFraction(0.6, "linear"), lambda z: (z > stats.norm.ppf(0.4)) / 0.6),
    (TopFraction(0.1, "linear", direction=-2.0), lambda z: (z < stats.norm.ppf(0.1)) / 0.1),
    (TopFraction(0.7, "typicality"), lambda z: (abs(z) < stats.norm.ppf(0.85)) / 0.7),
    (BestOf(5), lambda z: 5 * stats.norm.cdf(z) ** 4),
    (BestOf(3, "typicality"), lambda z: 3 * (2 * stats.norm.sf(abs(z))) ** 2),
    (BestOf(1), lambda z: 1.0),
    (Verifier(0.5, 1.2), lambda z: float(abs(0.3 + 2 * z - 0.5) <= 1.2)),
    (Tilt("linear", 0.7), lambda z: math.exp(0.7 * 2 * z)),
    (Tilt("quadratic", 0.7, centre=1.0), lambda z: math.exp(-0.35 * (0.3 + 2 * z - 1) ** 2)),
    (
        TopFraction(0.5, "linear", threshold="pool"),
        lambda z: sum(stats.binom.pmf(k, 7, stats.norm.sf(z)) for k in range(4)) * 2,
    ),
]


@pytest.mark.parametrize(("rule", "weight"), LAWS, ids=lambda x: getattr(x, "rule", ""))
def test_moments_by_quadrature(rule, weight):
    """Against adaptive quadrature of the weight as it is worded."""
    breaks = [stats.norm.ppf(p) for p in (0.1, 0.15, 0.4, 0.6, 0.85, 0.9)] + [0.0, -0.5, 0.7]

    def integral(f):
        found = integrate.quad(
            lambda z: f(z) * weight(z) * stats.norm.pdf(z),
            -9, 9, points=breaks, epsabs=1e-13, limit=400,
        )  # fmt: skip
        return found[0]

    mass = integral(lambda z: 1.0)
    mean = integral(lambda z: z) / mass
    expected = [mean, *(integral(lambda z, k=k: (z - mean) ** k) / mass for k in (2, 3, 4))]
    moments = selected_moments(rule, mean=0.3, variance=4.0, n=4)
    assert moments == pytest.approx(expected, abs=1e-9)  # quad's own error where the weight jumps
    points = selected_points(rule, mean=0.3, variance=4.0, n=4)
    assert points.probability.sum() == pytest.approx(1, abs=ROUNDING)


def test_truncated_moments_proved():
    """F_k = q E z^k obeys F_k' = -al^k phi and F_k -> 0; the central moments follow by expansion."""
    al, h = sp.symbols("alpha h", real=True)
    phi = sp.exp(-(al**2) / 2) / sp.sqrt(2 * sp.pi)
    q = sp.erfc(al / sp.sqrt(2)) / 2
    raw = [q, phi, q + al * phi, (al**2 + 2) * phi, 3 * q + (al**3 + 3 * al) * phi]
    for k, moment in enumerate(raw):
        assert sp.simplify(sp.diff(moment, al) + al**k * phi) == 0
        assert sp.limit(moment, al, sp.oo) == 0
    scaled = [sp.expand(moment / q).subs(phi / q, h) for moment in raw]
    E = [1, h, 1 + al * h, (al**2 + 2) * h, 3 + (al**3 + 3 * al) * h]
    for derived, stated in zip(scaled, E, strict=True):
        assert sp.simplify(derived.subs(h, phi / q) - sp.sympify(stated).subs(h, phi / q)) == 0
    central_moment = [
        sp.expand(sum(sp.binomial(k, j) * E[j] * (-h) ** (k - j) for j in range(k + 1))) for k in (2, 3, 4)
    ]
    third = h * (2 * h**2 - 3 * al * h + al**2 - 1)
    fourth = 3 + al * h * (3 + al**2) - h**2 * (2 + 4 * al**2) + 6 * al * h**3 - 3 * h**4
    assert [sp.expand(x) for x in (1 + al * h - h**2, third, fourth)] == central_moment


@pytest.mark.parametrize("q", [0.05, 0.5, 0.9, 1.0])
def test_closed_moments(q):
    closed = (*top(q), *top_higher(q))
    assert closed == pytest.approx(tuple(selected_moments(TopFraction(q, "linear"))), abs=1e-11)
    assert central(q) == pytest.approx(selected_moments(TopFraction(q, "typicality")).variance, rel=1e-10)


def test_printed_constants():
    assert top(0.5) == pytest.approx((0.797885, 0.363380), abs=1e-6)
    assert central(0.9) == pytest.approx(0.623015, abs=1e-6)
    assert preference_shift(3.0, 0.5) == pytest.approx(0.344514, abs=1e-6)
    assert preference_shift(0.7, 1.0) == pytest.approx(0.290147, abs=1e-6)
    for K, closed in ((2, BEST_OF_TWO), (3, BEST_OF_THREE)):
        assert selected_moments(BestOf(K))[:2] == pytest.approx(closed, abs=ROUNDING)


def test_a_preference_keeps_the_second_moment():
    """C12: variance s - h^2, from the Gumbel representation and from the tanh."""
    for strength, variance in ((0.7, 1.0), (3.0, 0.5), (20.0, 1.0)):
        moments = selected_moments(BradleyTerry(2, strength), variance=variance)
        h = preference_shift(strength, variance) / math.sqrt(variance)
        assert moments[:2] == pytest.approx((h, 1 - h * h), abs=1e-11)


def test_preferences_reach_from_nothing_to_the_best():
    """Strength 0 selects nothing, a large one the best of K, many candidates a tilt with error 1/K."""
    assert selected_moments(BradleyTerry(4, 0.0)) == pytest.approx((0, 1, 0, 3), abs=ROUNDING)
    best = np.array(selected_moments(BestOf(3)))
    errors = [np.abs(selected_moments(BradleyTerry(3, b)) - best).max() for b in (10.0, 20.0, 40.0)]
    assert errors[1] < errors[0] / 3
    assert errors[2] < errors[1] / 3
    tilt = np.array(selected_moments(Tilt("linear", 0.5)))
    errors = [np.abs(selected_moments(BradleyTerry(K, 0.5)) - tilt).max() for K in (40, 80, 160)]
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.05)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.025)


def test_a_pool_of_two_is_the_best_of_two():
    pool = TopFraction(0.5, "linear", threshold="pool")
    assert selected_moments(pool, n=1) == pytest.approx(tuple(selected_moments(BestOf(2))), abs=ROUNDING)
    three_of_four = TopFraction(0.75, "linear", threshold="pool")
    expected = selected_moments(BestOf(4)).mean / 3  # all four sum to 0, the least is minus the largest
    assert selected_moments(three_of_four, n=3).mean == pytest.approx(expected, abs=ROUNDING)
    with pytest.raises(LoopError):
        selected_moments(pool)
    with pytest.raises(LoopError):
        selected_moments(Correction(0.5))


@pytest.mark.parametrize("d", [1, 2, 5])
def test_typicality_in_space(d):
    """Against the incomplete moment of the radius, and of the nearest of K."""
    q, K = 0.4, 3
    cut = stats.chi2.ppf(q, d)
    inner = integrate.quad(lambda x: x * stats.chi2.pdf(x, d), 0, cut, epsabs=1e-13)[0]
    assert central(q, d) == pytest.approx(inner / q / d, rel=1e-8)
    nearest = integrate.quad(lambda r: stats.chi.sf(r, d) ** K * 2 * r, 0, 12, epsabs=1e-13)[0]
    assert fit_constants(BestOf(K, "typicality"), 5, d)[1] == pytest.approx(nearest / d, rel=1e-10)


DRAWN = [
    TopFraction(0.3, "linear", direction=-1.0),
    TopFraction(0.5, "linear", threshold="pool"),
    TopFraction(0.6, "typicality"),
    BestOf(4, "typicality"),
    BradleyTerry(3, 1.2),
    Tilt("quadratic", 0.8, centre=0.5),
    Verifier(0.5, 1.0),
]


@pytest.mark.parametrize("rule", DRAWN, ids=lambda rule: rule.rule)
def test_points_drawn_literally(rule):
    """One kept point of each of many draws of four; a tenth of a standard deviation would be seen."""
    mean, variance, resolution = 0.3, 2.0, 0.1
    moments = selected_moments(rule, mean=mean, variance=variance, n=4)
    count = int(np.max(replicates_for(Theory(*moments), resolution, 2)))
    rng = np.random.default_rng(20)
    x = chosen(rng, rule, np.full(count, mean), np.full(count, variance), 4)
    z = (rng.permuted(x, axis=1)[:, 0] - mean) / math.sqrt(variance)
    assert agree(Sample.of(z), Theory(*moments)).holds
    wrong = moments._replace(mean=moments.mean + resolution * math.sqrt(moments.variance))
    assert agree(Sample.of(z), Theory(*wrong)).disagrees


# Recipes


def test_a_detector_leaves_an_iid_composition():
    """C10: a' = a tau / (a tau + b f), whether the raw composition was stratified or iid."""
    for composition in ("stratified", "iid"):
        made = detected(recipe(Fresh(2, 8, composition)), Detector(0.9, 0.3))
        (portion,) = made.at(3).eats
        assert isinstance(portion, Mixed)
        assert portion.n == 10
        assert portion.real_share == Fraction(3, 7)
    (first,) = made.at(1).eats
    assert first.n == 10
    fair = second_moments(detected(recipe(Fresh(2, 8, "iid")), Detector(0.5, 0.5)), 5, number=rational)
    assert fair == second_moments(recipe(Fresh(2, 8, "iid")), 5, number=rational)
    (inflow,) = detected(recipe(Web(5, 1, 3)), Detector(0.9, 0.3)).at(4).adds
    assert (inflow.n, inflow.real_share) == (4, Fraction(1, 2))


def test_a_detector_does_nothing_to_points_of_one_kind():
    for policy in (Replace(5), Accumulate(4)):
        made = detected(recipe(policy), Detector(0.9, 0.3))
        for t in (1, 2, 6):
            assert made.at(t) == recipe(policy).at(t)
        with pytest.raises(LoopError):
            detected(recipe(policy), Detector(0.9, 0.0)).at(2)
    for policy in (Fixed(3, 4), Memory(2, 2, 2), Fresh(3, 4, weight=0.5)):
        with pytest.raises(LoopError):
            detected(recipe(policy), Detector(0.9, 0.3)).at(4)


def test_a_correction_mixes_the_source_in():
    """C11: b' = b / (1 + gamma); under `replace` and `fresh` iid that is X3 with b'."""
    gamma = Fraction(1, 2)
    (portion,) = corrected(recipe(Replace(8)), Correction(0.5)).at(2).eats
    assert portion == Mixed(8, Fraction(1, 3), 1)
    assert corrected(recipe(Replace(8)), Correction(0.5)).at(1) == recipe(Replace(8)).at(1)
    (portion,) = corrected(recipe(Fresh(2, 6, "iid")), Correction(0.5)).at(2).eats
    assert 1 - portion.real_share == Fraction(3, 4) / (1 + gamma)
    fixed = corrected(recipe(Fixed(3, 4)), Correction(1.0)).at(2).eats
    assert fixed[1] == Mixed(4, Fraction(1, 2), 1)
    stored = corrected(recipe(Accumulate(4)), Correction(1.0)).at(2)
    assert isinstance(stored.adds[0], Mixed)
    assert corrected(recipe(Fresh(2, 6)), Correction(0.0)).at(4).eats == (Real(2), Draw(6, 3))


@pytest.mark.parametrize("policy", [Replace(6), Fresh(2, 5), Fixed(3, 4), Accumulate(3), Memory(1, 2, 3)])
def test_a_correction_conserves_the_predictive_second_moment(policy):
    """P0, which knows nothing of which points are real."""
    for (fit,) in second_moments(corrected(recipe(policy), Correction(0.7)), 6, number=rational):
        assert fit.variance + fit.mean_square == 1


def test_stationary_values_of_mitigated_loops():
    """The printed N = 8, a = .2 is no whole number of real points: the formula has its value."""
    share = Fraction(3, 7)
    made = detected(recipe(Fresh(2, 8, "iid")), Detector(0.9, 0.3))
    (fit,) = affine_step(made, number=rational).stationary()
    b = 1 - share
    assert fit.mean_square == 1 / (10 * (1 - b**2) + b**2)
    assert 1 / (8 * (1 - b**2) + b**2) == Fraction(7, 40)
    (fit,) = affine_step(corrected(recipe(Replace(8)), Correction(0.5)), number=rational).stationary()
    assert fit.mean_square == 1 / (8 * (1 - Fraction(4, 9)) + Fraction(4, 9))
