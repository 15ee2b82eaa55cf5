"""The names of what is measured on a model; both theory and simulator use exactly these words.

Errors and divergences compare the model of generation g with the source. In one dimension every
observable is a number; for vectors some have a trailing axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from theory.discrete_source import Categorical, Markov, Poisson
from theory.estimator import KernelDensity
from theory.linear import Linear
from theory.loop import Loop
from theory.peers import Peers
from theory.quantity import LoopError, UnavailableError, is_symbolic
from theory.replacement import Replace, sample_sizes
from theory.source import Gaussian, Mixture
from theory.written_recipe import WrittenRecipe

LINE = (
    "mean_error",
    "mean_error_squared",
    "mean_error_fourth",
    "variance",
    "std",
    "log_variance",
    "variance_squared",
    "mean_variance_product",
    "w2_squared",
    "kl_to_source",
    "kl_from_source",
)
"""Observables of a Gaussian on the line."""

SPACE = (
    "mean_error",
    "mean_error_squared",
    "mean_error_fourth",
    "variance",
    "covariance",
    "log_det",
    "log_pseudo_det",
    "trace",
    "trace_of_square",
    "square_of_trace",
    "effective_rank",
    "eigenvalues",
    "lyapunov",
    "w2_squared",
    "kl_to_source",
    "kl_from_source",
)
"""Observables of a Gaussian in d dimensions: `log_pseudo_det` stands for `log_det` where some n <= d."""

CATEGORIES = (
    "heterozygosity",
    "support",
    "entropy",
    "kl_to_source",
    "l2_squared",
    "chi_squared",
    "extinct",
)
"""Observables of categorical and Poisson models; the divergences compare shares."""

MIXTURE = (
    "mean_error",
    "mean_error_squared",
    "variance",
    "std",
    "w2_squared",
    "kl_to_source_gaussian",
    "within",
    "between",
    "weights",
    "components_alive",
)
"""Observables of a mixture: variances are traces; std, W2 and KL are the moment-matched Gaussian's."""

KERNEL = ("mean_error", "mean_error_squared", "variance", "mise", "nll")
"""Observables of a kernel density: variance is that of its data points, divisor n."""

TEXT = (
    "support",
    "entropy",
    "entropy_rate",
    "perplexity",
    "heterozygosity",
    "distinct_1",
    "distinct_2",
    "distinct_3",
    "duplicate_fraction",
)
"""Observables of a text and of the n-gram model fitted to it."""

REGRESSION = ("risk", "noise_variance", "log_noise_variance")
"""Observables of a linear model."""

AXES = {
    "mean_error": ("component",),
    "variance": ("component",),
    "covariance": ("component", "other_component"),
    "eigenvalues": ("order",),
    "lyapunov": ("order",),
    "extinct": ("category",),
    "weights": ("component",),
}
"""Trailing axes, where an observable is not a number: in d dimensions, by category, by component."""

NAMES = tuple(dict.fromkeys((*LINE, *SPACE, *CATEGORIES, *MIXTURE, *KERNEL, *TEXT, *REGRESSION)))
"""Every name there is, first passages apart."""

PASSAGES = ("half_life", "collapse_time", "first_loss_time")
"""First passages: generations at which something first happens; they do not depend on a generation."""


def available(loop: Loop) -> tuple[str, ...]:
    """What exists for every model of a loop, whatever the generation; `passages` are extra.

    In d dimensions `log_pseudo_det` stands for `log_det` where some fit of the whole schedule takes n <= d
    points; a schedule written as an expression is judged by its first fit.

    Raises:
        UnavailableError: for images, which are replaced by the Gaussian of their moments first.
    """
    source = loop.source
    match source:
        case Categorical() | Poisson():
            names = CATEGORIES
        case Markov():
            names = TEXT
        case Linear():
            names = REGRESSION
        case Gaussian() | Mixture() if isinstance(loop.estimator, KernelDensity):
            names = KERNEL
        case Mixture():
            names = MIXTURE
        case Gaussian() if source.is_scalar:
            names = LINE
        case Gaussian():
            absent = "log_det" if _is_singular(loop.data, source.dimension) else "log_pseudo_det"
            names = tuple(name for name in SPACE if name != absent)
        case _:
            raise UnavailableError("source.family", source.family, "its observables are not available yet")
    return (*names, "between_models") if isinstance(loop.data, Peers) and source.is_scalar else names


def passages(loop: Loop) -> tuple[str, ...]:
    """The first passages of a loop."""
    match loop.source:
        case Categorical() | Poisson():
            return ("collapse_time", "first_loss_time")
        case Gaussian() if not isinstance(loop.estimator, KernelDensity):
            return ("half_life",)
        case _:
            return ()


def model_axis(loop: Loop) -> int | None:
    """How many models are reported side by side; None where there is one, or all have the same law."""
    data = getattr(loop.data, "contaminated", loop.data)
    count = data.models if isinstance(data, Peers | WrittenRecipe) else 1
    alike = isinstance(data, Peers) and data.per_model is not None and data.targets is None
    return None if count == 1 or (alike and not isinstance(data.real, tuple)) else count


def numbered(dataset: Any) -> Any:
    """A data set whose trailing axes are numbered from 1."""
    known = ("statistic", "replicate", "generation", *dataset.coords)
    return dataset.assign_coords(
        {name: range(1, size + 1) for name, size in dataset.sizes.items() if name not in known}
    )


def axes(loop: Loop, name: str) -> tuple[str, ...]:
    """The trailing axes of an observable, behind the generation."""
    return tuple(_axes(loop, name))


def shape(loop: Loop, name: str) -> tuple[int, ...]:
    """Their lengths."""
    return tuple(_axes(loop, name).values())


def _axes(loop: Loop, name: str) -> dict[str, int]:
    source, models = loop.source, model_axis(loop)
    if models is not None:
        vectors = isinstance(source, Gaussian) and not source.is_scalar
        own = dict.fromkeys(AXES.get(name, ()), source.dimension) if vectors else {}
        return {} if name == "between_models" else {"model": models, **own}
    match source:
        case Categorical() | Poisson() if name == "extinct":
            return {"category": source.categories}
        case Mixture() if name == "weights":
            return {"component": source.components}
        case Mixture() if name == "mean_error" and not source.is_scalar:
            return {"coordinate": source.dimension}
        case Gaussian() if not source.is_scalar:
            return dict.fromkeys(AXES.get(name, ()), source.dimension)
        case _:
            return {}


def _is_singular(data: object, dimension: int) -> bool:
    if not isinstance(data, Replace):
        return False
    sizes = data.n if isinstance(data.n, tuple) else sample_sizes(data.n, 1)
    return any(size <= dimension for size in sizes if not is_symbolic(size))


def chosen(observables: Iterable[str] | None, there: Sequence[str]) -> tuple[str, ...]:
    """The observables asked for, each once: all that are `there` if None.

    Raises:
        LoopError: if one is not there, or a name stands where a list of names is meant.
    """
    if observables is None:
        return tuple(there)
    if isinstance(observables, str):
        raise LoopError("observable", observables, f"a list of names is needed: [{observables!r}]")
    if isinstance(observables, bytes | Mapping) or not isinstance(observables, Iterable):
        raise LoopError("observable", observables, "a list of names is needed")
    names: list[Any] = list(observables)
    for name in names:
        if not isinstance(name, str) or name not in there:
            raise LoopError("observable", name, f"not measured on this loop; there are: {', '.join(there)}")
    return tuple(dict.fromkeys(names))
