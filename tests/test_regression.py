"""Regression on its own labels: algebra, enumeration in rationals, and second derivations."""

from fractions import Fraction
from itertools import product
from math import inf, pi

import numpy as np
import pytest
import sympy as sp

from theory.linear import Final, LeastSquares, Linear, Ridge
from theory.loop import Loop, LoopError, Replace, Sampler
from theory.policy import Accumulate, Fresh
from theory.regression import statements as stated
from theory.regression.chain import optimal_weight
from theory.regression.design import Design, least_squares, marchenko_pastur, ridge
from theory.regression.pooled import blend, iid_blend, strong_collapse
from theory.regression.risk import log_noise_variance, noise_variance, risk
from theory.regression.risk_variance import fourth
from theory.regression.same_covariates import begun
from theory.regression.same_covariates import fitted as same_fitted
from theory.regression.same_covariates import risk as same_risk
from theory.regression.statements import ETA, GAIN, NOISE, SQUARE, TAU, B, D, G, N, P, T, W
from theory.regression.step import State, fitted, mixed_noise
from theory.wishart.inverse import pairing

ROUNDING = 1e-12


PLAIN = LeastSquares()


def means(source, data, estimator=PLAIN, generations=(1,), **parts):
    return risk(Loop(source, data, estimator, **parts), generations).mean


def close(left, right):
    assert np.allclose(left, right, rtol=ROUNDING, atol=0)


# The statements, proved from the recursion


def test_the_recursion_gives_replace():
    one = sp.Integer(1)
    growth = stated.solution(one, one, NOISE * D / (N - D - 1), one)
    assert sp.simplify(growth - stated.replace()) == 0
    assert sp.simplify(stated.solution(G, G, TAU, one) - stated.minimum_norm()) == 0
    assert sp.simplify(stated.solution(GAIN, SQUARE, NOISE * ETA, one) - stated.ridge()) == 0


def test_the_recursion_rests_at_mixed_labels():
    forcing = TAU * (W**2 + (1 - W) ** 2)
    for square, bias, found in ((1, 0, stated.mixed()), (G, (1 - G) * B, stated.minimum_norm_mixed())):
        assert sp.simplify(square * (1 - W) ** 2 * found + bias + forcing - found) == 0


def test_optimal_weights_are_stationary_points():
    golden = (sp.sqrt(5) - 1) / 2
    assert sp.simplify(sp.diff(stated.mixed(), W).subs(W, golden)) == 0
    assert sp.simplify(stated.mixed().subs(W, golden) / TAU - golden) == 0
    slope = sp.numer(sp.together(sp.diff(stated.minimum_norm_mixed(), W)))
    assert sp.simplify(sp.expand(slope.subs(W, stated.minimum_norm_weight()))) == 0
    assert sp.limit(stated.minimum_norm_weight().subs(B, 0), G, 1) == sp.simplify(golden)


def test_accumulate_on_fresh_covariates_telescopes():
    """L3: psi(x + 1) - psi(x) = 1 / x twice; nothing is summed by SymPy."""
    x = (D + 1) / N
    step = stated.accumulate_fresh() - stated.accumulate_fresh().subs(T, T - 1)
    forward = {
        sp.digamma(T + 1 - x): sp.digamma(T - x) + 1 / (T - x),
        sp.digamma(T + 1): sp.digamma(T) + 1 / T,
    }
    assert sp.simplify(step.subs(forward) - stated.accumulate_term()) == 0
    assert sp.simplify(stated.accumulate_fresh().subs(T, 0).subs(sp.digamma(1), -sp.EulerGamma)) == 0
    tail = sp.digamma(T + 1 - x) - sp.digamma(T + 1)
    rest = stated.accumulate_fresh() - stated.accumulate_fresh_limit() - NOISE * D / (D + 1) * tail
    assert sp.simplify(rest) == 0  # and the tail is O(1 / t)


