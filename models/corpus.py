"""Text corpora by name, found in the data folder: `jaxsim.text.corpus` reads them."""

from __future__ import annotations

import os
from pathlib import Path

from jaxsim.text.corpus import Corpus, corpus

__all__ = ["CORPORA", "Corpus", "corpus", "path_of"]

FOLDER = "AUTOPHAGY_DATA"

CORPORA = {
    "tinyshakespeare": ("tinyshakespeare/input.txt", "characters"),
    "wikitext-2": ("wikitext-2/train.shuffled-articles.txt.gz", "words"),
}
"""Name -> (file in the data folder, what a symbol usually is)."""


def path_of(name: str) -> Path:
    """The file of a corpus in the folder that the environment variable AUTOPHAGY_DATA names.

    Raises:
        FileNotFoundError: saying what is missing.
    """
    if name not in CORPORA:
        raise FileNotFoundError(f"{name!r} is no corpus known here; there are: {', '.join(CORPORA)}")
    folder = os.environ.get(FOLDER)
    if not folder:
        raise FileNotFoundError(f"{name} is looked for in the folder that {FOLDER} names, and it is not set")
    path = Path(folder) / CORPORA[name][0]
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    return path
