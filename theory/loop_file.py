"""Loops from and to TOML, JSON and command-line settings; refusals name the key, the value, the reason."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, fields, is_dataclass
from fractions import Fraction
from typing import Any, get_args

from theory.combination import GENERATED, TABLE, only, usual_estimator
from theory.discrete_source import Categorical, Markov, Poisson
from theory.estimator import KernelDensity, MaximumLikelihood, Smoothed, Unbiased, Weighted
from theory.expression import Expression
from theory.generator import GENERATORS, Training
from theory.linear import LeastSquares, Linear, Ridge
from theory.loop import Loop
from theory.loop_tables import TABLES, json_tables, tables, toml_tables
from theory.policy import (
    Heal,
    Policy,
)
from theory.quantity import LoopError, is_symbolic
from theory.sampler import Sampler
from theory.selection import RULES
from theory.source import Gaussian, Images, Mixture

FAMILIES = {part.family: part for part in (Gaussian, Mixture, Categorical, Poisson, Linear, Markov, Images)}
POLICIES = {part.policy: part for part in get_args(Policy)}
ESTIMATORS = {
    part.name: part
    for part in (MaximumLikelihood, Unbiased, Weighted, Smoothed, KernelDensity, LeastSquares, Ridge)
}


def from_mapping(tables: Any) -> Loop:
    """The loop that nested mappings describe (what TOML or JSON hold).

    Raises:
        LoopError: on an unknown or missing key, a value out of range, or a combination without meaning.
    """
    if not isinstance(tables, dict):
        raise LoopError("the loop", tables, "a table with source and data is needed")
    for name, content in tables.items():
        if name == "sweep":
            raise LoopError(name, None, "this is a grid of loops; run it with `autophagy sweep`")
        if name not in TABLES:
            raise LoopError(name, content, f"no such table; the tables are {', '.join(TABLES)}")
        if not isinstance(content, dict):
            raise LoopError(name, content, "a table is needed")
    source = _chosen(tables, "source", "family", FAMILIES)
    row = TABLE[type(source)]
    biases = GENERATED if "generator" in tables else row.biases
    parts = {
        "source": source,
        "data": _chosen(tables, "data", "policy", POLICIES, row.policies),
        "estimator": _estimator(tables, source),
        "sampler": _part(Sampler, tables.get("sampler", {}), "sampler", (*biases, "applies_to_source")),
    }
    if "selection" in tables:
        parts["selection"] = _chosen(tables, "selection", "rule", RULES, row.rules)
    if "generator" in tables:
        parts["generator"] = _chosen(tables, "generator", "kind", GENERATORS)
    if "training" in tables:
        parts["training"] = _part(Training, tables["training"], "training")
    if "start" in tables:
        given = {"family": source.family} | _unlike(source, tables["start"])
        if given.pop("family") != source.family:
            raise LoopError("start.family", tables["start"]["family"], f"the source is {source.family}")
        parts["start"] = _part(type(source), given, "start")
    return Loop(**parts)


def _estimator(tables: dict[str, Any], source: Any) -> Any:
    """The estimator described; without a name the family's usual one, other keys kept."""
    content = {"name": usual_estimator(source).name} | tables.get("estimator", {})
    row = TABLE[type(source)]
    return _chosen(
        tables | {"estimator": content}, "estimator", "name", ESTIMATORS, row.estimators, row.options
    )


def _unlike(source: Any, start: dict[str, Any]) -> dict[str, Any]:
    """The keys of the source, changed as the start says."""
    given = _content(source) | start
    for key, other in (("probabilities", "zipf"), ("zipf", "probabilities")):
        if key in start and other not in start:
            given.pop(other, None)
    return given


def to_mapping(loop: Loop) -> dict[str, dict[str, Any]]:
    """The normalised tables of `loop`, defaults filled in; `from_mapping` inverts it."""
    tables = {
        "source": {"family": loop.source.family} | _content(loop.source),
        "data": {"policy": loop.data.policy} | _content(loop.data),
        "estimator": {"name": loop.estimator.name} | _content(loop.estimator),
        "sampler": _content(loop.sampler),
    }
    if loop.selection is not None:
        tables["selection"] = {"rule": loop.selection.rule} | _content(loop.selection)
    if loop.generator is not None:
        tables["generator"] = {"kind": loop.generator.kind} | _content(loop.generator)
    if loop.training is not None:
        tables["training"] = _content(loop.training)
    if loop.start is not None:
        tables["start"] = {"family": loop.start.family} | _content(loop.start)
    return tables


def from_toml(text: str) -> Loop:
    """The loop a TOML document describes."""
    return from_mapping(toml_tables(text))


