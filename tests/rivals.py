"""Wrong theories of a loop, one step away from the right one: what every claim must be told apart from."""

from dataclasses import replace

import numpy as np

from theory.claim import Case
from theory.loop import Loop, MaximumLikelihood, Unbiased


def rivals(case: Case) -> dict[str, Case]:
    """The same question about loops that differ by one of the errors people make."""
    loop = case.loop
    if not isinstance(loop, Loop):
        return {}
    found = {}
    if isinstance(loop.estimator, MaximumLikelihood) and loop.estimator == MaximumLikelihood():
        found["the other divisor"] = loop.with_(estimator=Unbiased())
    if loop.estimator == Unbiased():
        found["the other divisor"] = loop.with_(estimator=MaximumLikelihood())
    for key in ("n", "synthetic", "per_model"):
        count = getattr(loop.data, key, None)
        if isinstance(count, int | tuple):
            more = tuple(x + 1 for x in count) if isinstance(count, tuple) else count + 1
            found["a point more"] = loop.with_(data=replace(loop.data, **{key: more}))
    if loop.sampler.bias != 1:
        everywhere = replace(loop.sampler, applies_to_source=not loop.sampler.applies_to_source)
        found["lambda once too often or too rarely"] = loop.with_(sampler=everywhere)
    cases = {name: replace(case, loop=other) for name, other in found.items()}
    if case.generations:
        late = tuple(g + 1 for g in case.generations)
        cases["a generation late"] = replace(case, generations=late)
    return cases


def differs(truth: np.ndarray, rival: np.ndarray) -> bool:
    """Whether a rival predicts other numbers, beyond rounding."""
    known = np.isfinite(truth) & np.isfinite(rival)
    scale = np.abs(truth[known]) + np.abs(rival[known])
    return bool((np.abs(truth[known] - rival[known]) > 1e-9 * scale).any())
