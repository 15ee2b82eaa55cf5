"""How far the models of an ecosystem are from one another: the observable `between_models`.

For K models it is sum_k (mu_k - mean mu)^2 / (K - 1), and 0 for one, so that (K - 1) E = sum_k E mu_k^2 -
(1/K) sum_{kl} E mu_k mu_l. For symmetric models it is E mu_k^2 - E mu_k mu_l; without real data E sigma^2
/ n of the generation before: samples of one another keep them apart by sampling noise alone (E1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from theory.loop import Loop
from theory.provenance.alike import engine, merged
from theory.provenance.of_loop import settings_of
from theory.recipes.entries import entry
from theory.recipes.higher_moments import recipe_for
from theory.result import Statistic


def statistic(loop: Loop, wanted: Sequence[float]) -> Statistic:
    """Its mean at the generations wanted; the limit is not known here."""
    state = engine(merged(recipe_for(loop), loop), **settings_of(loop))
    found = {math.inf: math.nan}
    for t in range(1, int(max((g for g in wanted if g < math.inf), default=0)) + 1):
        state.advance()
        found[t] = float(state.between())
    mean = np.array([found[g] for g in wanted])
    known = not np.isnan(mean).any()
    reason = None if known else "the limit at t = inf has no closed form here; give a generation"
    return Statistic(mean, np.full_like(mean, np.nan), "exact" if known else "none", entry(loop), reason)
