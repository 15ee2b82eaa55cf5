"""Which parts of a loop go together: a table of family by policy, estimator, sampler and selection.

What is in the table makes sense; whether there is a closed form or an engine for it, they say themselves.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NamedTuple, get_args

from theory.discrete_source import Categorical, Markov, Poisson
from theory.estimator import KernelDensity, MaximumLikelihood, Smoothed, Unbiased, Weighted
from theory.generator import check_training
from theory.linear import LeastSquares, Linear, Ridge, check_linear
from theory.policy import (
    OPTIMAL_IN_TIME,
    Accumulate,
    Fixed,
    Fresh,
    Heal,
    Peers,
    Policy,
    Replace,
    Web,
    WrittenRecipe,
)
from theory.quantity import LoopError, is_symbolic
from theory.selection import (
    BestOf,
    BradleyTerry,
    Correction,
    Detector,
    Tilt,
    TopFraction,
    Verifier,
    check_dimension,
)
from theory.source import Gaussian, Images, Mixture


class Row(NamedTuple):
    """What goes with a family.

    Attributes:
        policies, estimators, rules: classes.
        biases: keys of the sampler.
        options: keys of the estimator that say something here.
        starts: whether model 0 may differ from the source.
    """

    policies: tuple[type, ...]
    estimators: tuple[type, ...]
    biases: tuple[str, ...]
    rules: tuple[type, ...] = ()
    options: tuple[str, ...] = ()
    starts: bool = True


ONE_MODEL = tuple(policy for policy in get_args(Policy) if policy is not Peers)
NO_MOMENTS = tuple(policy for policy in ONE_MODEL if policy is not Heal)
BY_VALUE = (TopFraction, BestOf, BradleyTerry, Tilt, Verifier)
BY_LABEL = (Detector, Correction)

TABLE = {
    Gaussian: Row(
        (*ONE_MODEL, Peers),
        (MaximumLikelihood, Unbiased, Weighted, KernelDensity),
        ("bias", "truncate", "temperature"),
        BY_VALUE + BY_LABEL,
        ("bandwidth",),
    ),
    Images: Row(
        (*ONE_MODEL, Peers),
        (MaximumLikelihood, Unbiased, Weighted),
        ("bias", "truncate", "temperature", "guidance"),
        BY_VALUE + BY_LABEL,
        starts=False,
    ),
    Mixture: Row(
        NO_MOMENTS,
        (MaximumLikelihood, Unbiased, KernelDensity),
        ("bias",),
        (TopFraction, BestOf),
        ("fit", "iterations", "covariance", "bandwidth"),
    ),
    Categorical: Row(
        NO_MOMENTS,
        (MaximumLikelihood, Smoothed),
        ("temperature", "top_k", "nucleus"),
        (BestOf, BradleyTerry),
        ("pseudo_count", "towards"),
    ),
    Poisson: Row((Replace,), (MaximumLikelihood,), ()),
    Markov: Row(
        (Replace, Fresh, Fixed, Accumulate),
        (MaximumLikelihood, Smoothed),
        ("temperature", "top_k", "nucleus"),
        options=("order", "pseudo_count", "towards"),
        starts=False,
    ),
    Linear: Row(
        (Replace, Accumulate, Fresh),
        (LeastSquares, Ridge),
        ("bias",),
        options=("noise", "penalty", "final"),
    ),
}  # fmt: skip


GENERATED = ("bias", "truncate", "temperature", "guidance")
"""What biases the samples of a real generator."""


def usual_estimator(source: Any) -> Any:
    """What a loop is fitted by unless it says otherwise."""
    return LeastSquares() if isinstance(source, Linear) else MaximumLikelihood()


def check(loop: Any) -> None:
    """Refuse parts that make no sense together.

    Raises:
        LoopError: naming the key, its value and the reason.
    """
    family = loop.source.family
    row = TABLE.get(type(loop.source))
    if row is None:
        raise LoopError("source.family", family, "it is not in the table of what goes together")
    _require("data.policy", loop.data, row.policies, "policy", family)
    _require("estimator.name", loop.estimator, row.estimators, "name", family)
    if loop.generator is not None and not isinstance(loop.source, Gaussian | Mixture | Images):
        raise LoopError("generator", loop.generator.kind, f"the family {family} has none")
    check_training(loop.generator, loop.training)
    biases = row.biases if loop.generator is None else GENERATED
    for key in loop.sampler.given:
        if key not in biases:
            known = ", ".join(biases) or "none"
            raise LoopError(f"sampler.{key}", getattr(loop.sampler, key), only(family, "biases", known))
    if loop.selection is not None:
        _require("selection.rule", loop.selection, row.rules, "rule", family)
    for field in fields(loop.estimator):
        value = getattr(loop.estimator, field.name)
        if field.name not in row.options and value != field.default:
            raise LoopError(f"estimator.{field.name}", value, f"it means nothing for the family {family}")
    if isinstance(loop.estimator, KernelDensity) and isinstance(loop.data, Peers):
        raise LoopError("data.policy", loop.data.policy, "kernel-density is fitted by one model alone")
    _check_weight(loop)
    _check_start(loop, row)
    if isinstance(loop.source, Linear):
        check_linear(loop)
    if isinstance(loop.source, Gaussian) and loop.selection is not None:
        _check_selection(loop)
    if isinstance(loop.source, Categorical):
        _check_categories(loop)


def _require(key: str, part: Any, kinds: tuple[type, ...], word: str, family: str) -> None:
    if not isinstance(part, kinds):
        known = ", ".join(getattr(kind, word) for kind in kinds) or "none"
        raise LoopError(key, getattr(part, word), only(family, f"{key.partition('.')[0]} choices", known))


def only(family: str, what: str, known: str) -> str:
    """What a family takes, in words; `known` is none where it takes nothing of the kind."""
    return f"the family {family} takes {known}" if known != "none" else f"the family {family} has no {what}"


def weight_of(policy: Policy) -> Any:
    """The weight of the real data under a policy, or under what a healing one heals; None if it has none."""
    inner = policy.contaminated if isinstance(policy, Heal) else policy
    if isinstance(inner, WrittenRecipe):
        return next((i.weight for meal in inner.generations for i in meal if i.weight is not None), None)
    return getattr(inner, "weight", None)


def _check_weight(loop: Any) -> None:
    weight = weight_of(loop.data)
    if isinstance(loop.estimator, Unbiased) and (weight is not None or isinstance(loop.data, Heal)):
        raise LoopError("estimator.name", "unbiased", "with a weight there is no unbiased fit; take weighted")
    if isinstance(loop.estimator, Weighted) and weight is None:
        raise LoopError("estimator.name", "weighted", "it needs data.weight")
    if weight is not None and isinstance(loop.estimator, KernelDensity | Smoothed):
        raise LoopError("data.weight", weight, f"{loop.estimator.name} takes no weights")


def _check_start(loop: Any, row: Row) -> None:
    start, source, data = loop.start, loop.source, loop.data
    if start is None:
        return
    if not row.starts:
        raise LoopError("start", start.family, f"the family {source.family} takes no start")
    if type(start) is not type(source):
        raise LoopError("start", start, "it must be of the family of the source")
    for key in ("is_scalar", "dimension", "components", "categories"):
        if getattr(start, key, None) != getattr(source, key, None):
            raise LoopError("start", start, f"it must have the {_spoken(key)} of the source")
    data = data.contaminated if isinstance(data, Heal) else data
    alone = isinstance(data, Fixed | Web) or getattr(data, "weight", None) == OPTIMAL_IN_TIME
    if alone:
        raise LoopError("start", start, "generation 1 is fitted to real points alone: it is never sampled")
    if isinstance(data, Peers) and data.targets is not None:
        raise LoopError("start", start, "every model begins as its own target")


def _spoken(key: str) -> str:
    return {"components": "number of components", "categories": "number of categories"}.get(key, "dimension")


def _check_selection(loop: Any) -> None:
    try:
        check_dimension(loop.selection, loop.source)
    except LoopError as error:
        raise error.under("selection") from None
    if isinstance(loop.estimator, KernelDensity):
        raise LoopError("selection.rule", loop.selection.rule, "kernel-density takes no selection")


def _check_categories(loop: Any) -> None:
    """A score over categories has a number for each; so has what smoothing draws to."""
    size = loop.source.categories
    for key, part in (("selection.direction", loop.selection), ("estimator.towards", loop.estimator)):
        value = getattr(part, key.partition(".")[2], None)
        if part is None or isinstance(value, str):
            continue
        if key.startswith("selection"):
            if getattr(part, "score", "linear") != "linear":
                raise LoopError("selection.score", part.score, "categories have rewards: the score is linear")
            if not isinstance(value, tuple):
                given = None if value == 1.0 else value  # 1 is what a line has unless told otherwise
                raise LoopError(key, given, f"a list of {size} rewards is needed, one a category")
        if isinstance(value, tuple) and len(value) != size:
            raise LoopError(key, list(value), f"there are {size} categories")
    k = loop.sampler.top_k
    if k is not None and not is_symbolic(k) and k > size:
        raise LoopError("sampler.top_k", k, f"there are {size} categories")
