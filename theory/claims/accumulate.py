"""Claims about data that accumulate (A)."""

from __future__ import annotations

import math

import numpy as np

from theory.claim import Case, Claim
from theory.claims import policy_loops as loops
from theory.claims.larger_cases import larger_and_longer, longer
from theory.claims.mixed import CHI_SQUARE, CONSERVED, OWN, claim, mean_of
from theory.recipes import accumulate_limits as accumulating

KAZDAN = "Kazdan et al. 2024, arXiv:2410.16713"
GERSTGRASSER = "Gerstgrasser et al. 2024, arXiv:2404.01413"
DEY = "Dey and Donoho 2024, arXiv:2410.22812"

EVERY = Case(loops.ACCUMULATED, (1, 2, 10))
LONG = Case(loops.ACCUMULATED, (200,), quick=False)
HEAVY = Case(loops.ACCUMULATED, (1, 2, 10), quick=False, least=CHI_SQUARE)
SQUARE = Case(loops.ACCUMULATED_LARGE, (1, 2, 10), quick=False, least=CHI_SQUARE)
SQUARE_LONG = Case(loops.ACCUMULATED_LARGE, (100,), quick=False, least=CHI_SQUARE)
UNBIASED = Case(loops.ACCUMULATED_UNBIASED, (1, 3, 10), quick=False)
UNEVEN = Case(loops.ACCUMULATED_UNEVEN, (1, 3, 6), quick=False)
SUBSAMPLED = Case(loops.SUBSAMPLED, (1, 2, 6), quick=False, engine="literal", least=4 * CHI_SQUARE)
WINDOW = (
    Case(loops.WINDOW, (1, 4, 8), quick=False, least=CHI_SQUARE),
    Case(loops.WINDOW_UNBIASED, (4,), quick=False, least=CHI_SQUARE),
)
BOTH = (HEAVY, Case(loops.ACCUMULATED_UNBIASED, (1, 3, 10), quick=False, least=CHI_SQUARE))


def _sinc(case: Case) -> np.ndarray:
    return np.full(len(case.generations), accumulating.survival(case.loop.data.n))


def _square(case: Case) -> np.ndarray:
    return np.full(len(case.generations), accumulating.survival_squared(case.loop.data.n))


def _inflation(case: Case) -> np.ndarray:
    """(pi^2/6) / n."""
    return np.full(len(case.generations), math.pi**2 / 6 / case.loop.data.n)


def _subsampled_inflation(case: Case) -> np.ndarray:
    """(pi^2/2 - 2) / n."""
    return np.full(len(case.generations), (math.pi**2 / 2 - 2) / case.loop.data.n)


def _window_rate(case: Case) -> np.ndarray:
    """exp(-4 t / ((W+1)^2 n)), from the first fit on."""
    n, width = case.loop.data.n, case.loop.data.width
    return np.exp(-4 * np.array(case.generations) / ((width + 1) ** 2 * n))


def _twice(case: Case) -> np.ndarray:
    """The bound for every schedule: 2 / (n_1 + 1) of the source's variance."""
    n = case.loop.data.n
    first = n[0] if isinstance(n, tuple) else n
    return np.full(len(case.generations), 2 * case.loop.source.variance / (first + 1))


def _root_claim(observable: str, statement: str) -> Claim:
    return claim(
        "A6", observable, statement, BOTH,
        validity="any batches, both divisors, any lambda; phi the Laplace transform of X = c A",
        status="recursion",
    )  # fmt: skip


_A = r"X_k = c_{k-1} + \lambda(\chi^2_{n_k-1} + \tfrac{N_{k-1}}{N_k}z^2) = c_kA_k"
_ROOT = r"\mathbb{E}\sqrt X = \tfrac{1}{2\sqrt\pi}\int_0^\infty(1-\phi(s))\,s^{-3/2}ds,\quad " + _A
_LOG = r"\mathbb{E}\log X = \int_0^\infty(e^{-s}-\phi(s))\,\tfrac{ds}{s},\quad " + _A

