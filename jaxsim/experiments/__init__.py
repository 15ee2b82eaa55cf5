"""Experiments: what is measured that is no loop, replicate by replicate."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from jaxsim import summary
from theory.claim import Experiment

Run = Callable[[Mapping[str, Any], int, int], np.ndarray]


def measured(experiment: Experiment, seeds: int, seed: int = 0) -> xr.DataArray:
    """The statistics of `seeds` independent replicates of an experiment, [statistic, *axes].

    Raises:
        KeyError: if there is no experiment of that name.
    """
    values = _table()[experiment.name](dict(experiment.parameters), seeds, seed)
    rows = summary.of(np.asarray(values, float)).statistics()
    axes = [f"axis_{k}" for k in range(rows.ndim - 1)]
    return xr.DataArray(rows, {"statistic": list(summary.STATISTICS)}, ["statistic", *axes])


def _table() -> dict[str, Run]:
    """Every experiment by its name: (parameters, seeds, seed) -> values [replicate, *axes]."""
    from jaxsim.experiments.categorical import CATEGORICAL_EXPERIMENTS
    from jaxsim.experiments.diffusion import DIFFUSION_EXPERIMENTS
    from jaxsim.experiments.gaussian import GAUSSIAN_EXPERIMENTS
    from jaxsim.experiments.kernel_density import KERNEL_EXPERIMENTS
    from jaxsim.experiments.metrics import METRIC_EXPERIMENTS
    from jaxsim.experiments.mitigation import MITIGATION_EXPERIMENTS
    from jaxsim.experiments.mixture import MIXTURE_EXPERIMENTS
    from jaxsim.experiments.text import TEXT_EXPERIMENTS

    tables: tuple[dict[str, Run], ...] = (
        CATEGORICAL_EXPERIMENTS,
        DIFFUSION_EXPERIMENTS,
        GAUSSIAN_EXPERIMENTS,
        METRIC_EXPERIMENTS,
        MITIGATION_EXPERIMENTS,
        KERNEL_EXPERIMENTS,
        MIXTURE_EXPERIMENTS,
        TEXT_EXPERIMENTS,
    )
    return {name: run for table in tables for name, run in table.items()}
