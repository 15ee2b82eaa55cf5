"""The state of a Gaussian in d dimensions: a unit-triangular shape and logarithmic scales.

With C the Cholesky factor of model 0's covariance, generation g has covariance C P P^T C^T, where P is lower
trapezoidal (Bartlett 1933: the factor of a Wishart matrix) and each fit multiplies it by the next factor A
from the right. The columns of P shrink at d different rates, so P = N diag(e^h) is kept as N, which has a
unit diagonal and converges, and h in logarithms:

    N' = N B,  B_kj = e^(h_k - h_j) A_kj / A_jj (k > j), 1 (k = j),     h'_j = h_j + log A_jj.

Nothing under- or overflows at any depth. h is the drift of `jaxsim.schedule` over 2 plus half the centred
deviation r that the state carries. With n_g <= d points only the
first n_g - 1 columns live on, and the rest are zero. Own derivation.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import erf

from jaxsim.schedule import Schedule, covariance, gaussians, mean_vector
from jaxsim.triangular import lower_product, singular_values, solve_unit_lower, trapezoid
from theory.loop import Loop
from theory.observable import SPACE

LARGEST_CHEAP = 8  # up to this dimension every observable is given by default
COSTLY = ("covariance", "eigenvalues", "w2_squared")
ENTRYWISE = (
    "mean_error",
    "mean_error_squared",
    "mean_error_fourth",
    "variance",
    "log_det",
    "trace",
    "square_of_trace",
    "lyapunov",
)  # as they stand also of a block of replicates
FULL_RANK = ("log_det", "lyapunov", "kl_to_source", "kl_from_source")

Vector = Float[Array, "d ..."]  # replicates may lie behind
Matrix = Float[Array, "d d ..."]


class Fixed(NamedTuple):
    """What does not depend on the generation; lengths in units of the source's root mean variance.

    Attributes:
        factor: C, the Cholesky factor of model 0's covariance.
        source: the source's.
        whiten: inverse of `source`.
        reach: C^-1 `source`, the source seen from model 0.
        offset: mean error of model 0; `reach_offset` is C^-1 times it.
        turn: 2^32 (`jaxsim.random.normal_pair`).
        mass: erf(c / sqrt 2) of a truncation at c, 1 without one.
        rows: polynomials of log chi-square.
    """

    factor: Any
    source: Any
    whiten: Any
    reach: Any
    offset: Any
    reach_offset: Any
    turn: Any
    mass: Any
    rows: Any


class Step(NamedTuple):
    """What belongs to generation g, [generation, ...].

    Attributes:
        log_noise: half the log of lambda / n.
        before: h of generation g - 1 at r = 0.
        after: h of generation g at r = 0.
        living: columns of generation g - 1 that are not zero.
        alive: columns of generation g that are not zero.
        kind: row of `Fixed.rows`.
        log_pivot: log of A_jj^2 at r = 0.
        size: n, as unsigned 32-bit.
        truncated: whether the draws are truncated.
        log_volume: log det of the covariance over the source's, at r = 0.
        reciprocal: 1 / g.
    """

    log_noise: Any
    before: Any
    after: Any
    living: Any
    alive: Any
    kind: Any
    log_pivot: Any
    size: Any
    truncated: Any
    log_volume: Any
    reciprocal: Any


class State(NamedTuple):
    """A model: C u is its mean's distance from model 0's; `shape` is N; `deviation` is r."""

    u: Any
    shape: Any
    deviation: Any


def length(loop: Loop) -> float:
    """The unit of length: the root of the source's mean variance."""
    source, _ = gaussians(loop)
    return float(np.sqrt(np.trace(covariance(source)) / source.dimension))


def parameters(loop: Loop, plan: Schedule, dtype: Any) -> tuple[Fixed, Step]:
    """The arguments of the compiled program."""
    unit, cut = length(loop), loop.sampler.truncate
    origin, beginning = gaussians(loop)
    source, first = (np.linalg.cholesky(covariance(model)) / unit for model in (origin, beginning))
    offset = (mean_vector(beginning) - mean_vector(origin)) / unit
    fixed = Fixed(
        factor=first,
        source=source,
        whiten=np.linalg.inv(source),
        reach=np.linalg.solve(first, source),
        offset=offset,
        reach_offset=np.linalg.solve(first, offset),
        turn=2.0**32,
        mass=1.0 if cut is None else erf(cut / np.sqrt(2)),
        rows=plan.rows,
    )
    ratio = 2 * np.log(np.diag(first) / np.diag(source)).sum()
    steps = Step(
        log_noise=(np.log(plan.factor) - np.log(plan.sizes)) / 2,
        before=plan.drift[:-1] / 2,
        after=plan.drift[1:] / 2,
        living=np.concatenate([np.ones_like(plan.alive[:1]), plan.alive[:-1]]),
        alive=plan.alive,
        kind=plan.kinds.astype(np.int32),
        log_pivot=plan.centre + np.log(np.maximum(plan.degrees, 1)),
        size=np.minimum(plan.sizes, 2**32 - 1).astype(np.uint32),
        truncated=plan.truncated,
        log_volume=plan.drift[1:].sum(-1) + ratio,
        reciprocal=1 / np.arange(1, len(plan.sizes) + 1),
    )
    return _cast(fixed, dtype), _cast(steps, dtype)