def to_toml(loop: Loop) -> str:
    """A TOML document for `loop`."""
    import tomli_w

    return tomli_w.dumps(to_mapping(loop))


def from_json(text: str) -> Loop:
    """The loop a JSON object describes."""
    return from_mapping(json_tables(text))


def to_json(loop: Loop) -> str:
    """A JSON object for `loop`: canonical, keys sorted, so that equal loops have equal text."""
    return json.dumps(to_mapping(loop), sort_keys=True, separators=(",", ":"))


def loop_hash(loop: Loop) -> int:
    """A 64-bit number that names `loop`: the head of the SHA-256 of its canonical JSON."""
    return int.from_bytes(hashlib.sha256(to_json(loop).encode()).digest()[:8], "big")


def load(argument: str, settings: list[str] | tuple[str, ...] = ()) -> Loop:
    """The loop a command line names: a file, `-` for standard input, or an inline JSON object.

    Args:
        argument: as above; a file's format is TOML unless it begins with `{`.
        settings: changes made to it, as in `theory.loop_tables.tables`.
    """
    return from_mapping(tables(argument, settings))


def to_settings(loop: Loop) -> list[str]:
    """`table.key=value` settings which, put on `{}`, give `loop`."""
    return [
        f"{table}.{key}={json.dumps(value)}"
        for table, content in to_mapping(loop).items()
        for key, value in content.items()
    ]


def _chosen(
    tables: dict,
    table: str,
    key: str,
    choices: dict[str, type],
    fitting: tuple[type, ...] | None = None,
    keys: tuple[str, ...] | None = None,
) -> Any:
    """The part that `table` describes, its class chosen by `key`; refusals name `fitting` ones and `keys`."""
    if table not in tables:
        raise LoopError(table, None, f"the table [{table}] is missing")
    content = dict(tables[table])
    known = ", ".join(word for word, kind in choices.items() if fitting is None or kind in fitting) or "none"
    if key not in content:
        raise LoopError(f"{table}.{key}", None, f"it is missing; available: {known}")
    choice = content.pop(key)
    if not isinstance(choice, str) or choice not in choices:
        raise LoopError(f"{table}.{key}", choice, f"unknown; available: {known}")
    if fitting is not None and choices[choice] not in fitting:
        family = tables["source"]["family"]
        raise LoopError(f"{table}.{key}", choice, only(family, f"{table} choices", known))
    return _part(choices[choice], content, table, keys)


def _part(kind: type, content: dict[str, Any], table: str, shown: tuple[str, ...] | None = None) -> Any:
    """A part from its keys; a refusal names those that are `shown`, all if None."""
    keys = {field.name: field for field in fields(kind)}
    for key, value in content.items():
        if key in keys and value is None:
            raise LoopError(f"{table}.{key}", value, "null is not a value")
        if key not in keys:
            if (table, key) in (("source", "text"), ("source", "symbols")):
                raise LoopError(f"{table}.{key}", value, 'a text needs family = "markov"')
            known = ", ".join(key for key in keys if shown is None or key in shown) or "none"
            raise LoopError(f"{table}.{key}", value, f"no such key here; there are: {known}")
    for key, field in keys.items():
        if key not in content and field.default is MISSING:
            words = getattr(kind, "choices", {}).get(key)
            which = "" if words is None else f"; one of {', '.join(words)} is needed"
            raise LoopError(f"{table}.{key}", None, f"it is missing{which}")
    if kind is Heal:
        content = content | {"contaminated": _contaminated(content["contaminated"], table)}
    try:
        return kind(**content)
    except LoopError as error:
        raise error.under(table) from None


def _contaminated(content: Any, table: str) -> Any:
    """The policy inside `heal`."""
    if not isinstance(content, dict):
        raise LoopError(f"{table}.contaminated", content, "a data table is needed")
    try:
        return _chosen({"contaminated": content}, "contaminated", "policy", POLICIES)
    except LoopError as error:
        raise error.under(table) from None


def _content(part: Any) -> dict[str, Any]:
    """The keys of a part; one that writes itself has a method `table`."""
    if hasattr(part, "table"):
        return {key: _plain(value) for key, value in part.table().items()}
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    return {key: _plain(value) for key, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Fraction):
        return str(value)
    if is_dataclass(value) and not isinstance(value, Expression):
        name = getattr(value, "policy", None)  # a policy inside another; else an ingredient of a recipe
        return ({} if name is None else {"policy": name}) | _content(value)
    if isinstance(value, Expression):
        return value.text
    return str(value) if is_symbolic(value) else value
