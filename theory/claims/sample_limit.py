"""Claims about samples and pools in the limit of many points: texts (N2, N3), Vendi (M4), kernels (K4)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import digamma, polygamma

from theory.claim import Case, Claim
from theory.claims.categorical_chain import changed, experiment, mean_only
from theory.claims.kernel_density import KAZDAN
from theory.claims.larger_cases import LONGER, larger
from theory.claims.text import LEAST, OWN, THREE, TWO, refitted_rows
from theory.discrete_source import Markov
from theory.loop import Loop, Replace
from theory.metrics import vendi as metrics_vendi
from theory.text import paths

MILLER = "Miller 1955, row by row"
VENDI = "Friedman and Dieng 2023, arXiv:2210.02410 (the score)"


def _claim(entry: str, observable: str, statement: str, source: str, validity: str, case: Case,
           **more: Any) -> Claim:  # fmt: skip
    given = {"status": "asymptotic", "check": "limit"} | more
    return Claim(
        id=f"mixture.{entry}", observable=observable, statement=statement, source=source,
        validity=validity, cases=(case,), **given,
    )  # fmt: skip


def _entropy_rate(case: Case) -> np.ndarray:
    """H - (#{P_ij > 0} - K) / (2 (L - 1))."""
    matrix = np.array(case.loop.source.transition, float)
    law = paths.stationary_law(matrix)
    assert law is not None
    value = paths.true_entropy_rate(matrix, law) + paths.entropy_rate_bias(matrix, case.loop.data.n)
    return mean_only([value])


def _exact_entropy_rate(case: Case) -> np.ndarray:
    matrix = np.array(case.loop.source.transition, float)
    law = paths.stationary_law(matrix)
    assert law is not None
    return np.array([paths.entropy_rate(matrix, law, case.loop.data.n)])


def _rows(case: Case) -> np.ndarray:
    """P_ij and its bias of order 1/L."""
    matrix = np.array(case.loop.get("transition"), float)
    return mean_only(matrix + paths.row_bias(matrix, case.loop.get("length")))


def _longer_text(case: Case) -> Case:
    return changed(case, length=LONGER * case.loop.get("length"))


def _more_points(case: Case) -> Case:
    return changed(case, n=LONGER * case.loop.get("n"))


def _population(case: Case) -> np.ndarray:
    """1 / VS_2 of the law itself."""
    get = case.loop.get
    return mean_only([1 / metrics_vendi.vendi(get("variances"), get("scale"), 2), np.nan])


def _of_sample(case: Case) -> np.ndarray:
    get = case.loop.get
    square = metrics_vendi.mean_square_similarity(get("variances"), get("scale"), get("n"))
    return np.array([square, np.nan])


def _hermites(case: Case) -> np.ndarray:
    """E He_k of a random point of the pool, s_0 = 1: D kernels passed, D a sum of Bernoulli(1/j)."""
    get = case.loop.get
    g, h = get("generation"), get("width")
    mean = digamma(g + 1) - digamma(2)
    variance = mean - (polygamma(1, 2) - polygamma(1, g + 1))
    return mean_only([0.0, h**2 * mean, 0.0, 3 * h**4 * (variance + mean**2)])


def _shrinking(case: Case) -> np.ndarray:
    """1 + c^2 sum_{j=2}^{g} (n (j-1))^(-2/5) / j."""
    get = case.loop.get
    j = np.arange(2, get("generations") + 1)
    steps = get("factor") ** 2 * (get("n") * (j - 1)) ** -0.4 / j
    return mean_only(1 + np.concatenate([[0.0], np.cumsum(steps)]))


SAMPLE_LIMITS = (
    _claim(
        "N2", "entropy_rate",
        r"\mathbb{E}\,\hat h = h - \frac{\#\{P_{ij}>0\}-K}{2(L-1)} + O(L^{-2})", MILLER,
        "generation 1, a text of L symbols begun in the stationary law of its source",
        Case(Loop(Markov(transition=THREE), Replace(60)), (1,), least=LEAST),
        expected=_entropy_rate, exact=_exact_entropy_rate, order=2, grown=larger,
    ),
    _claim(
        "N3", "refitted_rows",
        r"\mathbb{E}\,\hat P_{ij} = P_{ij}-\tfrac{P_{ij}(Z_{ji}-Z_{ii}+1-\pi_i)}{\pi_i L} + O(L^{-2})", OWN,
        "generation 1, a text begun in the stationary law; two symbols: the next of i is i too rarely",
        experiment("text refitted rows", least=LEAST, transition=TWO, length=80),
        expected=_rows, exact=lambda case: refitted_rows(case)[0], order=2, grown=_longer_text,
    ),
    _claim(
        "M4", "vendi_2", r"\mathbb{E}\,\frac1{\mathrm{VS}_2} = \prod_j\Bigl(1+\frac{4s_j}{l^2}\Bigr)^{-1/2}"
        r" + O(1/n)", f"{OWN}; {VENDI}",
        "normal points, Gaussian kernel of scale l: the population's score of order 2 is the root of the"
        " product", experiment("metric gaussian vendi", variances=(2.0, 0.5), scale=1.0, n=30),
        expected=_population, exact=_of_sample, order=1, grown=_more_points,
    ),
    _claim(
        "K4", "hermite", r"\mathbb{E}(x-\mu_0)^4 = 3\bigl[(s_0+h^2d)^2 + h^4v\bigr],\quad"
        r" d = \sum_{j=2}^g\tfrac1j,\ v = d - \sum_{j=2}^g\tfrac1{j^2}", KAZDAN,
        "accumulate, n_0 = n, fixed width: a random point of the pool of generation g has passed a sum of"
        " Bernoulli(1/j) kernels; tested by the Hermite polynomials of the points",
        experiment("kernel_hermite", quick=False, least=2**18, mean=0.0, variance=1.0, n=40, width=0.7,
                   generation=4, accumulate=True),
        status="exact", check="moments", expected=_hermites,
    ),
    _claim(
        "K4", "pooled_variance", r"h_t = cM_t^{-1/5}\colon\quad \mathbb{E}(x-\mu_0)^2 = s_0 +"
        r" c^2\sum_{j=2}^g\frac{(n(j-1))^{-2/5}}j < s_0 + \tfrac73c^2n^{-2/5}", KAZDAN,
        "accumulate, n_0 = n: a width that shrinks with the pool keeps the variance bounded for ever",
        experiment("shrinking kernels", least=2**17, n=10, factor=1.06, generations=8),
        status="exact", check="moments", expected=_shrinking,
    ),
)  # fmt: skip
"""Every claim of this file."""