def _cast(values: Any, dtype: Any) -> Any:
    arrays = map(np.asarray, values)
    return type(values)(*(a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays))


def start(fixed: Fixed) -> State:
    """Model 0."""
    return State(
        jnp.zeros_like(fixed.offset),
        jnp.eye(*fixed.factor.shape, dtype=fixed.turn.dtype),
        jnp.zeros_like(fixed.offset),
    )


def advance(step: Step, state: State, normal: Vector, log_pivot: Vector, lower: Matrix) -> State:
    """One fit.

    Args:
        step: the parameters of the generation.
        state: the model before.
        normal: the mean of the standardised draws times sqrt(n).
        log_pivot: log A_jj^2 minus `step.log_pivot`.
        lower: A, of which what is below the diagonal is used.
    """
    h = step.before + state.deviation / 2
    column = h + (step.log_pivot + log_pivot) / 2
    used = jnp.tril(step.living[:, None] & step.alive, -1)
    scale = jnp.exp(jnp.where(used, h[:, None] - column, 0))
    below = jnp.where(used, lower * scale, 0)
    shape = jnp.where(step.alive, state.shape + state.shape @ below, 0)
    moved = state.shape @ jnp.where(step.living, jnp.exp(h + step.log_noise) * normal, 0)
    return State(state.u + moved, shape, state.deviation + jnp.where(step.alive, log_pivot, 0))


def factor(fixed: Fixed, step: Step, state: State, scaled: bool = False) -> Matrix:
    """F with covariance F F^T; if `scaled`, divided by its largest column's scale."""
    h, alive = _beside(step.after, state) + state.deviation / 2, _beside(step.alive, state)
    if scaled:
        h = h - jnp.max(jnp.where(alive, h, -jnp.inf), axis=0)
    return lower_product(fixed.factor, state.shape * jnp.where(alive, jnp.exp(h), 0))


def observe(name: str, fixed: Fixed, step: Step, state: State) -> Array:
    """An observable of a state, in units of `length`; logarithms as deviations from their drift.

    Where replicates lie on an axis behind, they do so in what is returned.
    """
    look = partial(OBSERVABLES[name][0], fixed, step)
    if name in ENTRYWISE or state.u.ndim == 1:
        return look(state)
    return jax.vmap(look, in_axes=-1, out_axes=-1)(state)


def unit(name: str, loop: Loop, plan: Schedule) -> tuple[np.ndarray, float]:
    """(shift [1 + generation, ...], factor): an observable is shift_g + factor * (what `observe` gives)."""
    generations = np.arange(len(plan.drift))
    if name == "lyapunov":
        return plan.drift / np.maximum(generations, 1)[:, None], 1.0
    if name == "log_det":
        return np.linalg.slogdet(covariance(gaussians(loop)[1]))[1] + plan.drift.sum(-1), 1.0
    if name == "log_pseudo_det":
        alive = np.concatenate([np.ones_like(plan.alive[:1]), plan.alive])
        return (np.where(alive, plan.drift + 2 * np.log(length(loop)), 0)).sum(-1), 1.0
    return np.zeros(len(generations)), length(loop) ** OBSERVABLES[name][1]


def available(plan: Schedule) -> tuple[str, ...]:
    """Names that exist: with n <= d somewhere the determinant is 0, both divergences infinite."""
    full = bool(plan.alive.all())
    missing = ("log_pseudo_det",) if full else FULL_RANK
    return tuple(name for name in SPACE if name not in missing)


def default(plan: Schedule) -> tuple[str, ...]:
    """Those given unasked: in many dimensions neither d x d ones nor those that need singular values."""
    left_out = COSTLY if plan.alive.shape[1] > LARGEST_CHEAP else ()
    return tuple(name for name in available(plan) if name not in left_out)


def _beside(parameter: Array, state: State) -> Array:
    """A parameter [d], with an axis for the replicates where the state has one."""
    return parameter.reshape(parameter.shape + (1,) * (state.u.ndim - 1))


