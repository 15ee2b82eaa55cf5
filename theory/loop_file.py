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

from theory.expression import Expression
from theory.loop import (
    Gaussian,
    Images,
    Loop,
    LoopError,
    MaximumLikelihood,
    Replace,
    Sampler,
    UnavailableError,
    Unbiased,
    is_symbolic,
)

FAMILIES = {part.family: part for part in (Gaussian, Images)}
POLICIES = {part.policy: part for part in (Replace,)}
ESTIMATORS = {part.name: part for part in (MaximumLikelihood, Unbiased)}

# What the interface names and this version does not do yet, table by table.
PLANNED = {
    "source.family": ("mixture", "categorical", "poisson", "linear", "markov", "text"),
    "data.policy": (
        "accumulate", "accumulate-subsample", "window", "memory", "fresh", "fixed", "web", "peers", "heal",
        "recipe",
    ),
    "estimator.name": ("weighted", "smoothed", "kernel-density", "least-squares", "ridge"),
}  # fmt: skip
PLANNED_KEYS = {
    "data": ("weight",),
    "estimator": (
        "fit", "iterations", "covariance", "pseudo_count", "towards", "order", "bandwidth", "penalty",
        "noise", "final",
    ),
    "sampler": ("top_k", "nucleus", "guidance"),
}  # fmt: skip
PLANNED_TABLES = ("selection", "generator", "training")
TABLES = ("source", "start", "data", "estimator", "sampler")


def from_mapping(tables: Any) -> Loop:
    """The loop that nested mappings describe (what TOML or JSON hold).

    Raises:
        LoopError: on an unknown or missing key, a value out of range, or a combination without meaning.
        UnavailableError: on what the vocabulary names but this version cannot do.
    """
    if not isinstance(tables, dict):
        raise LoopError("the loop", tables, "a table with source and data is needed")
    for name, content in tables.items():
        if name == "sweep":
            raise LoopError(name, None, "this is a grid of loops; run it with `autophagy sweep`")
        if name in PLANNED_TABLES:
            raise UnavailableError(name, content, "this table is not available yet")
        if name not in TABLES:
            raise LoopError(name, content, f"no such table; the tables are {', '.join(TABLES)}")
        if not isinstance(content, dict):
            raise LoopError(name, content, "a table is needed")
    source = _chosen(tables, "source", "family", FAMILIES)
    estimator = {"estimator": {"name": MaximumLikelihood.name}} | tables
    parts = {
        "source": source,
        "data": _chosen(tables, "data", "policy", POLICIES),
        "estimator": _chosen(estimator, "estimator", "name", ESTIMATORS),
        "sampler": _part(Sampler, tables.get("sampler", {}), "sampler"),
    }
    if "start" in tables:
        if not isinstance(source, Gaussian):
            raise UnavailableError("start", tables["start"], "it is not available yet for this source")
        given = {"family": source.family, "mean": source.mean, "variance": source.variance} | tables["start"]
        if given.pop("family") != source.family:
            raise LoopError("start.family", tables["start"]["family"], f"the source is {source.family}")
        parts["start"] = _part(Gaussian, given, "start")
    return Loop(**parts)


def to_mapping(loop: Loop) -> dict[str, dict[str, Any]]:
    """The normalised tables of `loop`, defaults filled in; `from_mapping` inverts it."""
    tables = {
        "source": {"family": loop.source.family} | _content(loop.source),
        "data": {"policy": loop.data.policy} | _content(loop.data),
        "estimator": {"name": loop.estimator.name} | _content(loop.estimator),
        "sampler": _content(loop.sampler),
    }
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
        settings: `table.key=value` changes made to it, the value in JSON or a bare word.
    """
    return from_mapping(tables(argument, settings))


def tables(argument: str, settings: list[str] | tuple[str, ...] = ()) -> dict[str, Any]:
    """The tables that `load` makes a loop of, as they are written."""
    if argument.lstrip().startswith("{"):
        found = _json_tables(argument)
    else:
        text = _text(argument)
        found = _json_tables(text) if text.lstrip().startswith("{") else _toml_tables(text)
    if not isinstance(found, dict):
        raise LoopError("the loop", found, "a table with source and data is needed")
    for setting in settings:
        path, equals, value = setting.partition("=")
        table, dot, key = path.strip().partition(".")
        if not (equals and dot and key):
            raise LoopError("--set", setting, "write table.key=value")
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
    if isinstance(choice, str) and choice in PLANNED.get(f"{table}.{key}", ()):
        raise UnavailableError(
            f"{table}.{key}", choice, f"it is not available yet; available: {', '.join(choices)}"
        )
    if not isinstance(choice, str) or choice not in choices:
        raise LoopError(f"{table}.{key}", choice, f"unknown; available: {', '.join(choices)}")
    return _part(choices[choice], content, table)


def _part(kind: type, content: dict[str, Any], table: str) -> Any:
    keys = {field.name: field for field in fields(kind)}
    for key, value in content.items():
        if key in keys and value is None:
            raise LoopError(f"{table}.{key}", value, "null is not a value")
        if key not in keys and key in PLANNED_KEYS.get(table, ()):
            raise UnavailableError(f"{table}.{key}", value, "this key is not available yet")
        if key not in keys:
            known = ", ".join(keys) or "none"
            raise LoopError(f"{table}.{key}", value, f"no such key here; there are: {known}")
    for key, field in keys.items():
        if key not in content and field.default is MISSING:
            raise LoopError(f"{table}.{key}", None, "it is missing")
    try:
        return kind(**content)
    except LoopError as error:
        raise error.under(table) from None


def _content(part: Any) -> dict[str, Any]:
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    return {key: _plain(value) for key, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Fraction):
        return str(value)
    if is_dataclass(value) and not isinstance(value, Expression):
        name = getattr(value, "policy", None)  # a policy inside another; else an ingredient of a recipe
        return ({} if name is None else {"policy": name}) | _content(value)
    if isinstance(value, Expression):
        return value.text
    return str(value) if is_symbolic(value) else value


def _json_tables(text: str) -> dict:
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
        raise LoopError("the loop", text, f"it is not JSON ({error})") from None


def _toml_tables(text: str) -> dict:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoopError("the loop", text, f"it is not TOML ({error})") from None


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
