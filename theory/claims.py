"""CLAIMS: every result of the theory, its source, its range and the settings it is tested on."""

from __future__ import annotations

from theory.gaussian_claims import GAUSSIAN_LINE
from theory.law_claims import GAUSSIAN_LAW
from theory.wishart_claims import GAUSSIAN_SPACE

CLAIMS = GAUSSIAN_LINE + GAUSSIAN_LAW + GAUSSIAN_SPACE
