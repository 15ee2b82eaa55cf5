"""The engine of a loop: which room of this package makes it ready, and which of its two engines runs it."""

from collections.abc import Callable
from typing import Any

from jaxsim.setting import Engine, Precision, Setting
from theory.discrete_source import Categorical, Markov, Poisson
from theory.estimator import KernelDensity
from theory.linear import Linear
from theory.loop import Loop, LoopError, Replace
from theory.source import Gaussian, Mixture


def prepared(
    loop: Loop, generations: int, engine: Engine, precision: Precision | None
) -> tuple[Setting, Precision]:
    """A loop of any family, under any data policy, made ready, and the precision chosen.

    Raises:
        LoopError: for what the engine cannot do.
    """
    return _room_of(loop)(loop, generations, engine, precision)


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


def _room_of(loop: Loop) -> Callable[..., tuple[Setting, Precision]]:
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
        case _ if isinstance(loop.data, Replace) and loop.selection is None:
            from jaxsim.replace.setting import prepared
        case _:
            from jaxsim.recipes.setting import prepared
    return prepared
