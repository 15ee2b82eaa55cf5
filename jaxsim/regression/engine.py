"""One generation of regression on its own labels: the sums of a batch, drawn point by point or at once.

**literal** draws covariates and noise of every point and sums them. **exact** draws the sums themselves: G is
Wishart with n degrees of freedom, A A^T with A lower triangular, A_jj^2 chi-square with n - j, j = 0, 1, ...
(Bartlett 1933); given it sum x noise is A z times the noise's standard deviation, z standard normal, and the
noise has v (|z|^2 + chi2_(n-d)) left for its square. Fewer than d points leave A trapezoidal, n columns wide.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim.chi_square import deviation
from jaxsim.random import Key, normal_pair, threefry
from jaxsim.regression.fit import Design, Fixed, State, Step, Sums, fitted, solved

PAIRS = 8  # pairs of points drawn at a time
START, FINAL, COVARIATES, LABELS = (np.uint32(2**32 - 1 - k) for k in range(4))  # keys within a generation


def literal_step(design: Design, fixed: Fixed, step: Step, key: Key, replicate: Any, state: State) -> State:
    """One generation of one replicate, every point drawn."""
    state = _started(fixed, step, key, replicate, state)
    sums, state = _drawn(design, fixed, step, key, replicate, state)
    new = fitted(design, fixed, step, state, sums)
    if not design.final:
        return new
    last = step._replace(real=0 * step.real, synthetic=step.final, before=0 * step.before)
    plain = design._replace(rows=0, dual=False, noise="known", final=False)
    final_key = threefry(key, (FINAL, np.uint32(0)))
    sums, _ = _drawn(plain, fixed, last, final_key, replicate, state)
    return new._replace(seen=solved(fixed, sums, step.final * fixed.penalty[1]))


def _started(fixed: Fixed, step: Step, key: Key, replicate: Any, state: State) -> State:
    """Model 0's error, of a direction drawn uniformly, before the first generation."""
    pairs = np.arange((len(fixed.truth) + 1) // 2, dtype=np.uint32)
    normals = normal_pair(threefry(threefry(key, (START, np.uint32(0))), (replicate, pairs)), fixed.turn)
    z = jnp.concatenate(normals)[: len(fixed.truth)]
    error = fixed.shift * z / jnp.sqrt(jnp.sum(z * z))
    return state._replace(error=jnp.where(step.first, error, state.error))


def _drawn(
    design: Design, fixed: Fixed, step: Step, key: Key, replicate: Any, state: State
) -> tuple[Sums, State]:
    """The sums of a batch, and the state with the rows of it that are kept."""
    d, dtype = design.dimension, fixed.turn.dtype
    count = step.real if design.mixed else step.real + step.synthetic
    keys = [threefry(key, (label, np.uint32(0))) for label in (COVARIATES, LABELS)]
    spread = jnp.sqrt(fixed.noise[0] * step.real_factor), jnp.sqrt(state.noise * step.model_factor)

    def chunk(number: Any, carry: Any) -> Any:
        sums, covariates, labels = carry
        row = 2 * PAIRS * number + jnp.arange(2 * PAIRS)
        pair = (PAIRS * number + jnp.arange(PAIRS)).astype(jnp.uint32)
        x = _rows(keys[0], replicate, pair, d, fixed.turn)
        if design.same:
            kept = lax.dynamic_slice(covariates, (2 * PAIRS * number, jnp.int32(0)), x.shape)
            x = jnp.where(step.first, x, kept)
        noise = _rows(keys[1], replicate, pair, 3, fixed.turn)
        real, synthetic = noise[:, 0] * spread[0], x @ state.error + noise[:, 1] * spread[1]
        used = row < count
        x = jnp.where(used[:, None], x, 0)
        if design.mixed:
            parts = (step.weight, real), (1 - step.weight, synthetic)
        else:
            coin = row < step.real
            if design.iid:
                coin = jax.scipy.special.ndtr(noise[:, 2]) < step.share
            parts = ((jnp.ones((), dtype), jnp.where(coin, real, synthetic)),)
        r = jnp.where(used, sum(w * y for w, y in parts), 0)
        q = jnp.sum(jnp.where(used, sum(w * y * y for w, y in parts), 0))
        sums = Sums(sums.gram + x.T @ x, sums.cross + r @ x, sums.square + q)
        if not design.rows:
            return sums, covariates, labels
        place = (step.before.astype(jnp.int32) if not design.same else 0) + row
        place = jnp.where(used, place, design.rows)  # out of range: dropped
        covariates = covariates.at[place].set(x, mode="drop")
        if design.same and design.accumulate:
            return sums, covariates, labels.at[place].add(r, mode="drop")
        return sums, covariates, labels.at[place].set(r, mode="drop")

    zero = jnp.zeros(d, dtype)
    empty = Sums(jnp.outer(zero, zero), zero, zero[0])
    chunks = (count + 2 * PAIRS - 1) // (2 * PAIRS)
    padded = state.covariates
    if design.same:  # a slice must not be moved back from the end
        padded = jnp.pad(padded, ((0, -design.rows % (2 * PAIRS)), (0, 0)))
    sums, covariates, labels = lax.fori_loop(
        jnp.int32(0), chunks.astype(jnp.int32), chunk, (empty, padded, state.labels)
    )
    return sums, state._replace(covariates=covariates[: len(state.covariates)], labels=labels)


def _rows(key: Key, replicate: Any, pair: Any, width: int, turn: Any) -> Any:
    """Normals [2 pairs, width], the first half of the rows being the first of each pair."""
    place = pair[:, None] * np.uint32(width) + np.arange(width, dtype=np.uint32)
    return jnp.concatenate(normal_pair(threefry(key, (replicate, place)), turn.dtype.type(2.0**32)))


def exact_step(design: Design, fixed: Fixed, step: Step, key: Key, replicate: Any, state: State) -> State:
    """One generation of one replicate, the sums of each batch drawn at once."""
    state = _started(fixed, step, key, replicate, state)
    sources = (step.real_factor * fixed.noise[0], False), (step.model_factor * state.noise, True)
    if design.mixed:
        factor, gram = _gram(design, fixed, step, key, replicate, state, 0)
        parts = [
            _labelled(fixed, step, key, replicate, state, factor, gram, batch, 0, *source)
            for batch, source in enumerate(sources)
        ]
        weights = step.weight, 1 - step.weight
        cross, square = (sum(w * part[k] for w, part in zip(weights, parts, strict=True)) for k in (0, 1))
        state = state._replace(covariates=factor)
        return fitted(design, fixed, step, state, Sums(gram, cross, square))
    found, factor = [], state.covariates
    for batch, source in enumerate(sources):
        if step.kinds.shape[0] == 1 and batch == 0:  # no real points anywhere
            continue
        place = batch % step.kinds.shape[0]
        factor, gram = _gram(design, fixed, step, key, replicate, state, place)
        cross, square = _labelled(fixed, step, key, replicate, state, factor, gram, batch, place, *source)
        found.append(Sums(gram, cross, square))
    sums = Sums(*(sum(values) for values in zip(*found, strict=True)))
    return fitted(design, fixed, step, state._replace(covariates=factor), sums)


def _gram(
    design: Design, fixed: Fixed, step: Step, key: Key, replicate: Any, state: State, batch: int
) -> tuple[Any, Any]:
    """A and G of a batch."""
    d = design.dimension
    own = threefry(key, (COVARIATES, np.uint32(batch)))
    pairs = np.arange((d * (d + 1) // 2 + 1) // 2, dtype=np.uint32)
    z = jnp.concatenate(normal_pair(threefry(own, (replicate, pairs)), fixed.turn))
    kinds = step.kinds[batch]
    log_square = fixed.log_scale[kinds] + deviation(fixed.rows[kinds], z[:d])
    count = (step.real, step.synthetic)[batch] if step.kinds.shape[0] == 2 else step.total - step.before
    alive = jnp.arange(d) < count
    pivot = jnp.where(alive, jnp.exp(log_square / 2), 0)
    row, column = np.indices((d, d))
    place = np.where(column < row, d + row * (row - 1) // 2 + column, 0)
    factor = jnp.where((column < row) & alive, z[place], 0) + jnp.diag(pivot)
    if design.same:
        factor = jnp.where(step.first, factor, state.covariates)
    return factor, factor @ factor.T


def _labelled(
    fixed: Fixed, step: Step, key: Key, replicate: Any, state: State, factor: Any, gram: Any, batch: int,
    place: int, variance: Any, synthetic: bool,
) -> tuple[Any, Any]:  # fmt: skip
    """B and q of a batch labelled by the source, or by the model."""
    d = len(fixed.truth)
    own = threefry(key, (LABELS, np.uint32(batch)))
    pairs = np.arange((d + 2) // 2, dtype=np.uint32)
    z = jnp.concatenate(normal_pair(threefry(own, (replicate, pairs)), fixed.turn))
    kind = step.residual[place]
    left = jnp.exp(fixed.log_scale[kind] + deviation(fixed.rows[kind], z[d]))
    z = jnp.where(jnp.diag(factor) > 0, z[:d], 0)
    noise = jnp.sqrt(variance) * (factor @ z)
    square = variance * (jnp.sum(z * z) + jnp.where(step.spare[place], left, 0))
    if not synthetic:
        return noise, square
    known = gram @ state.error
    return known + noise, state.error @ known + 2 * (state.error @ noise) + square