def test_fitted_noise_saturates():
    """L4: R gains eta sigma_{t-1}^2, a geometric sum."""
    gain = stated.refitted() - stated.refitted().subs(T, T - 1)
    r = sp.Symbol("r", positive=True)  # 1 - d / n
    rest = gain - stated.refitted_noise().subs(T, T - 1) * D / (N - D - 1)
    assert sp.simplify(sp.expand_power_exp(rest.subs(D, N * (1 - r)))) == 0
    assert stated.refitted().subs(T, 0) == 0


def test_strong_collapse_is_the_expansion_of_the_exact_share():
    """L10, its order, and the next term: p_1 p_2 (d^2 - 5) / n^2."""
    h = sp.Symbol("h", positive=True)
    series = sp.series(stated.shifted().subs(N, 1 / h), h, 0, 3).removeO()
    rest = series - stated.shifted_expansion().subs(N, 1 / h)
    assert sp.expand(rest - P * (1 - P) * (D**2 - 5) * h**2) == 0


@pytest.mark.parametrize(("n", "d"), [(12, 3), (20, 3), (9, 5), (7, 1)])
def test_numbers_are_the_statements(n, d):
    tau = sp.Rational(7, 10) * d / (n - d - 1)
    at = {
        N: n,
        D: d,
        TAU: tau,
        NOISE: sp.Rational(7, 10),
        stated.SIGMA: sp.sqrt(sp.Rational(7, 10)),
    }
    times = (1, 2, 5)
    values = lambda form: [float(form.subs(at).subs(T, t)) for t in times]  # noqa: E731
    source = Linear(d, 0.7, 2.0)
    refit = LeastSquares("maximum-likelihood")
    close(means(source, Replace(n), generations=times), values(stated.replace()))
    close(means(source, Accumulate(n), generations=times), values(stated.accumulate_fresh()))
    close(means(source, Replace(n), refit, times), values(stated.refitted()))
    same = Linear(d, 0.7, 2.0, "same")
    close(means(same, Accumulate(n), generations=times), values(stated.accumulate_same()))
    limits = means(source, Accumulate(n), generations=(inf,)), means(same, Accumulate(n), generations=(inf,))
    close(limits, [[float(stated.accumulate_fresh_limit().subs(at))], [float(tau) * pi**2 / 6]])


# Small designs enumerated in rationals: the recursion without any law


CROSS = ((1, 0), (0, 1), (1, 1), (1, -1))  # with signs, invariant under the symmetries of the square


def solved(matrix, vector):
    (a, b), (_, c) = matrix
    determinant = a * c - b * b
    return (c * vector[0] - b * vector[1]) / determinant, (a * vector[1] - b * vector[0]) / determinant


def ridge_fit(x, y, kappa):
    n = len(x)
    gram = [[sum(r[i] * r[j] for r in x) + (n * kappa if i == j else 0) for j in (0, 1)] for i in (0, 1)]
    return solved(gram, [sum(r[i] * label for r, label in zip(x, y, strict=True)) for i in (0, 1)])


def enumerated_design(kappa):
    """The design of ridge on two of CROSS, by the traces of A, A^2 and H."""
    gains, noises = [], []
    for x in product(CROSS, repeat=2):
        s = sp.Matrix([[sum(r[i] * r[j] for r in x) for j in (0, 1)] for i in (0, 1)])
        inverse = (s + 2 * kappa * sp.eye(2)).inv()
        a = inverse * s
        gains.append((a.trace(), (a * a).trace()))
        noises.append((inverse * inverse * s).trace())
    mean = lambda values: sum(values, sp.Integer(0)) / len(noises)  # noqa: E731
    return mean([g[0] for g in gains]) / 2, mean([g[1] for g in gains]) / 2, mean(noises)


class Constants:
    """A design by its three numbers."""

    def __init__(self, gain, square, noise):
        self.gain, self.square, self.noise = (Fraction(int(x.p), int(x.q)) for x in (gain, square, noise))


