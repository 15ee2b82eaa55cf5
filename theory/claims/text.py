"""Claims about text (N1 to N4): one text's counts, what a refit makes of them, loops that are solvable."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.claim import Case, Claim, Experiment
from theory.discrete_source import Markov
from theory.loop import Loop, Replace
from theory.result import central
from theory.text import cycles, paths

OWN = "own derivation"
TABOO = "taboo probabilities: Chung 1967; own derivation"

THREE = ((0.6, 0.3, 0.1), (0.2, 0.5, 0.3), (0.25, 0.25, 0.5))
TWO = ((0.9, 0.1), (0.3, 0.7))
SPARSE = ((0.0, 0.8, 0.2, 0.0), (0.5, 0.0, 0.0, 0.5), (0.1, 0.0, 0.9, 0.0), (0.7, 0.2, 0.1, 0.0))
SWAPPING = ((0.3, 0.7), (0.6, 0.4))
PAIRS = ((0.3, 0.1, 0.05), (0.05, 0.2, 0.1), (0.1, 0.02, 0.08))

LEAST = 200_000
"""Replicates where the spread of the tail is not known."""


def _texts(*settings: tuple[Any, int]) -> tuple[Case, ...]:
    return tuple(
        Case(Loop(Markov(transition=matrix), Replace(length)), (1,), least=LEAST)
        for matrix, length in settings
    )


def _experiments(name: str, *settings: dict[str, Any]) -> tuple[Case, ...]:
    return tuple(Case(Experiment(name, tuple(setting.items())), least=LEAST) for setting in settings)


def _mean_only(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([mean, *(np.full_like(mean, np.nan) for _ in range(3))])


def _chain(case: Case) -> tuple[paths.Matrix, paths.Vector, int]:
    matrix = np.array(case.loop.get("transition"), float)
    law = paths.stationary_law(matrix)
    assert law is not None
    return matrix, law, case.loop.get("length")


def _entries(matrix: paths.Matrix) -> list[tuple[int, int]]:
    return [(i, j) for i in range(len(matrix)) for j in range(len(matrix))]


@lru_cache(maxsize=16)
def transition_counts(case: Case) -> NDArray[np.float64]:
    """Central moments of N_ij, [4, symbol, symbol]."""
    matrix, law, length = _chain(case)
    count = np.arange(length, dtype=float)
    raw = [
        [float(counted @ count**r) for r in range(1, 5)]
        for counted in (paths.edge_law(matrix, law, length, edge) for edge in _entries(matrix))
    ]
    found = np.array([central(moments) for moments in raw]).T.reshape(4, *matrix.shape)
    found[0] = paths.expected_counts(matrix, law, length)
    return found


@lru_cache(maxsize=16)
def refitted_rows(case: Case) -> NDArray[np.float64]:
    """Central moments of N_ij / N_i, [4, symbol, symbol]."""
    matrix, law, length = _chain(case)
    raw = [paths.row_moments(matrix, law, length, edge) for edge in _entries(matrix)]
    return np.array([central(moments) for moments in raw]).T.reshape(4, *matrix.shape)


def documents(case: Case) -> NDArray[np.float64]:
    """Means of the heterozygosities of pairs and of first tokens, [4, 2]."""
    pairs = np.array(case.loop.get("pairs"), float)
    kept = (1 - 1 / case.loop.get("n")) ** case.loop.get("generation")
    first = np.array([1 - (pairs**2).sum(), 1 - (pairs.sum(1) ** 2).sum()])
    return _mean_only(first * kept)


def prompted_rows(case: Case) -> NDArray[np.float64]:
    """Means of the heterozygosity of every row, [4, row]."""
    rows = np.array(case.loop.get("rows"), float)
    decay = np.array([paths.prompted_decay(case.loop.get("n"), c) for c in case.loop.get("prompts")])
    return _mean_only((1 - (rows**2).sum(1)) * decay ** case.loop.get("generation"))


def ends_in_cycles(case: Case) -> NDArray[np.float64]:
    """Central moments of the indicators that the text runs around one cycle of k symbols, [4, k]."""
    matrix, law, length = _chain(case)
    chances = cycles.cycle_law(matrix, law, length, case.loop.get("generation"))
    return np.array(central([chances] * 4))


SHORT = _texts((THREE, 12), (SPARSE, 30))
MIDDLE = _texts((THREE, 60), (SPARSE, 40), (TWO, 200), (TWO, 4))
ONE_TEXT = "generation 1, every L, a text begun in the stationary law of its source"


def _claim(entry: str, observable: str, statement: str, cases: tuple[Case, ...], **more: Any) -> Claim:
    given: dict[str, Any] = {"status": "exact", "source": TABOO, "validity": ONE_TEXT} | more
    return Claim(
        id=f"mixture.{entry}",
        observable=observable,
        statement=statement,
        check="moments",
        cases=cases,
        **given,
    )


MISSING = r"\mu_{-i}(P_{-i})^{L-1}\mathbf 1"

TEXT = (
    _claim("N1", "support", rf"\mathbb{{E}}\,K_1 = \sum_i\left[1-{MISSING}\right]", SHORT),
    _claim("N1", "distinct_1", rf"\mathbb{{E}}\,d_1 = \tfrac1L\sum_i\left[1-{MISSING}\right]", SHORT),
    _claim(
        "N1", "distinct_2",
        r"\mathbb{E}\,d_2 = \tfrac1{L-1}\sum_{ij}\left[1-\mu(P^{(P_{ij}=0)})^{L-1}\mathbf 1\right]", SHORT,
    ),
    _claim(
        "N1", "distinct_3",
        r"\mathbb{E}\,d_3 = \tfrac1{L-2}\sum_{ijk}\left[1-\mu_2(B^{(ij\to jk)=0})^{L-2}\mathbf 1\right],\quad"
        r" B \text{ the chain of bigrams}",
        SHORT,
    ),
    _claim(
        "N1", "transition_counts", r"\mathbb{E}\,N_{ij} = \sum_{l=0}^{L-2}(\mu P^l)_i P_{ij}",
        _experiments(
            "text transition counts", {"transition": THREE, "length": 60},
            {"transition": SPARSE, "length": 25},
        ),
        source=OWN, expected=transition_counts,
    ),
    _claim(
        "N2", "entropy_rate",
        r"\mathbb{E}\,\hat h = \tfrac1{L-1}\left[\sum_i\mathbb{E}N_i\log N_i"
        r"-\sum_{ij}\mathbb{E}N_{ij}\log N_{ij}\right] = h-\tfrac{\#\{P_{ij}>0\}-K}{2(L-1)}+O(L^{-2})",
        MIDDLE, status="recursion", source=f"Miller 1955 row by row; exact value: {OWN}",
    ),
    _claim(
        "N2", "entropy", r"\mathbb{E}\,\hat S = \log L-\tfrac1L\sum_i\mathbb{E}N_i\log N_i", MIDDLE,
        status="recursion", source=OWN,
    ),
    _claim(
        "N2", "heterozygosity", r"\mathbb{E}\,\hat H = 1-\tfrac1{L^2}\sum_i\mathbb{E}N_i^2", MIDDLE,
        status="recursion", source=OWN,
    ),
    _claim(
        "N3", "refitted_rows",
        r"\mathbb{E}\,\hat P_{ij} = P_{ij}-\tfrac{P_{ij}(Z_{ji}-Z_{ii}+1-\pi_i)}{\pi_i L}+O(L^{-2}),\quad"
        r" Z=(I-P+\mathbf 1\pi)^{-1}",
        _experiments(
            "text refitted rows", {"transition": TWO, "length": 40}, {"transition": THREE, "length": 60},
            {"transition": TWO, "length": 3},
        ),
        status="recursion", source=OWN, expected=refitted_rows,
        validity=f"{ONE_TEXT}; a row without successors is kept; tested against the exact recursion",
    ),
    _claim(
        "N4", "documents", r"\mathbb{E}\,H_{\rm pair}(t) = (1-1/n)^t H_{\rm pair}(0)",
        _experiments(
            "two-token documents", {"pairs": PAIRS, "n": 20, "generation": 5},
            {"pairs": PAIRS, "n": 8, "generation": 2},
        ),
        source=OWN, expected=documents,
        validity="independent documents of two tokens, every n, every t; pairs and first tokens",
    ),
    _claim(
        "N4", "prompted_rows",
        r"\mathbb{E}\,H_j(t) = H_j(0)\rho_j^t,\quad"
        r" \rho_j=\sum_{k\ge1}\mathrm{Bin}(k;n,c_j)(1-\tfrac1k)+(1-c_j)^n",
        _experiments(
            "prompted rows", {"rows": THREE, "prompts": (0.5, 0.3, 0.2), "n": 12, "generation": 4},
            {"rows": TWO, "prompts": (0.8, 0.2), "n": 5, "generation": 3},
        ),
        source=OWN, expected=prompted_rows,
        validity="prompts by a fixed law, every n, every t; a row without prompts is kept",
    ),
    _claim(
        "N4", "cycles",
        r"P(x^{(t)}\text{ runs around one cycle of }k\text{ symbols}) = (v\mathcal{P}^{t-1})\mathbf{1}_k,"
        r"\quad \sum_k \to 1,\quad \mathcal{P}_{xy} = \tfrac{N_{\cdot y_1}}{L-1}\prod_l"
        r"\tfrac{N_{y_ly_{l+1}}}{N_{y_l}}",
        _experiments(
            "text cycles", {"transition": SWAPPING, "length": 5, "generation": 3},
            {"transition": THREE, "length": 5, "generation": 6},
        ),
        status="recursion", source=f"{OWN}; fixed points: Riis 2026, arXiv:2604.08554",
        expected=ends_in_cycles,
        validity="replace, one text of L > K tokens, every t: the absorbing classes are the deterministic"
        " cycles, of different symbols each; all K^L texts listed",
    ),
)  # fmt: skip
