"""CLAIMS: every result of the theory, its source, its range and the settings it is tested on."""

from __future__ import annotations

from dataclasses import replace

from theory.claim import Claim
from theory.claims.accumulate import ACCUMULATED
from theory.claims.categorical import CATEGORICAL
from theory.claims.categorical_chain import CATEGORICAL_CHAINS
from theory.claims.categorical_pool import CATEGORICAL_POOLS
from theory.claims.diffusion import DIFFUSION_CLAIMS
from theory.claims.ecosystem import ECOSYSTEM
from theory.claims.gaussian import GAUSSIAN_LINE
from theory.claims.gaussian_threshold import GAUSSIAN_THRESHOLDS
from theory.claims.kernel_density import KERNELS
from theory.claims.law import GAUSSIAN_LAW
from theory.claims.metrics import METRIC_CLAIMS
from theory.claims.mixed import MIXED
from theory.claims.mixture import MIXTURES
from theory.claims.regression import REGRESSION
from theory.claims.sample_limit import SAMPLE_LIMITS
from theory.claims.selection import GAUSSIAN_SELECTION
from theory.claims.text import TEXT
from theory.claims.wishart import GAUSSIAN_SPACE

QUICK_ENTRIES = 2
"""Beyond the replace loop, how many entries under a letter the quick run looks at."""


def _sparing(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """The claims, quick cases left to the first claim of the first entries under each letter, one case each.

    A quick run is for a demonstration: nearly all its time goes into compiling a program for every loop.
    """
    seen: dict[str, set[str]] = {}
    found = []
    for claim in claims:
        letter = claim.id.rstrip("0123456789abcdefghijklmnopqrstuvwxyz")
        entries = seen.setdefault(letter, set())
        first = next((k for k, case in enumerate(claim.cases) if case.quick), None)
        chosen = first is not None and claim.id not in entries and len(entries) < QUICK_ENTRIES
        if chosen:
            entries.add(claim.id)
        cases = (replace(case, quick=chosen and k == first) for k, case in enumerate(claim.cases))
        found.append(replace(claim, cases=tuple(cases)))
    return tuple(found)


_BEYOND = (
    *MIXED,
    *ACCUMULATED,
    *GAUSSIAN_SELECTION,
    *REGRESSION,
    *ECOSYSTEM,
    *GAUSSIAN_THRESHOLDS,
    *CATEGORICAL,
    *CATEGORICAL_CHAINS,
    *CATEGORICAL_POOLS,
    *TEXT,
    *MIXTURES,
    *KERNELS,
    *DIFFUSION_CLAIMS,
    *METRIC_CLAIMS,
    *SAMPLE_LIMITS,
)

CLAIMS = (
    *GAUSSIAN_LINE,
    *GAUSSIAN_LAW,
    *GAUSSIAN_SPACE,
    *_sparing(_BEYOND),
)
