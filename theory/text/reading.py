"""The reading of text loops: what theory says of the first generation, and that it says no more.

The text that generation 1 is fitted to is one path of the source's chain, so that its counts have exact laws
(`theory.text.paths`). The bigram of that text is biased (N3) and generates text on its own: no closed
recursion is known for later generations, whose rows are not Wright-Fisher populations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from theory.discrete_source import Markov
from theory.estimator import MaximumLikelihood
from theory.loop import Loop, Replace, sample_sizes
from theory.result import Statistic, unknown
from theory.text import paths

MOST_WORK = 2e9
"""Multiplications an expectation may take."""

LATER = (
    "known for generation 1 alone: later ones have no closed recursion; `autophagy simulate` measures them"
)

Reading = Callable[[paths.Matrix, paths.Vector, int], float]

EXACT: dict[str, tuple[str, str, Reading]] = {
    "distinct_1": ("exact", "N1", lambda p, mu, n: paths.support(p, mu, n)[0] / n),
    "distinct_2": ("exact", "N1", lambda p, mu, n: paths.different(p, mu, n, 2) / (n - 1)),
    "distinct_3": ("exact", "N1", lambda p, mu, n: paths.different(p, mu, n, 3) / (n - 2)),
    "entropy": ("recursion", "N2", paths.entropy),
    "heterozygosity": ("recursion", "N2", paths.heterozygosity),
    "entropy_rate": ("recursion", "N2", paths.entropy_rate),
}
"""Observable -> how its mean is known, the entry it belongs to, its value."""


def statistics(
    loop: Loop, names: Sequence[str], wanted: Sequence[float], highest: int = 2
) -> dict[str, Statistic]:
    """Statistics of each observable of a text loop.

    Args:
        loop: numbers throughout.
        names: of `theory.observable.TEXT`.
        wanted: generations, increasing; the last may be inf.
        highest: 2 or 4 central moments; the higher ones are not known.
    """
    del highest
    refused = _unread(loop)
    if refused is None and 1 not in wanted:
        refused = LATER
    if refused is not None:
        return {name: unknown((len(wanted),), "none", None, refused) for name in names}
    matrix = np.array(loop.source.transition, float)
    law = paths.stationary_law(matrix)
    if law is None:
        reason = "the source has several stationary laws: its text depends on where it begins"
        return {name: unknown((len(wanted),), "none", None, reason) for name in names}
    (length,) = sample_sizes(loop.data.n, 1)
    return {name: _statistic(name, matrix, law, length, wanted) for name in names}


def _unread(loop: Loop) -> str | None:
    """Why nothing is known, if so."""
    if not isinstance(loop.source, Markov) or loop.source.transition is None:
        return "of a real text only measurements are known; `autophagy simulate` makes them"
    if not isinstance(loop.data, Replace):
        return "texts are read under replace alone"
    if not isinstance(loop.estimator, MaximumLikelihood) or (loop.estimator.order or 1) != 1:
        return "texts are read for bigrams fitted by maximum likelihood"
    return "texts are read without a sampler's bias" if loop.sampler.given else None


def _statistic(
    name: str, matrix: paths.Matrix, law: paths.Vector, length: int, wanted: Sequence[float]
) -> Statistic:
    mean, variance = (np.full(len(wanted), np.nan) for _ in range(2))
    place = list(wanted).index(1)
    late = LATER if len(wanted) > 1 else None
    if _work(name, len(matrix), length) > MOST_WORK:
        return unknown(mean.shape, "none", None, f"{len(matrix)} symbols and {length} tokens are too many")
    if name == "support" or name == "distinct_1":
        scale = 1.0 if name == "support" else float(length)
        first, second = paths.support(matrix, law, length)
        mean[place], variance[place] = first / scale, second / scale**2
        return Statistic(mean, variance, "none" if late else "exact", "mixture.N1", late)
    if name not in EXACT:
        reason = "no closed form is known"
        return unknown(mean.shape, "none", None, reason)
    status, entry, value = EXACT[name]
    mean[place] = value(matrix, law, length)
    return Statistic(mean, variance, "none" if late else status, f"mixture.{entry}", late)  # type: ignore[arg-type]


def _work(name: str, size: int, length: int) -> float:
    """Multiplications, roughly."""
    squarings = np.log2(length) + 1
    match name:
        case "support" | "distinct_1":
            return size**2 / 2 * size**3 * squarings
        case "distinct_2":
            return size**2 * size**3 * squarings
        case "distinct_3":
            return size**3 * size**6 * squarings
        case "entropy_rate":
            return size**2 * length**2 * size**2
        case _:
            return size * length**2 * size**2
