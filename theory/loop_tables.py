"""The tables of a loop as a person writes them: TOML, JSON, and changes made to them. Vocabulary only."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from theory.quantity import LoopError

TABLES = ("source", "start", "data", "estimator", "sampler", "selection", "generator", "training")
SWEEP = "sweep"
"""The table whose keys are dotted paths themselves."""
CHOOSING = ("family", "policy", "name", "rule", "kind")
"""Keys that choose what the others of their table are."""


def tables(argument: str, settings: Sequence[str] = ()) -> dict[str, Any]:
    """What a command line names, as it is written: a file, `-` for standard input, or an inline JSON object.

    Args:
        argument: as above; a file's format is TOML unless it begins with `{`.
        settings: changes made to it: `table.key=value`, or `table.key.inner=value` inside a table of a table,
            the value in JSON or a bare word; or `table={...}`.

    Raises:
        LoopError: on what cannot be read, or no setting.
    """
    if argument.lstrip().startswith("{"):
        found = json_tables(argument)
    else:
        text = _text(argument)
        found = (json_tables if text.lstrip().startswith("{") else toml_tables)(text, argument)
    if not isinstance(found, dict):
        raise LoopError("the loop", found, "a table with source and data is needed")
    for setting in settings:
        _change(found, setting)
    return found


def _change(found: dict[str, Any], setting: str) -> None:
    """Make one change."""
    path, equals, text = setting.partition("=")
    table, *keys = path.strip().split(".")
    value = _value(text)
    if equals and table and not keys and isinstance(value, dict):
        found[table] = value
        return
    if not (equals and table and keys and all(keys)):
        raise LoopError("--set", setting, _meant(found, path.strip(), text) if equals else _WRITE)
    if table == SWEEP:
        keys = [".".join(keys)]
    where, name = found, table
    for key in keys:
        inner = where.setdefault(name, {})
        if not isinstance(inner, dict):
            raise LoopError("--set", setting, f"{name} is {json.dumps(inner)}, which holds no {key}")
        where, name = inner, key
    where[name] = value


_WRITE = "write table.key=value, or table={...} for a whole table"


def _meant(found: dict[str, Any], path: str, text: str) -> str:
    """What a setting without a table, or without a key, may have meant."""
    inside = found.get(path)
    if isinstance(inside, dict):
        keys = [f"{path}.{key}" for key in inside if key not in CHOOSING]
        said = f"{path} is a table: "
    else:
        keys = [f"{table}.{path}" for table, held in found.items() if isinstance(held, dict) and path in held]
        said = ""
    return f"{said}write {' or '.join(f'{key}={text}' for key in keys)}" if keys else said + _WRITE


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()


def json_tables(text: str, name: str | None = None) -> dict[str, Any]:
    """The tables of a JSON text, which `name` names in a refusal; no key may stand twice."""

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


def toml_tables(text: str, name: str | None = None) -> dict[str, Any]:
    """The tables of a TOML text."""
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
