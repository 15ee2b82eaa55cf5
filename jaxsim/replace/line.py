"""The state of a Gaussian on the line, and what is measured on it.

Units are the source's: generation g has mean mu_0 + s_0 (offset + ratio u) and log variance
log s_0^2 + drift_g + 2 log(ratio) + r, where (offset, ratio) is the start in those units and (u, r) the
state, r centred (`jaxsim.schedule`). It is one complex number u + i r: XLA compiles a state of two arrays
into two loops and repeats the random numbers in both.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Complex, Float

from jaxsim.schedule import Schedule, gaussians
from theory.loop import Loop

State = Complex[Array, "*replicates"]


class Fixed(NamedTuple):
    """What does not depend on the generation.

    Attributes:
        offset, ratio: mean error and standard deviation of model 0, in the source's standard deviations.
        turn: 2^32 (`jaxsim.random.normal_pair`).
        mass: erf(c / sqrt 2) of a truncation at c, 1 without one.
        rows: polynomials of log chi-square.
    """

    offset: Any
    ratio: Any
    turn: Any
    mass: Any
    rows: Any


class Step(NamedTuple):
    """What belongs to generation g, [generation].

    Attributes:
        log_noise: log of the standard deviation of a fitted mean, relative to model 0, at r = 0.
        log_variance: log variance in the source's units, at r = 0.
        kind: row of `Fixed.rows`.
        centre: E log(chi2_nu / nu).
        size: n, as unsigned 32-bit.
        truncated: whether the draws are truncated.
    """

    log_noise: Any
    log_variance: Any
    kind: Any
    centre: Any
    size: Any
    truncated: Any


def parameters(loop: Loop, plan: Schedule, dtype: Any) -> tuple[Fixed, Step]:
    """The arguments of the compiled program."""
    from scipy.special import erf

    source, start = gaussians(loop)
    scale = np.sqrt(source.variance)
    ratio = np.sqrt(start.variance / source.variance)
    cut = loop.sampler.truncate
    fixed = Fixed(
        offset=(start.mean - source.mean) / scale,
        ratio=ratio,
        turn=2.0**32,
        mass=1.0 if cut is None else erf(cut / np.sqrt(2)),
        rows=plan.rows,
    )
    steps = Step(
        log_noise=(plan.drift[:-1] + np.log(plan.factor) - np.log(plan.sizes)) / 2,
        log_variance=plan.drift[1:] + 2 * np.log(ratio),
        kind=plan.kinds.astype(np.int32),
        centre=plan.centre,
        size=np.minimum(plan.sizes, 2**32 - 1).astype(np.uint32),
        truncated=plan.truncated,
    )
    return _cast(fixed, dtype), _cast(steps, dtype)


def _cast(values: Any, dtype: Any) -> Any:
    arrays = map(np.asarray, values)
    return type(values)(*(a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays))


def start(fixed: Fixed) -> Complex[Array, ""]:
    """Model 0."""
    zero = jnp.zeros((), fixed.turn.dtype)
    return lax.complex(zero, zero)


def advance(state: State, log_noise: Array, normal: Array, log_square: Array) -> State:
    """One fit: the mean moves by its standard error times `normal`, the log variance by `log_square`.

    mu' = mu + sigma sqrt(lambda / n) z,  log sigma'^2 = log sigma^2 + log lambda + log(chi2_nu / c).
    """
    u, r = state.real, state.imag
    return lax.complex(u + jnp.exp(log_noise + r / 2) * normal, r + log_square)


Observe = Callable[[Float[Array, "*b"], Float[Array, "*b"]], Float[Array, "*b"]]

# observable -> (function of mean error e and log variance l in the source's units, power of its sd)
OBSERVABLES: dict[str, tuple[Observe, int]] = {
    "mean_error": (lambda e, l: e, 1),
    "mean_error_squared": (lambda e, l: e * e, 2),
    "mean_error_fourth": (lambda e, l: (e * e) ** 2, 4),
    "variance": (lambda e, l: jnp.exp(l), 2),
    "std": (lambda e, l: jnp.exp(l / 2), 1),
    "variance_squared": (lambda e, l: jnp.exp(2 * l), 4),
    "mean_variance_product": (lambda e, l: e * e * jnp.exp(l), 4),
    "w2_squared": (lambda e, l: e * e + jnp.expm1(l / 2) ** 2, 2),
    "kl_to_source": (lambda e, l: (e * e + (jnp.expm1(l) - l)) / 2, 0),
    "kl_from_source": (lambda e, l: (e * e * jnp.exp(-l) + (jnp.expm1(-l) + l)) / 2, 0),
}


def observe(name: str, fixed: Fixed, log_variance: Array, state: State) -> Array:
    """An observable of a state in the source's units; `log_variance` as its deviation r from the drift."""
    if name == "log_variance":
        return state.imag
    error = fixed.offset + fixed.ratio * state.real
    return OBSERVABLES[name][0](error, log_variance + state.imag)


def unit(name: str, loop: Loop, plan: Schedule) -> tuple[np.ndarray, float]:
    """(shift [1 + generation], factor): an observable is shift_g + factor * (what `observe` gives)."""
    source, start = gaussians(loop)
    if name == "log_variance":
        return np.log(start.variance) + plan.drift, 1.0
    return np.zeros(len(plan.drift)), float(source.variance) ** (OBSERVABLES[name][1] / 2)
