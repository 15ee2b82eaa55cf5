"""Linear regression on its own labels: the sums a fit takes, the fit, and the model it leaves.

Errors are e = w - w*, labels r = y - x w*, so that real labels are noise. A batch labelled by a model with
error e_m is three sums over its points,

    G = sum x x^T,   b = sum x r,   q = sum r^2,        r = x e_m + noise,

which add up where batches are pooled. Least squares and ridge, penalty kappa a point of N, solve

    (G + N kappa) w = b + G w*:    e = (G + N kappa)^-1 (b - N kappa w*),

and leave the residual sum of squares q - 2 e b + e G e. Of fewer points than dimensions the fit of minimum
norm is w = X^T (X X^T)^-1 y. Labels mixed as y = w y_real + (1 - w) y_synthetic on the same covariates have b
mixed likewise; the weighted residual sum of squares, w |y_real - X w'|^2 + (1 - w) |y_synthetic - X w'|^2, is
that of the mixed labels plus w (1 - w) |y_real - y_synthetic|^2 and has q mixed likewise too.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from jaxsim.triangular import solve_factored, trapezoid


class Design(NamedTuple):
    """All that fixes a compiled program; hashable.

    Attributes:
        dimension: d.
        same: whether the covariates are drawn once.
        mixed: whether labels are mixed.
        iid: whether each point is real or not by a coin.
        accumulate: whether batches are pooled.
        ridge: whether there is a penalty.
        noise: "known", "maximum-likelihood" or "unbiased".
        rows: points that are kept: of fits to fewer than d, or all of the same covariates.
        dual: whether some fit takes fewer than d points.
        final: whether another fit is looked at.
    """

    dimension: int
    same: bool
    mixed: bool
    iid: bool
    accumulate: bool
    ridge: bool
    noise: str
    rows: int
    dual: bool
    final: bool


class Fixed(NamedTuple):
    """What does not depend on the generation.

    Attributes:
        truth: w*.
        shift: |w_0 - w*|.
        noise: variances of the source's labels and of those of model 0.
        penalty: kappa of the fit, and of the final one.
        turn: 2^32, in the precision of the run.
        rows: polynomials of log chi-square, and
        log_scale: E log chi2_nu, for the exact engine.
    """

    truth: Any
    shift: Any
    noise: Any
    penalty: Any
    turn: Any
    rows: Any = ()
    log_scale: Any = ()


class Step(NamedTuple):
    """What belongs to generation g, [generation].

    Attributes:
        first: whether it is the first.
        real, synthetic: points of the batch by kind; all are of both where labels are mixed.
        total: points of the fit, and
        before: of them, those pooled earlier.
        share: probability of a real point under iid composition.
        weight: of real labels that are mixed.
        real_factor, model_factor: the sampler's factors on the noise variance of labels.
        divisor: of the residual sum of squares.
        final: points of the final fit.
        kinds: rows of `Fixed.rows`, [batch, pivot], and
        residual: of the chi-square of each batch's residuals.
        spare: whether that has any degrees of freedom.
    """

    first: Any
    real: Any
    synthetic: Any
    total: Any
    before: Any
    share: Any
    weight: Any
    real_factor: Any
    model_factor: Any
    divisor: Any
    final: Any
    kinds: Any = ()
    residual: Any = ()
    spare: Any = ()


class Sums(NamedTuple):
    """G, b and q."""

    gram: Any
    cross: Any
    square: Any


class State(NamedTuple):
    """A model, and what later fits can read.

    Attributes:
        error: e.
        noise: its noise variance.
        seen: e of the model that is looked at.
        pool: the sums of earlier batches.
        covariates: the rows that are kept; of the exact engine, the factor of G.
        labels: their r, summed over the generations where covariates are the same.
    """

    error: Any
    noise: Any
    seen: Any
    pool: Any
    covariates: Any
    labels: Any


def start(design: Design, fixed: Fixed, exact: bool) -> State:
    """Model 0, its shift not yet drawn."""
    zero = jnp.zeros(design.dimension, fixed.turn.dtype)
    gram = jnp.outer(zero, zero)
    kept = gram if exact else jnp.zeros((design.rows, design.dimension), zero.dtype)
    pool = Sums(gram, zero, zero[0]) if design.accumulate else ()
    return State(zero, fixed.noise[1], zero, pool, kept, jnp.zeros(design.rows, zero.dtype))


def fitted(design: Design, fixed: Fixed, step: Step, state: State, batch: Sums) -> State:
    """The model fitted to a batch, or to the pool it joins; its kept rows are those of `state`."""
    sums = batch
    if design.accumulate:
        sums = Sums(*(a + b for a, b in zip(state.pool, batch, strict=True)))
        state = state._replace(pool=sums)
    penalty = step.total * fixed.penalty[0] if design.ridge else None
    if design.dual:
        copies = step.total / state.labels.shape[0] if design.same else jnp.ones_like(step.total)
        error = lax.cond(
            step.total < design.dimension if not design.same else step.total < design.dimension * copies,
            lambda: _shortest(fixed, step.total / copies, state.covariates, state.labels / copies),
            lambda: solved(fixed, sums, penalty),
        )
    else:
        error = solved(fixed, sums, penalty)
    noise = fixed.noise[0]
    if design.noise != "known":
        residual = sums.square - 2 * (error @ sums.cross) + error @ sums.gram @ error
        noise = jnp.maximum(residual, 0) / step.divisor
    return state._replace(error=error, noise=noise, seen=error)


def solved(fixed: Fixed, sums: Sums, penalty: Any) -> Any:
    """E by the normal equations."""
    gram, right = sums.gram, sums.cross
    if penalty is not None:
        gram = gram + penalty * jnp.eye(len(right), dtype=right.dtype)
        right = right - penalty * fixed.truth
    return solve_factored(trapezoid(gram, jnp.ones(len(right), bool)), right)


def _shortest(fixed: Fixed, count: Any, covariates: Any, labels: Any) -> Any:
    """E of minimum norm from the first `count` rows; the others get a problem of their own."""
    used = jnp.arange(len(labels)) < count
    x = jnp.where(used[:, None], covariates, 0)
    y = jnp.where(used, labels + x @ fixed.truth, 0)
    kernel = x @ x.T + jnp.diag(jnp.where(used, 0, 1).astype(x.dtype))
    return solve_factored(trapezoid(kernel, jnp.ones(len(y), bool)), y) @ x - fixed.truth


def observe(name: str, fixed: Fixed, step: Step, state: State) -> Any:
    """An observable of a state."""
    if name == "risk":
        return jnp.sum(state.seen**2)
    return jnp.log(state.noise) if name == "log_noise_variance" else state.noise
