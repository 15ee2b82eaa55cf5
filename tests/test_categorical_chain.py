"""The binary chain and what is built on it, against enumeration over all count vectors in fractions."""

from math import comb, exp, lgamma, log

import enumerated_categories as enumerated
import mpmath
import numpy as np
import pytest

from theory.categorical import chain_passage as passage
from theory.categorical import extinction_exponent as exponent
from theory.categorical import laws
from theory.categorical import wright_fisher as chain

SOURCE = (0.5, 0.3, 0.2)
N, LAST = 5, 4
EXACT = enumerated.exact(SOURCE)
HISTORY = enumerated.history(EXACT, LAST, enumerated.replace([N] * LAST))
OBSERVED = enumerated.observables(EXACT)

# entries are products of at most 2 h + 1 ratios, each with 4 roundings, and a step sums n + 1 of them
ROUNDING = 2.0**-53 * 8 * (N + 2) * LAST


def test_rows_are_binomial_laws():
    for n in (1, 2, 7, 60):
        shares = np.array([0.0, 1 / 3, 0.5, 0.99, 1.0])
        rows = chain.binomial_rows(n, shares).toarray()
        with mpmath.workdps(40):
            expected = [
                [
                    float(mpmath.binomial(n, j) * mpmath.mpf(x) ** j * (1 - mpmath.mpf(x)) ** (n - j))
                    for j in range(n + 1)
                ]
                for x in shares
            ]
        np.testing.assert_allclose(rows, expected, rtol=0, atol=2.0**-53 * 8 * (n + 2))


def test_wide_rows_keep_their_moments():
    n = 4000
    share = np.arange(n + 1) / n
    rows = chain.binomial_rows(n, share)
    # each entry carries at most 8 h roundings, and sums of n + 1 terms as many
    bound = 2.0**-53 * (8 * chain.half_width(n) + n) + 2 * chain.DROPPED
    np.testing.assert_allclose(rows @ share, share, rtol=0, atol=bound)
    np.testing.assert_allclose(
        rows @ (share * (1 - share)), share * (1 - share) * (1 - 1 / n), rtol=0, atol=bound
    )
    assert np.abs(rows.sum(1) - 1).max() < bound


def test_eigenvalues_are_fellers():
    n = 12
    found = np.sort(np.linalg.eigvals(chain.neutral_chain(n).toarray()).real)[::-1]
    expected = [1.0, *(exp(lgamma(n + 1) - lgamma(n - k + 1) - k * log(n)) for k in range(1, n + 1))]
    # a matrix of condition below 2^20: eigenvalues of a non-normal matrix lose that factor
    np.testing.assert_allclose(found, expected, rtol=0, atol=2.0**-53 * 2**20)


def test_chain_functionals_against_enumeration():
    generations = list(range(1, LAST + 1))
    gone = chain.extinction(N, SOURCE, generations)
    fixed = chain.fixation(N, SOURCE, generations)
    for t, law in zip(generations, HISTORY, strict=True):
        for i in range(len(SOURCE)):
            expected = enumerated.expectation(law, lambda x, i=i: x[i] == 0)
            assert abs(gone[t - 1, i] - float(expected)) < ROUNDING
            expected = enumerated.expectation(law, lambda x, i=i: x[i] == 1)
            assert abs(fixed[t - 1, i] - float(expected)) < ROUNDING
        together = enumerated.expectation(law, lambda x: max(x) == 1)
        assert abs(chain.collapsed(N, SOURCE, [t])[0] - float(together)) < 3 * ROUNDING
        for name, function in (
            ("support", chain.support),
            ("entropy", chain.entropy),
            ("kl_to_source", chain.kl_to_source),
        ):
            expected = float(enumerated.expectation(law, OBSERVED[name]))
            assert abs(function(N, SOURCE, [t])[0] - expected) < 10 * ROUNDING