@pytest.mark.parametrize("weight", [Fraction(0), Fraction(1, 3)])
def test_ridge_on_enumerated_designs(weight):
    """L8 without a law: every design, every sign of every label's noise, two generations."""
    kappa, truth = Fraction(1, 2), (Fraction(1), Fraction(2))
    signs = list(product((-1, 1), repeat=2 if weight == 0 else 4))
    models = {truth: Fraction(1)}
    design, state = Constants(*enumerated_design(sp.Rational(1, 2))), State(Fraction(0), Fraction(0), 1)
    for _ in range(2):
        fits: dict[tuple, Fraction] = {}
        for w, chance in models.items():
            aim = [weight * truth[i] + (1 - weight) * w[i] for i in (0, 1)]
            for x in product(CROSS, repeat=2):
                for e in signs:
                    noise = e if weight == 0 else [weight * e[i] + (1 - weight) * e[i + 2] for i in (0, 1)]
                    y = [r[0] * aim[0] + r[1] * aim[1] + noise[i] for i, r in enumerate(x)]
                    fit = ridge_fit(x, y, kappa)
                    fits[fit] = fits.get(fit, Fraction(0)) + chance / (16 * len(signs))
        models = fits
        state = fitted(state, design, 1 - weight, mixed_noise(weight, 1, 1), sum(v * v for v in truth))
        errors = {w: [w[i] - truth[i] for i in (0, 1)] for w in models}
        assert state.risk == sum(p * sum(e * e for e in errors[w]) for w, p in models.items())
        overlap = sum(
            p * sum(e * v for e, v in zip(errors[w], truth, strict=True)) for w, p in models.items()
        )
        assert state.overlap == overlap


def test_accumulate_on_enumerated_designs():
    """L3 without a law: the new batch is an i-th of the pool because batches are exchangeable."""
    outcomes, stated_risk = [(Fraction(1), Fraction(0), Fraction(0))], Fraction(0)  # chance, Gram, error
    for t in range(1, 4):
        found: dict[tuple, Fraction] = {}
        for chance, gram, error in outcomes:
            for x in product((1, 2), repeat=2):
                for e in product((-1, 1), repeat=2):
                    new = gram + sum(v * v for v in x)
                    response = gram * error + sum(v * (v * error + s) for v, s in zip(x, e, strict=True))
                    key = new, response / new
                    found[key] = found.get(key, Fraction(0)) + chance / 16
        outcomes = [(chance, *key) for key, chance in found.items()]
        stated_risk += sum(chance / gram for chance, gram, _ in outcomes) / t
        assert stated_risk == sum(chance * error**2 for chance, _, error in outcomes)


@pytest.mark.parametrize("policy", ["replace", "accumulate", "mixed"])
@pytest.mark.parametrize("kappa", [0.0, 0.4])
def test_same_covariates_by_matrices(policy, kappa):
    """L2, L5, L8: given X, mean and covariance of w as matrices, a few X."""
    designs = [np.random.default_rng(i).normal(size=(4, 3)) for i in range(3)]
    truth, noise, weight, generations = np.array([1.0, -2.0, 0.5]), 0.7, 0.3, 4
    for x in designs:
        # A signal that is equally strong in every direction of X has the risk of a uniform one
        gram = x.T @ x
        values, vectors = np.linalg.eigh(gram)
        aligned = vectors @ (np.ones(3) * np.sqrt(truth @ truth / 3))
        inverse = np.linalg.inv(gram + 4 * kappa * np.eye(3))
        a, h = inverse @ gram, inverse @ gram @ inverse
        label_means, spread = [], np.zeros((3, 3))
        mean = aligned.copy()
        gains, noises = values / (values + 4 * kappa), values / (values + 4 * kappa) ** 2
        design = Design(3, np.ones(3), gains, noises)
        now = begun(design, noise, 0.0)
        for t in range(1, generations + 1):
            if policy == "replace":
                mean, spread = a @ mean, a @ spread @ a.T + noise * h
                now = same_fitted(now, gains, 0.0, noise)
            elif policy == "mixed":
                step = (1 - weight) * a
                mean = a @ (weight * aligned) + step @ mean
                spread = step @ spread @ step.T + (weight**2 + (1 - weight) ** 2) * noise * h
                now = same_fitted(
                    now, gains * (1 - weight), gains * weight, mixed_noise(weight, noise, noise)
                )
            else:
                # Every batch's labels are kept: w_t = (1/t) sum of one-batch fits, joint with the past
                label_means.append(mean)
                mean = a @ np.mean(label_means, axis=0)
                spread = accumulated(a, h * noise, t)
                now = same_fitted(now, 1 - 1 / t + gains / t, 0.0, noise / t**2)
            error = mean - aligned
            close(same_risk(design, now, truth @ truth), error @ error + np.trace(spread))


