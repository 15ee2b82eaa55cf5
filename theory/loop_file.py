"""Loops from and to TOML, JSON and command-line settings; refusals name the key, the value, the reason."""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from dataclasses import MISSING, fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from theory.discrete_source import Categorical, Markov, Poisson
from theory.estimator import KernelDensity, MaximumLikelihood, Smoothed, Unbiased, Weighted
from theory.expression import Expression
from theory.generator import GENERATORS, Training
from theory.linear import LeastSquares, Linear, Ridge
from theory.loop import Loop
from theory.policy import (
    Accumulate,
    AccumulateSubsample,
    Fixed,
    Fresh,
    Heal,
    Memory,
    Peers,
    Replace,
    Web,
    Window,
    WrittenRecipe,
)
from theory.quantity import LoopError, is_symbolic
from theory.sampler import Sampler
from theory.selection import RULES
from theory.source import Gaussian, Images, Mixture

FAMILIES = {part.family: part for part in (Gaussian, Mixture, Categorical, Poisson, Linear, Markov, Images)}
POLICIES = {
    part.policy: part
    for part in (
        Replace,
        Accumulate,
        AccumulateSubsample,
        Window,
        Memory,
        Fresh,
        Fixed,
        Web,
        Peers,
        Heal,
        WrittenRecipe,
    )
}
ESTIMATORS = {
    part.name: part
    for part in (MaximumLikelihood, Unbiased, Weighted, Smoothed, KernelDensity, LeastSquares, Ridge)
}

TABLES = ("source", "start", "data", "estimator", "sampler", "selection", "generator", "training")


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
    parts = {
        "source": source,
        "data": _chosen(tables, "data", "policy", POLICIES),
        "estimator": _estimator(tables, source),
        "sampler": _part(Sampler, tables.get("sampler", {}), "sampler"),
    }
    if "selection" in tables:
        parts["selection"] = _chosen(tables, "selection", "rule", RULES)
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
    from theory.combination import usual_estimator

    content = {"name": usual_estimator(source).name} | tables.get("estimator", {})
    return _chosen({"estimator": content}, "estimator", "name", ESTIMATORS)


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
    return from_mapping(_toml_tables(text))


def to_toml(loop: Loop) -> str:
    """A TOML document for `loop`."""
    import tomli_w

    return tomli_w.dumps(to_mapping(loop))


def from_json(text: str) -> Loop:
    """The loop a JSON object describes."""
    return from_mapping(_json_tables(text))


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
        settings: `table.key=value` changes made to it, the value in JSON or a bare word; or `table={...}`.
    """
    return from_mapping(tables(argument, settings))


def tables(argument: str, settings: list[str] | tuple[str, ...] = ()) -> dict[str, Any]:
    """The tables that `load` makes a loop of, as they are written."""
    if argument.lstrip().startswith("{"):
        found = _json_tables(argument)
    else:
        text = _text(argument)
        found = (_json_tables if text.lstrip().startswith("{") else _toml_tables)(text, argument)
    if not isinstance(found, dict):
        raise LoopError("the loop", found, "a table with source and data is needed")
    for setting in settings:
        path, equals, value = setting.partition("=")
        table, dot, key = path.strip().partition(".")
        whole = _setting_value(value)
        if equals and table and not dot and isinstance(whole, dict):
            found[table] = whole
            continue
        if not (equals and dot and key):
            raise LoopError("--set", setting, "write table.key=value, or table={...} for a whole table")
        if not isinstance(found.setdefault(table, {}), dict):
            raise LoopError(table, found[table], "a table is needed")
        found[table][key] = _setting_value(value)
    return found


def to_settings(loop: Loop) -> list[str]:
    """`table.key=value` settings which, put on `{}`, give `loop`."""
    return [
        f"{table}.{key}={json.dumps(value)}"
        for table, content in to_mapping(loop).items()
        for key, value in content.items()
    ]


def _chosen(tables: dict, table: str, key: str, choices: dict[str, type]) -> Any:
    """The part that `table` describes, its class chosen by `key`."""
    if table not in tables:
        raise LoopError(table, None, f"the table [{table}] is missing")
    content = dict(tables[table])
    if key not in content:
        raise LoopError(f"{table}.{key}", None, f"it is missing; available: {', '.join(choices)}")
    choice = content.pop(key)
    if not isinstance(choice, str) or choice not in choices:
        raise LoopError(f"{table}.{key}", choice, f"unknown; available: {', '.join(choices)}")
    return _part(choices[choice], content, table)


def _part(kind: type, content: dict[str, Any], table: str) -> Any:
    keys = {field.name: field for field in fields(kind)}
    for key, value in content.items():
        if key in keys and value is None:
            raise LoopError(f"{table}.{key}", value, "null is not a value")
        if key not in keys:
            known = ", ".join(keys) or "none"
            raise LoopError(f"{table}.{key}", value, f"no such key here; there are: {known}")
    for key, field in keys.items():
        if key not in content and field.default is MISSING:
            raise LoopError(f"{table}.{key}", None, "it is missing")
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


def _json_tables(text: str, name: str | None = None) -> dict:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table: dict[str, Any] = {}
        for key, value in pairs:
            if key in table:
                raise LoopError(key, value, "the key is given twice")
            table[key] = value
        return table

    try:
        return json.loads(text, object_pairs_hook=unique)
    except LoopError:
        raise
    except (ValueError, RecursionError) as error:
        raise LoopError("the loop", name or text, f"it is not JSON ({error})") from None


def _toml_tables(text: str, name: str | None = None) -> dict:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoopError("the loop", name or text, f"it is not TOML ({error})") from None


def _text(argument: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if argument == "-" else Path(argument).read_bytes()
        return raw.decode()
    except UnicodeDecodeError:
        raise LoopError("the loop", argument, "the file is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LoopError("the loop", argument, f"the file cannot be read ({reason})") from None


def _setting_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()
