"""The literal engine against NumPy's loop over every sample, n = 10,000."""

from clock import first_call, in_turns
from peers import literal

from jaxsim.simulate import simulate
from theory.loop import Gaussian, Loop, Replace

N = 10_000
GENERATIONS, SEEDS = 10, 4096
NUMPY_GENERATIONS, NUMPY_SEEDS = 5, 200


def measure() -> dict[str, float]:
    """Seconds and ratios."""
    loop = Loop(Gaussian(0.0, 1.0), Replace(N))
    seed = iter(range(10**6))
    marks = range(1, GENERATIONS + 1)
    names = ["mean_error", "variance"]

    def ours():
        return simulate(loop, marks, SEEDS, seed=next(seed), engine="literal", observables=names)

    def theirs():
        return literal(N, NUMPY_GENERATIONS, NUMPY_SEEDS, next(seed))

    first = first_call(ours)
    jax_seconds, numpy_seconds = in_turns(ours, theirs, rounds=4)
    rate = N * GENERATIONS * SEEDS / jax_seconds
    numpy_rate = N * NUMPY_GENERATIONS * NUMPY_SEEDS / numpy_seconds
    return {
        "first call (s)": first,
        "jaxsim, samples per second": rate,
        "NumPy, samples per second": numpy_rate,
        "times NumPy": rate / numpy_rate,
    }