def accumulated(a, one, generations):
    """Cov w_t when w_t is the mean over j <= t of a w_{j-1} + e_j, Cov e_j = one: by every e's weight."""
    weights = []  # of w_t: e_j -> matrix
    for t in range(1, generations + 1):
        new = [np.zeros_like(a) for _ in range(t)]
        for j in range(t):
            new[j] = new[j] + np.eye(len(a)) / t
            for k, w in enumerate(weights[j - 1] if j else []):
                new[k] = new[k] + a @ w / t
        weights.append(new)
    root = np.linalg.cholesky(one)
    return sum(w @ root @ root.T @ w.T for w in weights[-1])


@pytest.mark.parametrize("estimator", ["maximum-likelihood", "unbiased"])
@pytest.mark.parametrize("accumulate", [False, True])
def test_fitted_noise_on_enumerated_signs(estimator, accumulate):
    """L4 on the same covariates, d = 1: every design, every sign of every label's noise."""
    designs, trace = list(product((1.0, 2.0, 3.0), repeat=3)), 0.0
    expected, variances = np.zeros(3), np.zeros(3)
    for x in map(np.array, designs):
        trace += 1 / (x @ x) / len(designs)
        outcomes = [(1.0, 0.0, 1.0, np.zeros((0, 3)))]
        for t in range(3):
            new = []
            for chance, w, v, pool in outcomes:
                for signs in product((-1.0, 1.0), repeat=3):
                    y = w * x + np.sqrt(v) * np.array(signs)
                    kept = np.vstack([pool, y]) if accumulate else y[None]
                    fit = (kept @ x).mean() / (x @ x)
                    divisor = kept.size - (estimator == "unbiased")
                    new.append((chance / 8, fit, ((kept - fit * x) ** 2).sum() / divisor, kept))
            outcomes = new
            expected[t] += sum(p * w * w for p, w, _, _ in outcomes) / len(designs)
            variances[t] += sum(p * v for p, _, v, _ in outcomes) / len(designs)
    policy = Accumulate(3) if accumulate else Replace(3)
    loop = Loop(Linear(1, 1.0, 0.0, "same"), policy, LeastSquares(estimator))
    close(risk(loop, (1, 2, 3)).mean * trace, expected)  # eta = d / (n - d - 1) = 1
    close(noise_variance(loop, (1, 2, 3)).mean, variances)


# Moments over designs, derived twice


@pytest.mark.parametrize(("n", "d"), [(12, 3), (7, 1), (30, 10)])
def test_fourth_moments_by_the_repository_s_inverse_wishart_law(n, d):
    """E (tr Z)^2 + 2 E tr Z^2 from Wick pairings."""
    states = (((2,), ()), ((1, 1), ()))
    gamma = Fraction(n - d - 1)
    table = [
        [sum(c * (-gamma) ** p for p, c in pairing(x).get(y, {}).items()) for y in states] for x in states
    ]
    square, trace = solved_2x2(table, [Fraction(d), Fraction(d * d)])
    close(fourth(n, d), float(trace + 2 * square))


def solved_2x2(table, right):
    (a, b), (c, d) = table
    determinant = a * d - b * c
    return (d * right[0] - b * right[1]) / determinant, (a * right[1] - c * right[0]) / determinant


