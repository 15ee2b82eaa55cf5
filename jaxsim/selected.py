"""Gaussian loops with a selection made ready, under any data policy.

The literal engine draws what is kept by its law (`jaxsim.selected_points`). The exact one serves the rules
that leave finite sufficient statistics: a tilted normal is normal, detectors and corrections are recipes.
"""

from functools import partial
from typing import Any

import numpy as np

from jaxsim import recipe_observe, recipe_setting
from jaxsim.schedule import require_gaussian_numbers
from theory.loop import Loop


def prepared(loop: Loop, generations: int, engine: Any, precision: Any) -> tuple[Any, Any]:
    """A loop with a selection made ready, and the precision chosen.

    Raises:
        LoopError: for what the engine cannot do.
    """
    from jaxsim.setting import Setting

    require_gaussian_numbers(loop)
    precision = precision or "float64"
    kernel, fixed, steps = recipe_setting.ready(loop, generations, engine, np.dtype(precision))
    unit = partial(recipe_observe.unit, loop=loop, generations=generations)
    default = recipe_observe.default(loop)
    return Setting(kernel, fixed, steps, recipe_observe.names(loop), default, unit), precision
