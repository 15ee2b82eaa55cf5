"""A run on disk: a folder with one file a generation, each written whole, and what decides the numbers.

`run.json` holds the configuration and its hash; `generation_0003.npz` holds arrays and one JSON text, nothing
pickled. A run that was killed goes on after its last whole generation.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxsim.sweeps.configuration import described, digest, plain
from jaxsim.sweeps.durable import put, remove_leftovers
from theory.loop import LoopError

RECORD = "run.json"
FACTS = "facts"


class Checkpoints:
    """The generations of one run.

    Attributes:
        folder: where they lie.
    """

    def __init__(self, folder: Path, configuration: dict[str, Any]):
        """Open a run, or begin one.

        Args:
            folder: made if it is missing.
            configuration: all that decides the numbers.

        Raises:
            LoopError: if another run lies there, or the folder cannot be used.
        """
        self.folder = folder
        record = {"configuration": plain(configuration), "hash": digest(plain(configuration))}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            remove_leftovers(folder)
            if not (folder / RECORD).exists():
                if any(folder.iterdir()):
                    raise LoopError("-o", str(folder), "the folder holds something else than a run")
                put(folder / RECORD, json.dumps(record, indent=2).encode())
                return
            there = json.loads((folder / RECORD).read_text())
        except LoopError:
            raise
        except OSError as error:
            raise LoopError("-o", str(folder), f"it cannot be used ({error.strerror})") from None
        except ValueError:
            raise LoopError("-o", str(folder), f"its {RECORD} is damaged") from None
        if not isinstance(there, dict) or there.get("hash") != record["hash"]:
            differing = described(there.get("configuration", {}), configuration)
            raise LoopError("-o", str(folder), f"another run lies there: {differing}")

    def path(self, generation: int) -> Path:
        """The file of a generation."""
        return self.folder / f"generation_{generation:04d}.npz"

    def done(self) -> int:
        """The last generation up to which all are whole; 0 if there is none."""
        generation = 0
        while self.read(generation + 1) is not None:
            generation += 1
        return generation

    def write(self, generation: int, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
        """Keep a generation, whole or not at all."""
        content = io.BytesIO()
        text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        np.savez(content, **arrays, **{FACTS: text})
        put(self.path(generation), content.getvalue())

    def read(self, generation: int) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """The arrays and facts of a generation; None if it is not there, or not whole."""
        try:
            with self.path(generation).open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            facts = json.loads(arrays.pop(FACTS).tobytes())
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return arrays, facts


def flattened(name: str, tree: Any) -> dict[str, np.ndarray]:
    """The arrays of a pytree, named by their paths in it."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {f"{name}{jax.tree_util.keystr(path)}": np.asarray(leaf) for path, leaf in leaves}


def restored(name: str, arrays: dict[str, np.ndarray], like: Any) -> Any:
    """A pytree of the structure of `like`, from arrays that `flattened` named."""
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    return jax.tree.unflatten(tree, [arrays[f"{name}{jax.tree_util.keystr(path)}"] for path, _ in leaves])