def test_sides_that_are_blended():
    """L10: rho is 0 and 1 at the ends, and E U^2 of a Beta variable on the line."""
    for d, n in ((1, 9), (4, 15)):
        assert blend(Fraction(n), Fraction(0), Fraction(d)) == (0, 0)
        assert blend(Fraction(0), Fraction(n), Fraction(d)) == (1, 0)
        # E U (1 - U) is that of the other part
        left, right = blend(Fraction(6), Fraction(n - 6), d), blend(Fraction(n - 6), Fraction(6), d)
        assert left.residual == right.residual
    for real, synthetic in ((3, 5), (6, 2)):
        n = real + synthetic
        square = Fraction(synthetic * (synthetic + 2), n * (n + 2))
        assert blend(Fraction(real), Fraction(synthetic), Fraction(1)).error == square
    share, n = Fraction(1, 3), 5
    chances = [
        sp.binomial(n, k) * sp.Rational(1, 3) ** k * sp.Rational(2, 3) ** (n - k) for k in range(n + 1)
    ]
    mixed = sum(Fraction(int(p.p), int(p.q)) * blend(Fraction(n - k), Fraction(k), 2).error
                for k, p in enumerate(chances))  # fmt: skip
    assert iid_blend(Fraction(n), share, Fraction(2)).error == mixed


def test_limits_are_where_the_recursions_go():
    refit = LeastSquares("maximum-likelihood")
    for source in (Linear(3, 1.0, 2.0), Linear(3, 1.0, 2.0, "same")):
        for data, estimator in (
            (Fresh(9, 9, weight=0.3), LeastSquares()),
            (Fresh(9, 9, weight=0.3), refit),
            (Fresh(9, 9, weight=0.3), Ridge(0.2)),
            (Replace(9), Ridge(0.2)),
            (Replace(9), refit),
        ):
            late, final = means(source, data, estimator, (1000, inf))
            assert np.isclose(late, final, rtol=1e-10)
    for policy in (Fresh(7, 9), Fresh(7, 9, "iid")):
        for estimator in (LeastSquares(), refit):
            late, final = means(Linear(3, 1.0, 2.0), policy, estimator, (1000, inf))
            assert np.isclose(late, final, rtol=1e-10)
    chain = LeastSquares("maximum-likelihood", final=Final(0.2, 30))
    late, final = means(Linear(3, 1.0, 2.0), Replace(9), chain, (1000, inf))
    assert np.isclose(late, final, rtol=1e-10)
    assert means(Linear(3, 1.0, 2.0), Replace(9), generations=(inf,)) == inf


# Numbers that were worked out beside the formulas


def test_printed_values():
    source = Linear(3, 1.0, 1.0)
    wide = Linear(10, 1.0, 1.49)
    assert np.isclose(means(source, Replace(12), generations=(5,)), 1.875)
    assert np.round(means(Linear(3, 1.0, 1.0, "same"), Accumulate(12), generations=(5,)), 6) == 0.548854
    assert np.round(means(source, Accumulate(12), generations=(5, inf)), 6).tolist() == [0.50901, 0.555764]
    assert np.round(means(source, Replace(12), LeastSquares("maximum-likelihood"), (5,)), 6) == 1.144043
    log = log_noise_variance(Loop(source, Replace(12), LeastSquares("unbiased")), (5,))
    assert np.round(log.mean, 6) == -0.576032
    assert np.round(means(source, Fresh(10, 10, weight=0.3), generations=(inf,)), 6) == 0.568627
    assert np.round(means(wide, Replace(4), generations=(6,)), 6) == 2.811769
    assert np.round(means(Linear(10, 1.0, 1.49, "same"), Replace(4), generations=(4,)), 6) == 4.094
    weights = [optimal_weight(Loop(Linear(10, 1.0, b), Fresh(4, 4, weight="optimal")))
               for b in (0.0, 0.1, 1.0, 10.0)]  # fmt: skip
    assert np.round(weights, 6).tolist() == [0.54951, 0.556032, 0.606715, 0.812202]
    assert np.round(strong_collapse(150, 50, 5, 0.25, 1.5), 6) == 0.108631
    assert np.round(marchenko_pastur(200, 80, 0.3), 6).tolist() == [0.705273, 0.518985, 0.248383]


def test_printed_values_after_a_first_fit_to_one_label_a_point():
    """L6 at w = 0.5 is printed for six fits, of which the first took real labels alone."""
    design, weight, state = least_squares(4, 10), 0.5, State(0.0, 0.0, 1.0)
    state = fitted(state, design, 1.0, 1.0, 1.49)
    for _ in range(5):
        state = fitted(state, design, 1 - weight, mixed_noise(weight, 1.0, 1.0), 1.49)
    assert round(state.risk, 6) == 1.43778
    bias, spread = 0.6 * 1.49, 1.0
    for _ in range(5):
        spread = 0.25 * spread + 0.5
    assert round(bias + 0.8 * spread, 6) == 1.427594


