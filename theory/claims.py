"""CLAIMS: every result of the theory, its source, its range and the settings it is tested on."""

from __future__ import annotations

from theory.claim import Claim
from theory.gaussian_claims import GAUSSIAN_LINE


def _collected() -> tuple[Claim, ...]:
    claims: tuple[Claim, ...] = GAUSSIAN_LINE
    try:
        from theory.law_claims import GAUSSIAN_LAW

        claims += GAUSSIAN_LAW
    except ModuleNotFoundError:
        pass
    try:
        from theory.wishart_claims import GAUSSIAN_SPACE

        claims += GAUSSIAN_SPACE
    except ModuleNotFoundError:
        pass
    return claims


CLAIMS = _collected()
