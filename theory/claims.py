"""CLAIMS: every result of the theory, its source, its range and the settings it is tested on."""

from __future__ import annotations

from theory.accumulate_claims import ACCUMULATED
from theory.categorical_claims import CATEGORICAL
from theory.claim import Claim
from theory.diffusion_claims import DIFFUSION_CLAIMS
from theory.ecosystem_claims import ECOSYSTEM
from theory.gaussian_claims import GAUSSIAN_LINE
from theory.kernel_density_claims import KERNELS
from theory.law_claims import GAUSSIAN_LAW
from theory.metrics_claims import METRIC_CLAIMS
from theory.mixed_claims import MIXED
from theory.mixture_claims import MIXTURES
from theory.regression_claims import REGRESSION
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
    *CATEGORICAL,
    *TEXT,
    *MIXTURES,
    *KERNELS,
    *DIFFUSION_CLAIMS,
    *METRIC_CLAIMS,
)
