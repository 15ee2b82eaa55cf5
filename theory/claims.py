"""CLAIMS: every result of the theory, its source, its range and the settings it is tested on."""

from __future__ import annotations

from theory.accumulate_claims import ACCUMULATED
from theory.categorical_chain_claims import CATEGORICAL_CHAINS
from theory.categorical_claims import CATEGORICAL
from theory.categorical_pool_claims import CATEGORICAL_POOLS
from theory.claim import Claim
from theory.diffusion_claims import DIFFUSION_CLAIMS
from theory.ecosystem_claims import ECOSYSTEM
from theory.gaussian_claims import GAUSSIAN_LINE
from theory.gaussian_threshold_claims import GAUSSIAN_THRESHOLDS
from theory.kernel_density_claims import KERNELS
from theory.law_claims import GAUSSIAN_LAW
from theory.metrics_claims import METRIC_CLAIMS
from theory.mixed_claims import MIXED
from theory.mixture_claims import MIXTURES
from theory.regression_claims import REGRESSION
from theory.sample_limit_claims import SAMPLE_LIMITS
from theory.selection_claims import GAUSSIAN_SELECTION
from theory.text_claims import TEXT
from theory.wishart_claims import GAUSSIAN_SPACE

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
