"""Text as symbols: read from a file, or the prose that every Python ships, and numbered.

Words are what stands between white space; every end of a line is a word of its own, `END`, as is usual for
WikiText. Symbols are numbered in the order of their code points.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from theory.loop import LoopError

END = "<eos>"


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text.

    Attributes:
        tokens: the number of each symbol, in the order of the text.
        symbols: the different ones.
        joint: what stands between two symbols: nothing, or a space.
    """

    tokens: Int32[np.ndarray, " token"]
    symbols: tuple[str, ...]
    joint: str

    def text(self, tokens: np.ndarray) -> str:
        """Symbols put together again."""
        return self.joint.join(self.symbols[token] for token in tokens).replace(f" {END} ", "\n")


def corpus(path: str | None, kind: str, least: int = 2) -> Corpus:
    """A text numbered by `characters` or by `words`.

    Args:
        path: of a file in UTF-8, packed by gzip if its name ends in .gz; None: the embedded prose.
        kind: what a symbol is.
        least: symbols there must be.

    Raises:
        LoopError: for a file that cannot be read, or too short a text.
    """
    return _numbered(prose() if path is None else _read(path), path, kind, least)


# by what the file holds: one that was written again is another text
@lru_cache(maxsize=4)
def _numbered(text: str, path: str | None, kind: str, least: int) -> Corpus:
    listed = list(text) if kind == "characters" else text.replace("\n", f" {END} ").split()
    if len(listed) < least:
        raise LoopError(
            "source.text", path, f"a text of at least {least} {kind} is needed: it has {len(listed)}"
        )
    symbols, tokens = np.unique(np.array(listed), return_inverse=True)
    return Corpus(tokens.astype(np.int32), tuple(symbols.tolist()), "" if kind == "characters" else " ")


def _read(path: str) -> str:
    try:
        data = Path(path).read_bytes()
        return (gzip.decompress(data) if path.endswith(".gz") else data).decode("utf-8")
    except (OSError, EOFError) as error:
        raise LoopError("source.text", path, f"the file cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise LoopError("source.text", path, "it is not text in UTF-8") from None


def prose() -> str:
    """The language reference that the standard library carries for `help` (`pydoc_data.topics`)."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))
