"""A loop and a request made ready for the device: checks, the choice of kernel and precision, provenance."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from jaxsim import blocks
from jaxsim.recipes import observe as recipe_observe
from jaxsim.recipes import setting as recipe_setting
from jaxsim.replace import exact, line, literal, space
from jaxsim.schedule import Schedule, gaussians, require_gaussian_numbers, schedule
from theory.discrete_source import Categorical, Markov, Poisson
from theory.estimator import KernelDensity
from theory.linear import Linear
from theory.loop import Gaussian, Loop, LoopError, Replace
from theory.loop_file import to_json
from theory.observable import LINE
from theory.source import Mixture

Engine = Literal["exact", "literal"]
Keep = Literal["summary", "replicates"]
Precision = Literal["float32", "float64"]

LARGEST_SEEDS = 2**32
LARGEST_LITERAL = 2**31
LARGEST_SINGLE = 10**6  # beyond this n the rounding of float32 nears the spread of one fit
LARGEST_SINGLE_SPACE = 10**4  # in d dimensions W2^2 ~ d^2 / n is a difference of traces of order d
SMALLEST_SINGLE_CUT = 1e-2  # samples truncated closer than this differ too little in float32
SMALLEST_CUT = 1e-6  # ... and in float64
ENGINES = ("exact", "literal")


class Setting(NamedTuple):
    """A loop made ready for the device.

    Attributes:
        kernel: without names.
        fixed, steps: its arguments.
        available: observables that exist for it, the costly ones last.
        default: those given unless asked otherwise.
        unit: name -> (shift [1 + generation, ...], factor) from the device's units.
    """

    kernel: blocks.Kernel
    fixed: Any
    steps: Any
    available: tuple[str, ...]
    default: tuple[str, ...]
    unit: Callable[[str], tuple[np.ndarray, float]]


def prepare(loop: Loop, plan: Schedule, engine: Engine, dtype: np.dtype) -> Setting:
    """The kernel of a loop and its arguments, in one precision.

    Raises:
        LoopError: for what the engine cannot do.
    """
    if engine == "exact" and plan.truncated.any():
        raise LoopError(
            "sampler.truncate",
            loop.sampler.truncate,
            "truncated samples have no finite sufficient statistic; use the literal engine",
        )
    if engine == "literal" and plan.sizes.max() > LARGEST_LITERAL:
        raise LoopError(
            "data.n", int(plan.sizes.max()), f"the literal engine draws every sample, up to {LARGEST_LITERAL}"
        )
    if plan.truncated.any() and loop.sampler.truncate < SMALLEST_CUT:
        raise LoopError(
            "sampler.truncate",
            loop.sampler.truncate,
            f"below {SMALLEST_CUT:g} the samples are too close together to be told apart",
        )
    family: Any = line if gaussians(loop)[0].is_scalar else space
    fixed, steps = family.parameters(loop, plan, dtype)
    step = _STEPS[family, engine, bool(plan.truncated.any())]
    observe = _observe_line if family is line else space.observe
    ahead = None
    if engine == "exact":
        ahead = exact.line_ahead if family is line else exact.space_ahead(gaussians(loop)[0].dimension)
    kernel = blocks.Kernel(family.start, step, observe, (), (), _block(loop), "summary", ahead=ahead)
    names = (LINE, LINE) if family is line else (space.available(plan), space.default(plan))
    return Setting(kernel, fixed, steps, *names, partial(family.unit, loop=loop, plan=plan))


def prepared(
    loop: Loop, generations: int, engine: Engine, precision: Precision | None
) -> tuple[Setting, Precision]:
    """A loop under any data policy made ready, and the precision chosen.

    Raises:
        LoopError: for what the engine cannot do.
    """
    other = _engine_of(loop)
    if other is not None:
        return other(loop, generations, engine, precision)
    require_gaussian_numbers(loop)
    if isinstance(loop.data, Replace) and loop.selection is None:
        plan = schedule(loop, generations)
        precision = precision or chosen_precision(loop, plan, engine)
        return prepare(loop, plan, engine, np.dtype(precision)), precision
    precision = precision or recipe_setting.precision(loop, engine)
    kernel, fixed, steps = recipe_setting.ready(loop, generations, engine, np.dtype(precision))
    unit = partial(recipe_observe.unit, loop=loop, generations=generations)
    default = recipe_observe.default(loop)
    return Setting(kernel, fixed, steps, recipe_observe.names(loop), default, unit), precision


def chosen_engine(loop: Loop, generations: int, engine: str) -> tuple[Engine, Setting]:
    """The engine that runs a loop, and the loop made ready for it: as told, or for "auto" exact if it can.

    Raises:
        LoopError: for what the engine cannot do; what the exact one cannot do if neither can.
    """
    if engine != "auto":
        told: Any = engine
        return told, prepared(loop, generations, told, None)[0]
    try:
        return "exact", prepared(loop, generations, "exact", None)[0]
    except LoopError as refusal:
        try:
            return "literal", prepared(loop, generations, "literal", None)[0]
        except LoopError:
            raise refusal from None


def _engine_of(loop: Loop) -> Callable[..., tuple[Setting, Precision]] | None:
    """What makes a loop ready that is not a plain Gaussian one."""
    match loop.source:
        case Categorical() | Poisson():
            from jaxsim.categorical.setting import prepared
        case Markov():
            from jaxsim.text.setting import prepared
        case Linear():
            from jaxsim.regression.setting import prepared
        case Gaussian() | Mixture() if isinstance(loop.estimator, KernelDensity):
            from jaxsim.kernel_density.setting import prepared
        case Mixture():
            from jaxsim.mixture.setting import prepared
        case _:
            return None
    return prepared


def _observe_line(name: str, fixed: Any, step: Any, state: Any) -> Any:
    return line.observe(name, fixed, step.log_variance, state)


# one object each, so that compiled programs are found again
_STEPS: dict[tuple[Any, str, bool], Callable] = {
    (line, "exact", False): exact.line_step,
    (space, "exact", False): exact.space_step,
    (line, "literal", False): partial(literal.line_step, truncating=False),
    (line, "literal", True): partial(literal.line_step, truncating=True),
    (space, "literal", False): partial(literal.space_step, truncating=False),
    (space, "literal", True): partial(literal.space_step, truncating=True),
}


def _block(loop: Loop) -> int:
    """Replicates a block: enough to fill vector instructions, few enough to stay in the cache."""
    source, _ = gaussians(loop)
    if source.is_scalar:
        return 1024
    fitting = 2**16 // source.dimension**2
    return int(np.clip(2 ** max(fitting, 1).bit_length() // 2, 8, 512))


def require_sound(seeds: object, seed: object, engine: str, keep: str, precision: str | None) -> None:
    """Refuse arguments out of their range, in one sentence."""
    for key, value, low, high in (("seeds", seeds, 1, LARGEST_SEEDS), ("seed", seed, 0, 2**64 - 1)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
            raise LoopError(key, value, f"a whole number from {low} to {high} is needed")
    for key, value, choices in (
        ("engine", engine, ENGINES),
        ("keep", keep, ("summary", "replicates")),
        ("precision", precision, ("float32", "float64", None)),
    ):
        if value not in choices:
            raise LoopError(key, value, f"there are: {', '.join(filter(None, choices))}")


def chosen_precision(loop: Loop, plan: Schedule, engine: str) -> Precision:
    """What a run is computed in unless told otherwise."""
    # by what does not depend on the generation: a longer run must extend a shorter one to the last bit
    flat = gaussians(loop)[0].is_scalar
    large = plan.sizes[0] > (LARGEST_SINGLE if flat else LARGEST_SINGLE_SPACE)
    cut = loop.sampler.truncate
    close = cut is not None and cut < SMALLEST_SINGLE_CUT
    # a Cholesky factor of a sampled scatter matrix squares its condition number
    squared = engine == "literal" and not flat
    return "float64" if large or close or squared else "float32"


def chosen_devices(devices: int | Sequence[jax.Device] | None) -> tuple[jax.Device, ...]:
    """The devices meant: how many of the local ones, or which, or all."""
    local = jax.local_devices()
    if devices is None:
        return tuple(local)
    if not isinstance(devices, int):
        return tuple(devices)
    if not 1 <= devices <= len(local):
        raise LoopError("devices", devices, f"there are {len(local)} local devices")
    return tuple(local[:devices])


def provenance(
    loop: Loop, seeds: int, seed: int, engine: str, precision: str, devices: tuple[jax.Device, ...]
) -> dict[str, Any]:
    """Everything needed to make a run again."""
    packages = {name: version(name) for name in ("jax", "jaxlib", "numpy")}
    return {
        "loop": to_json(loop),
        "seeds": int(seeds),
        "seed": seed if seed < 2**63 else str(seed),
        "engine": engine,
        "precision": precision,
        "versions": ", ".join(f"{name} {number}" for name, number in packages.items()),
        "device": devices[0].device_kind,
    }
