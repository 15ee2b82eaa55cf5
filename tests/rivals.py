"""Wrong theories, one step away from the right one: what every claim must be told apart from."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from theory.claim import Case, Experiment
from theory.loop import Loop, LoopError, MaximumLikelihood, Unbiased

PARTS = ("data", "estimator", "selection")
"""Parts of a loop whose whole numbers may be one too large."""


def rivals(case: Case) -> Iterator[tuple[str, Case]]:
    """The same question about something that differs by one of the errors people make.

    A rival that cannot be built (a count that must be even, a weight without its estimator) is left out
    alone.
    """
    for name, make in _errors(case):
        try:
            yield name, replace(case, **make())
        except (LoopError, NotImplementedError):
            continue


def _errors(case: Case) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Names of errors, and what makes the fields of the case that they change."""
    if case.generations:
        yield "a generation late", lambda: {"generations": tuple(g + 1 for g in case.generations)}
    if isinstance(case.loop, Experiment):
        yield from _of_experiment(case.loop)
    elif isinstance(case.loop, Loop):
        yield from _of_loop(case.loop)


def _of_experiment(experiment: Experiment) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Every whole number one too large, every other number a tenth too small."""
    given = experiment.parameters
    for place, (name, value) in enumerate(given):
        wrong = [(more, f"{name} + 1") for more in _one_more(value)]
        if isinstance(value, float):
            wrong = [(0.9 * value, f"0.9 {name}")]
        for other, what in wrong:
            changed = (*given[:place], (name, other), *given[place + 1 :])
            yield what, lambda changed=changed: {"loop": Experiment(experiment.name, changed)}


def _of_loop(loop: Loop) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """The other divisor, whole numbers one too large, weights exchanged, lambda in another place or none."""

    def with_(**parts: Any) -> Callable[[], dict[str, Any]]:
        return lambda: {"loop": loop.with_(**{name: part() for name, part in parts.items()})}

    if loop.estimator == MaximumLikelihood():
        yield "the other divisor", with_(estimator=Unbiased)
    if loop.estimator == Unbiased():
        yield "the other divisor", with_(estimator=MaximumLikelihood)
    for part in PARTS:
        for name, changed in _larger(getattr(loop, part)):
            yield f"{part}.{name} + 1", with_(**{part: changed})
    weight = getattr(loop.data, "weight", None)
    if isinstance(weight, float):
        yield "weights exchanged", with_(data=lambda: replace(loop.data, weight=1 - weight))
    where = not loop.sampler.applies_to_source
    if loop.sampler != type(loop.sampler)():
        yield (
            "the sampler once too often or too rarely",
            with_(sampler=lambda: replace(loop.sampler, applies_to_source=where)),
        )
        yield "no sampler", with_(sampler=type(loop.sampler))
    if loop.selection is not None:
        yield "no selection", with_(selection=lambda: None)
    if loop.start is not None:
        yield "a start at the source", with_(start=lambda: None)


def _larger(part: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """A part with one of its whole numbers, however deep, one larger: what names it, and what builds it."""
    if not is_dataclass(part):
        return
    for field in fields(part):
        value = getattr(part, field.name)
        for more in _one_more(value):
            yield field.name, lambda name=field.name, more=more: replace(part, **{name: more})
        for name, changed in _larger(value):
            yield (
                f"{field.name}.{name}",
                lambda name=field.name, changed=changed: replace(part, **{name: changed()}),
            )


def _one_more(value: Any) -> Iterator[Any]:
    """A whole number one larger; of a sequence of them, all of them."""
    if _whole(value) and value != ():
        yield _up(value)


def _whole(value: Any) -> bool:
    nested = isinstance(value, tuple) and all(map(_whole, value))
    return nested or (isinstance(value, int) and not isinstance(value, bool))


def _up(value: Any) -> Any:
    return tuple(map(_up, value)) if isinstance(value, tuple) else value + 1