def test_the_second_generation_in_the_open():
    """P(extinct by 2) = sum_k C(n,k) p^k (1-p)^(n-k) (1-k/n)^n, and (1-p)^n bounds it from below."""
    n, p = 40, 0.1
    second = sum(comb(n, k) * p**k * (1 - p) ** (n - k) * (1 - k / n) ** n for k in range(n + 1))
    found = chain.extinction(n, [p], [1, 2])[:, 0]
    np.testing.assert_allclose(found, [(1 - p) ** n, second], rtol=1e-13)
    assert found[0] < found[1]


def test_the_survivors_law_against_enumeration():
    categories = laws.masses(SOURCE)
    together = laws.unions(categories, 3)
    generations = list(range(1, LAST + 1))
    gone = chain.extinction(N, [union.category.source for union in together], generations)
    found = laws.survivors(3, laws.unions(categories, 4), gone, 4)
    for t, law in zip(generations, HISTORY, strict=True):
        expected = enumerated.central(law, OBSERVED["support"])
        np.testing.assert_allclose(found[:, t - 1], [float(x) for x in expected], rtol=0, atol=200 * ROUNDING)


def test_ancestors_are_survivors_of_distinct_items():
    n, last = 4, 3
    law = enumerated.history(enumerated.exact((0.25,) * 4), last, enumerated.replace([n] * last))[-1]
    # n distinct items: a first resampling is generation 1
    found = laws.ancestors(n, last)
    for k in range(n + 1):
        expected = enumerated.expectation(law, lambda x, k=k: sum(share > 0 for share in x) == k)
        assert abs(found[k] - float(expected)) < ROUNDING * 4
    assert abs(found @ np.arange(n + 1) / n - chain.distinct_items(n, [last])[0]) < 8 * ROUNDING


@pytest.mark.parametrize("shares", [(0.7, 0.3), (0.5, 0.3, 0.2), (0.4, 0.4, 0.2)])
def test_passages_against_linear_equations_in_fractions(shares):
    n = 4
    source = enumerated.exact(shares)
    loss = passage.first_loss_time(n, shares)
    for left in range(1, len(shares)):
        found = passage.collapse_time(n, shares) if left == 1 else passage.time_until(n, shares, left)
        expected = enumerated.mean_passage(source, n, lambda x, left=left: sum(i > 0 for i in x) <= left)
        np.testing.assert_allclose(found, [float(x) for x in expected], rtol=2.0**-53 * 1e3)
    expected = enumerated.mean_passage(source, n, lambda x: min(x) == 0)
    np.testing.assert_allclose(loss, [float(x) for x in expected], rtol=2.0**-53 * 1e3)


LATEST = 200


def test_higher_moments_of_passages_against_their_law():
    n, shares = 4, (0.5, 0.3, 0.2)
    for function, passed in (
        (passage.collapse_time, lambda x: max(x) == 1),
        (passage.first_loss_time, lambda x: min(x) == 0),
    ):
        law, _ = enumerated.passage_law(enumerated.exact(shares), n, LATEST, passed)
        mean = sum(t * p for t, p in enumerate(law, 1))
        expected = [mean, *(sum((t - mean) ** k * p for t, p in enumerate(law, 1)) for k in (2, 3, 4))]
        # (3/4)^t of the law is left out; sums of positive terms lose 1e2 in the fourth central moment
        np.testing.assert_allclose(function(n, shares, 4), [float(x) for x in expected], rtol=1e-12)


def test_conditional_times():
    n, p = 6, 0.3
    time = list(range(1, 600))
    fixed = chain.fixation(n, [p], time)[:, 0]
    lost = chain.extinction(n, [p], time)[:, 0]
    on_fixation, on_loss = passage.conditional_time(n, p)
    assert abs(on_fixation - (1 + np.sum(1 - fixed / p))) < 1e-11
    assert abs(on_loss - (1 + np.sum(1 - lost / (1 - p)))) < 1e-11


