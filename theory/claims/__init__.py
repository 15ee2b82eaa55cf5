"""CLAIMS: every result of the theory, its source, its range and the settings it is tested on."""

from __future__ import annotations

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

SELECTION: tuple[Claim, ...] = tuple(
    claim.as_claim(lambda loop, rule: loop.with_(selection=rule)) for claim in GAUSSIAN_SELECTION
)

CLAIMS = (
    *GAUSSIAN_LINE,
    *GAUSSIAN_LAW,
    *GAUSSIAN_SPACE,
    *MIXED,
    *ACCUMULATED,
    *SELECTION,
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