def _error(fixed: Fixed, state: State) -> Vector:
    return _beside(fixed.offset, state) + fixed.factor @ state.u


def _error_squared(fixed: Fixed, step: Step, state: State) -> Array:
    return jnp.sum(_error(fixed, state) ** 2, axis=0)


def _variance(fixed: Fixed, step: Step, state: State) -> Vector:
    return jnp.sum(factor(fixed, step, state) ** 2, axis=1)


def _trace_of_square(fixed: Fixed, step: Step, state: State, scaled: bool = False) -> Array:
    f = factor(fixed, step, state, scaled)
    return jnp.sum((f.T @ f) ** 2)


def _effective_rank(fixed: Fixed, step: Step, state: State) -> Array:
    trace = jnp.sum(factor(fixed, step, state, scaled=True) ** 2)
    return trace**2 / _trace_of_square(fixed, step, state, scaled=True)


def _covariance(fixed: Fixed, step: Step, state: State) -> Matrix:
    f = factor(fixed, step, state)
    return f @ f.T


def _eigenvalues(fixed: Fixed, step: Step, state: State) -> Vector:
    return singular_values(factor(fixed, step, state)) ** 2


def _log_pseudo_det(fixed: Fixed, step: Step, state: State) -> Array:
    """Log det over the range: the sum of 2h plus log det (N^T C^T C N), over the living columns."""
    shape = fixed.factor @ state.shape
    pivots = jnp.where(step.alive, jnp.diag(trapezoid(shape.T @ shape, step.alive)), 1)
    return jnp.sum(jnp.where(step.alive, state.deviation, 0)) + 2 * jnp.sum(jnp.log(pivots))


def _w2_squared(fixed: Fixed, step: Step, state: State) -> Array:
    """|e|^2 + tr S + tr S0 - 2 tr (S0^(1/2) S S0^(1/2))^(1/2) (Gelbrich 1990), from singular values."""
    f = factor(fixed, step, state)
    overlap = jnp.sum(singular_values(fixed.source.T @ f))
    return _error_squared(fixed, step, state) + jnp.sum(f**2) + jnp.sum(fixed.source**2) - 2 * overlap


def _log_volume(step: Step, state: State) -> Array:
    return step.log_volume + jnp.sum(state.deviation)


def _kl_to_source(fixed: Fixed, step: Step, state: State) -> Array:
    """KL(N_g || N_0) = (tr S0^-1 (S + e e^T) - d - log det S0^-1 S) / 2."""
    white = fixed.whiten @ factor(fixed, step, state)
    error = fixed.whiten @ _error(fixed, state)
    return (jnp.sum(white**2) + jnp.sum(error**2) - len(white) - _log_volume(step, state)) / 2


def _kl_from_source(fixed: Fixed, step: Step, state: State) -> Array:
    """KL(N_0 || N_g) = (tr S^-1 (S0 + e e^T) - d + log det S0^-1 S) / 2, F inverted factor by factor."""
    columns = jnp.column_stack([fixed.reach, fixed.reach_offset + state.u])
    white = solve_unit_lower(state.shape, columns)
    white = white * jnp.exp(-(step.after + state.deviation / 2))[:, None]
    return (jnp.sum(white**2) - len(white) + _log_volume(step, state)) / 2


# observable -> (function, power of the unit of length)
OBSERVABLES: dict[str, tuple[Callable[[Fixed, Step, State], Array], int]] = {
    "mean_error": (lambda f, p, s: _error(f, s), 1),
    "mean_error_squared": (_error_squared, 2),
    "mean_error_fourth": (lambda f, p, s: _error_squared(f, p, s) ** 2, 4),
    "variance": (_variance, 2),
    "covariance": (_covariance, 2),
    "log_det": (lambda f, p, s: jnp.sum(s.deviation, axis=0), 0),
    "log_pseudo_det": (_log_pseudo_det, 0),
    "trace": (lambda f, p, s: jnp.sum(_variance(f, p, s), axis=0), 2),
    "trace_of_square": (_trace_of_square, 4),
    "square_of_trace": (lambda f, p, s: jnp.sum(_variance(f, p, s), axis=0) ** 2, 4),
    "effective_rank": (_effective_rank, 0),
    "eigenvalues": (_eigenvalues, 2),
    "lyapunov": (lambda f, p, s: s.deviation * p.reciprocal, 0),
    "w2_squared": (_w2_squared, 2),
    "kl_to_source": (_kl_to_source, 0),
    "kl_from_source": (_kl_from_source, 0),
}