def test_banded_and_dense_solutions_agree(monkeypatch):
    n, shares = 90, (0.5, 0.3, 0.2)
    dense = passage.collapse_time(n, shares, 4)
    monkeypatch.setattr(passage, "DENSE", 0)
    # condition n, three solutions and central moments that keep 1e-3 of the raw ones
    np.testing.assert_allclose(passage.collapse_time(n, shares, 4), dense, rtol=2.0**-53 * n * 1e5)


def test_diffusion_times_come_closer_as_n_grows():
    shares = (0.5, 0.25, 0.15, 0.1)
    pairs = (
        (passage.collapse_time, passage.diffusion_collapse_time, ()),
        (passage.time_until, passage.diffusion_time_until, (2,)),
    )
    for exact, diffusion, more in pairs:
        error = [abs(exact(n, shares, *more)[0] / diffusion(n, shares, *more) - 1) for n in (50, 200, 800)]
        # order (ln n)/n at worst: four times n divides the error by at least 2.5
        assert error[0] > 2.5 * error[1] > 2.5**2 * error[2]
    error = [
        abs(passage.first_loss_time(n, shares)[0] / passage.diffusion_first_loss_time(n, shares) - 1)
        for n in (50, 200, 800)
    ]
    assert error[0] > 2.5 * error[1] > 2.5**2 * error[2]
    error = [
        max(abs(a / b - 1) for a, b in zip(
            passage.conditional_time(n, 0.3), passage.diffusion_conditional_time(n, 0.3), strict=True
        ))
        for n in (50, 200, 800)
    ]  # fmt: skip
    assert error[0] > 2.5 * error[1] > 2.5**2 * error[2]


def test_two_left_of_many_is_collapse_or_first_loss():
    shares = (0.5, 0.3, 0.2)
    assert passage.time_until(30, shares, 1) == pytest.approx(passage.collapse_time(30, shares), rel=1e-12)
    assert passage.time_until(30, shares, 2) == pytest.approx(passage.first_loss_time(30, shares), rel=1e-12)
    assert passage.diffusion_time_until(30, shares, 2) == pytest.approx(
        passage.diffusion_first_loss_time(30, shares), rel=1e-12
    )


def test_the_tail_of_collapse():
    n, shares = 100, (0.4, 0.35, 0.25)
    h = 1 - sum(p * p for p in shares)
    for t in (1, 10, 100, 600):
        left = 1 - chain.collapsed(n, shares, [t])[0]
        assert left <= passage.collapse_tail_bound(n, h, t) * (1 + 1e-12)
    ratio = {
        n: (1 - chain.collapsed(n, shares, [6 * n])[0]) / passage.collapse_tail(n, h, 6 * n)
        for n in (50, 200, 800)
    }
    error = [abs(ratio[n] - 1) for n in (50, 200, 800)]
    assert error[0] > 2 * error[1] > 4 * error[2]


def test_far_generations_follow_the_leading_eigenvalue(monkeypatch):
    n, p = 6, [0.3]
    far = chain.entropy(n, [0.3, 0.7], [150, 200])
    chain_matrix = chain.neutral_chain(n).toarray()
    law = chain.binomial_rows(n, p).toarray()[0] @ np.linalg.matrix_power(chain_matrix, 199)
    share = np.arange(n + 1) / n
    expected = law @ (chain.plogp(share) + chain.plogp(1 - share))
    np.testing.assert_allclose(far[1], expected, rtol=1e-12)


def test_the_exponent_bounds_extinction():
    generations = [1, 2, 3, 7, 20, 100]
    for n in (2, 5, 40, 300):
        shares = [0.001, 0.01, 0.1, 0.5, 0.9]
        exact = chain.extinction(n, shares, generations)
        bound = exponent.extinction_bound(n * np.array(shares), generations)
        dropped = 2 * chain.DROPPED * np.array(generations)[:, None]
        assert (exact <= bound * (1 + 1e-12) + dropped).all()
        assert (exact >= np.array([(1 - p) ** n for p in shares]) * (1 - 1e-12) - dropped).all()


