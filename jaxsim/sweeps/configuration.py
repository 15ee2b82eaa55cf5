"""What decides the numbers of a sweep, and how two of them differ."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

DERIVED = ("unit",)
"""Keys of a sweep's configuration that follow from the others."""
PACKAGES = ("jax", "jaxlib", "numpy", "zarr")


def plain(configuration: dict[str, Any]) -> dict[str, Any]:
    """The tables as JSON gives them back, so that tuples and lists compare."""
    return json.loads(json.dumps(configuration))


def digest(configuration: dict[str, Any]) -> str:
    """The SHA-256 of a configuration's canonical JSON."""
    text = json.dumps(configuration, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def differences(a: Any, b: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The dotted keys at which two nested tables differ, with both values."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*a, *b}):
            yield from differences(a.get(key), b.get(key), f"{path}.{key}" if path else key)
    elif a != b:
        yield path, a, b


def described(there: dict[str, Any], here: dict[str, Any], most: int = 4) -> str:
    """The first keys that differ, with their values, in words; one nobody sets only if it is alone."""
    differing = list(differences(there, plain(here)))
    chosen = [each for each in differing if each[0] not in DERIVED] or differing
    found = [f"{key} is {_short(a)} there and {_short(b)} here" for key, a, b in chosen]
    return "; ".join(found[:most]) + (f"; and {len(found) - most} more" if len(found) > most else "")


def versions() -> dict[str, str]:
    """The packages that decide the last bits."""
    return {name: version(name) for name in PACKAGES}


def commit() -> str | None:
    """The commit of the source tree this runs from, if it is one."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