ACCUMULATED = (
    claim(
        "A1", "variance", r"\mathbb{E}\,\sigma_t^2 = \sigma_0^2\prod_{k\le t}\left(1-\frac{1}{nk^2}\right)",
        (EVERY,),
        f"{KAZDAN}; {OWN}", "accumulate, maximum likelihood, constant n, lambda = 1",
    ),
    claim("A1", "mean_error_squared", CONSERVED, (EVERY,),
    validity="accumulate, maximum likelihood, lambda = 1"),
    claim(
        "A1", "variance_squared",
        r"\mathbb{E}\,\sigma_t^4 = \sigma_0^4\prod_{k\le t}\left(1-\frac{4k-3}{n^2k^4}\right)", (SQUARE,),
        validity="accumulate, maximum likelihood, constant n, lambda = 1",
    ),
    claim(
        "A2", "variance", r"\mathbb{E}\,\sigma_\infty^2 = \sigma_0^2\,\frac{\sin x}{x},\quad x = \pi/\sqrt n",
        (LONG,), f"{KAZDAN} (the limit); {OWN}",
        "accumulate, maximum likelihood, lambda = 1; the error falls like"
        " 1/t", "asymptotic", "limit", expected=mean_of(_sinc, "variance"), order=1, grown=longer,
    ),
    claim(
        "A2", "variance_squared",
        r"\mathbb{E}\,\sigma_\infty^4 = \sigma_0^4\Big/\prod_i\Gamma(1-r_i),\quad r_i^4 - (4r_i-3)/n^2 = 0",
        (SQUARE_LONG,), OWN, "accumulate, maximum likelihood, lambda = 1; the error falls like 1/t^2",
        "asymptotic",
        "limit",
        expected=mean_of(_square, "variance_squared"), order=2, grown=longer,
    ),
    claim(
        "A2", "mean_error_squared",
        r"n\,\mathbb{E}(\mu_\infty-\mu_0)^2 = n\sigma_0^2\left(1-\frac{\sin x}{x}\right) \to"
        r" \frac{\pi^2}{6}\sigma_0^2",
        (LONG,), f"{GERSTGRASSER}; {DEY}; {KAZDAN}",
        "accumulate in equal batches, lambda = 1; the error of E (mu - mu_0)^2"
        " is of order 1/n^2 and 1/(n t)", "asymptotic", "limit",
        expected=mean_of(_inflation, "mean_error_squared"), order=2, grown=larger_and_longer,
    ),
    claim(
        "A3", "variance",
        r"\mathbb{E}\,\sigma_t^2 = \sigma_0^2\prod_{k=2}^t\left(1-\frac{1}{k(nk-1)}\right) \to"
        r" \frac{\sigma_0^2\,\Gamma(2-1/n)}{\Gamma(2-r_+)\Gamma(2-r_-)},\quad r_\pm ="
        r" \frac{1\pm\sqrt{1+4n}}{2n}",
        (UNBIASED,),
        validity="accumulate, divisor nt - 1, lambda = 1: the pooled 'unbiased' variance shrinks",
    ),
    claim(
        "A3", "mean_error_squared",
        r"\mathbb{E}(\mu_t-\mu_0)^2 = \sum_{k\le t}\frac{\mathbb{E}\,\sigma_{k-1}^2}{nk^2}", (UNBIASED,),
        validity="accumulate, divisor nt - 1, lambda = 1",
    ),
    claim(
        "A4", "variance",
        r"\mathbb{E}\,\sigma_t^2 = \sigma_0^2\prod_{k\le t}\left(1-\frac{n_k}{N_k^2}\right)",
        (UNEVEN,),
        validity="accumulate, any batches n_k, N_k = n_1 + ... + n_k; maximum likelihood, lambda = 1",
    ),
    claim(
        "A4", "mean_error_squared", r"\mathbb{E}(\mu_t-\mu_0)^2 \le \frac{2\sigma_0^2}{n_1+1}",
        (UNEVEN, Case(loops.TRICKLE, (40,), quick=False, nearest=0.95), LONG),
        validity="every schedule of batches, lambda = 1; the supremum is reached one point at a time",
        status="bound", check="bound", expected=mean_of(_twice, "mean_error_squared"), side="below",
    ),
    claim(
        "A5", "variance",
        r"\mathbb{E}\,\sigma_t^2 = V_t\frac{t(n-1)}{nt-1},\quad V_{t+1} ="
        r" V_t\left[1-\frac{2nt-n-t}{n(nt-1)(t+1)^2}"
        r"\right],\ V_1 = \sigma_0^2(1-\tfrac1n)", (SUBSAMPLED,), f"{KAZDAN} (the plateau, simulated); {OWN}",
        "each fit takes a uniform subset of n points of the growing pool; maximum likelihood, lambda = 1",
    ),
    claim("A5", "mean_error_squared", CONSERVED, (SUBSAMPLED,),
    validity="accumulate-subsample, maximum likelihood"),
    claim(
        "A5", "mean_error_squared",
        r"n\,\mathbb{E}(\mu_\infty-\mu_0)^2 \to \left(\frac{\pi^2}{2}-2\right)\sigma_0^2",
        (Case(loops.SUBSAMPLED_LARGE, (16,), quick=False, engine="literal", least=CHI_SQUARE),),
        f"{OWN}; {DEY} (the recursion, in"
        " their script)",
        "accumulate-subsample, maximum likelihood; the error of E (mu - mu_0)^2 is of order 1/n^2 and"
        " 1/(n t)",
        "asymptotic", "limit", expected=mean_of(_subsampled_inflation, "mean_error_squared"),
        order=2, grown=larger_and_longer,
    ),
    _root_claim("std", r"\mathbb{E}\,\sigma_t = \sigma_0\prod_k\mathbb{E}\sqrt{A_k};\quad " + _ROOT),
    _root_claim(
        "log_variance", r"\mathbb{E}\log\sigma_t^2 = \log\sigma_0^2 + \sum_k\mathbb{E}\log A_k;\quad " + _LOG
    ),
    _root_claim(
        "w2_squared",
        r"\mathbb{E}W_2^2 = 2\sigma_0^2\left(1-\prod_k\mathbb{E}\sqrt{A_k}\right)\ (c=N,\lambda=1);\quad "
        + _ROOT,
    ),
    _root_claim(
        "kl_to_source",
        r"\mathbb{E}\,\mathrm{KL}(N_t\Vert N_0) = -\tfrac12\sum_k\mathbb{E}\log A_k\ (c=N,\lambda=1);\quad "
        + _LOG,
    ),
    claim(
        "A7", "variance", r"\mathbb{E}\,\sigma_t^2 = \sigma_0^2 - \mathbb{E}(\mu_t-\mu_0)^2", WINDOW,
        validity="the last W batches, all real at the start; any divisor and lambda by the recursion over"
        " batches",
        status="recursion",
    ),
    claim(
        "A7", "mean_error_squared", r"\mathbb{E}(\mu_t-\mu_0)^2 \to \sigma_0^2", WINDOW,
        validity="the last W batches: a window delays collapse, it never stops it", status="recursion",
    ),
    claim(
        "A7", "variance", r"\mathbb{E}\,\sigma_t^2 \approx \sigma_0^2\exp\left(-\frac{4t}{(W+1)^2n}\right)",
        (Case(loops.WINDOW_LARGE, (16,), quick=False, least=CHI_SQUARE),), OWN,
        "n -> inf at fixed t/n: W batches collapse (W+1)^2/4 times slower than one", "asymptotic", "limit",
        expected=mean_of(_window_rate, "variance"), order=1, grown=larger_and_longer,
    ),
)  # fmt: skip
"""Every claim about accumulating data."""