def test_the_exponent_is_sharp_for_rare_classes():
    """At n p fixed, the relative error is of order 1/n."""
    count, generations = 5.0, [1, 5, 20]
    bound = exponent.extinction_bound(count, generations)
    error = [
        np.abs(chain.extinction(n, [count / n], generations)[:, 0] / bound - 1) for n in (200, 800, 3200)
    ]
    np.testing.assert_array_less(3.5 * error[1], error[0])
    np.testing.assert_array_less(3.5 * error[2], error[1])


def test_the_exponent_itself():
    with mpmath.workdps(30):
        a, table = mpmath.mpf(1), {1: mpmath.mpf(1)}
        for t in range(2, 5001):
            a = 1 - mpmath.exp(-a)
            table[t] = a
        for t in (1, 2, 10, 500, 5000):
            assert abs(exponent.exponents([t])[0] - float(table[t])) < 1e-13 * float(table[t])
        for t in range(1, 5001):
            low, high = exponent.exponent_bounds(t)
            assert low * (1 - 1e-13) <= table[t] <= high * (1 + 1e-13)
        shifted = [1 / table[t] - mpmath.mpf(t) / 2 - mpmath.log(t) / 6 for t in (50, 500, 5000)]
        gap = [abs(x - exponent.CONSTANT) for x in shifted]
        assert gap[0] > 5 * gap[1] > 25 * gap[2]


def test_the_exponent_continues_beyond_iteration(monkeypatch):
    exact = exponent.exponents([50_000, 90_000])
    monkeypatch.setattr(exponent, "EXACT_UNTIL", 1000)
    continued = exponent.exponents([50_000, 90_000, np.inf])
    # what the expansion leaves out is O(1 / b) in b = 1/a, at b = 500 from the joint on
    np.testing.assert_allclose(continued[:2], exact, rtol=1 / 500 / 25_000)
    assert continued[2] == 0


def test_forgetting_times_are_medians():
    for count in (1, 5, 20):
        t = exponent.forgetting_time(count)
        gone = np.exp(-count * exponent.exponents([t - 1, t]) if t > 1 else [0])
        assert gone[-1] >= 0.5 > (gone[0] if t > 1 else 0)


def test_immigration_limits_to_none():
    generations = [1, 2, 5, 40]
    np.testing.assert_allclose(
        exponent.immigration_exponents(0.0, generations), exponent.exponents(generations), rtol=1e-15
    )
    far = exponent.immigration_exponents(0.1, [500])[0]
    assert abs(exponent.immigration_limit(0.1) - far) < 1e-13


def test_the_entropy_of_one_generation_to_second_order():
    shares = (0.4, 0.3, 0.2, 0.1)
    error = [
        abs(chain.kl_to_source(n, shares, [1])[0] - chain.kl_expansion(n, shares)) for n in (100, 200, 400)
    ]
    assert error[0] > 7 * error[1] > 49 * error[2]  # n^-3


def test_entropy_is_integrated_support():
    """S_0 = (1/2n) sum_t (E K_t - 1), up to O(1/n)."""
    shares = (0.5, 0.3, 0.2)
    entropy = -sum(p * log(p) for p in shares)
    gap = []
    for n in (25, 100):
        generations = list(range(1, 30 * n))
        left = 3 - 1 + (chain.support(n, shares, generations) - 1).sum()
        gap.append(abs(left / (2 * n) - entropy))
    assert gap[1] < gap[0] / 3


def test_dog_breeds():
    """The published toy of a rare class: 2% of dogs, a hundred pictures a generation."""
    shares = (0.55, 0.2, 0.12, 0.08, 0.03, 0.02)
    generations = [1, 2, 5, 10, 20, 50]
    gone = chain.extinction(100, shares, generations)[:, -1]
    np.testing.assert_allclose(gone, [0.1326, 0.2784, 0.5302, 0.7024, 0.8260, 0.9192], atol=5e-5)
    left = chain.support(100, shares, generations)
    np.testing.assert_allclose(left, [5.820, 5.570, 4.991, 4.341, 3.532, 2.442], atol=5.1e-4)