# What is refused, and what is infinite


def test_fits_at_the_threshold_are_infinite():
    for n in (4, 5, 6):
        found = risk(Loop(Linear(5, 1.0, 1.0), Replace(n)), (1, 2))
        assert found.status == "infinite"
        assert found.mean.tolist() == [inf, inf]
        assert means(Linear(5, 0.0, 1.0), Replace(n), generations=(1,)) < inf
        assert means(Linear(5, 1.0, 1.0), Replace(n), Ridge(0.1)) < inf


@pytest.mark.parametrize(
    ("source", "data", "estimator"),
    [
        (Linear(5, 1.0, 1.0), Accumulate(4), LeastSquares()),
        (Linear(5, 1.0, 1.0), Accumulate(9), Ridge(0.1)),
        (Linear(5, 1.0, 1.0), Fresh(4, 9), Ridge(0.1)),
        (Linear(5, 1.0, 1.0), Fresh(2, 2), LeastSquares()),
        (Linear(5, 1.0, 1.0), Replace(5), LeastSquares("unbiased")),
    ],
)
def test_what_has_no_closed_form_says_so(source, data, estimator):
    found = risk(Loop(source, data, estimator), (1,))
    assert found.status == "none"
    assert found.reason
    assert np.isnan(found.mean).all()


@pytest.mark.parametrize(
    ("build", "key"),
    [
        (lambda: Linear(0, 1.0, 1.0), "dimension"),
        (lambda: Linear(2, -1.0, 1.0), "noise"),
        (lambda: Linear(2, 1.0, 1.0, "old"), "covariates"),
        (lambda: Ridge(0.0), "penalty"),
        (lambda: Ridge(1.0, "unbiased"), "noise"),
        (lambda: LeastSquares("fitted"), "noise"),
        (lambda: LeastSquares(final={"penalty": -1}), "final.penalty"),
        (lambda: Loop(Linear(2, 1.0, 1.0, shift=1.0), Replace(9)), "source.shift"),
        (lambda: Loop(Linear(2, 1.0, 1.0), Fresh(9, 8, weight=0.5)), "data.synthetic"),
        (lambda: Loop(Linear(2, 1.0, 1.0, "same"), Fresh(9, 8)), "data.weight"),
        (lambda: Loop(Linear(2, 1.0, 1.0), Fresh(9, 9, weight="optimal-in-time")), "data.weight"),
        (lambda: Loop(Linear(2, 1.0, 1.0), Replace(9), sampler=Sampler(truncate=1.0)), "sampler.truncate"),
        (lambda: Loop(Linear(2, 1.0, 1.0), Replace(9), start=Linear(3, 1.0, 1.0)), "start"),
        (
            lambda: Loop(Linear(2, 1.0, 1.0), Accumulate(9), LeastSquares(final=Final(1.0))),
            "estimator.final",
        ),
    ],
)
def test_refusals(build, key):
    with pytest.raises(LoopError) as raised:
        build()
    assert raised.value.key == key


def test_ridge_tends_to_its_neighbours():
    """Penalty to 0: least squares, minimum norm; n, d to infinity: Marchenko-Pastur, O(1/n)."""
    for n, d in ((12, 3), (4, 10)):
        near, limit = ridge(n, d, 1e-9), least_squares(n, d)
        for key in ("gain", "square", "noise"):
            assert np.isclose(getattr(near, key), getattr(limit, key), rtol=1e-6)
    gaps = []
    for n in (50, 100, 200):
        exact, limit = ridge(n, 2 * n // 5, 0.3), marchenko_pastur(n, 2 * n // 5, 0.3)
        gaps.append(n * (np.array([exact.gain, exact.square, exact.noise]) - limit))
    assert (np.abs(gaps[2] - gaps[1]) < np.abs(gaps[1] - gaps[0])).all()  # n times the error converges
