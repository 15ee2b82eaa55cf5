"""The estimator `weighted`: portions fitted apart and averaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Weighted:
    """Weighted averages of the portions' means and unbiased variances, no spread between portions.

    The scheme of He et al. (2025), arXiv:2502.18049; it needs a weight.
    """

    name: ClassVar[str] = "weighted"
