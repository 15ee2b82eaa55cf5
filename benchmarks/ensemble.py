"""Eight networks trained at once, beside eight single jitted runs and a plain PyTorch loop, in turns."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from clock import cores

from models.points import Points, pool
from models.sampling import sampling
from models.training import fit, single, trainer
from theory.generator import Diffusion, Training
from theory.loop import Sampler

try:
    import torch_loop
except ModuleNotFoundError as missing:
    if missing.name != "torch":
        raise
    torch_loop = None

REPLICATES = 8
STEPS = 250
WIDTHS = (128, 512)
DEPTH = 2
TRANSITIONS = 50
POINTS, SIDE, DRAWN = 1024, 8, 1024
TRAINING = Training("adam", 1e-3, STEPS, 64, 0.999)
TURNS = 8


def measure() -> dict[str, float]:
    """Seconds of the ensemble over those of the single runs, images and samples a second, by width."""
    runs = {(width, name): run for width in WIDTHS for name, run in _runs(width).items()}
    best = dict.fromkeys(runs, float("inf"))
    for turn in range(TURNS + 1):
        for key, run in runs.items():
            start = time.perf_counter()
            run()
            if turn:  # the first compiles
                best[key] = min(best[key], time.perf_counter() - start)
    if torch_loop is None:
        print("  PyTorch is not installed: its loop is left out")
    images, found = REPLICATES * STEPS * TRAINING.batch, {}
    for width in WIDTHS:
        ensemble, alone, drawn = (best[width, name] for name in ("ensemble", "alone", "drawn"))
        found[f"width {width}: ensemble over single runs"] = ensemble / alone
        found[f"width {width}: training images a second"] = images / ensemble
        found[f"width {width}: samples a second"] = REPLICATES * DRAWN / drawn
        if torch_loop is not None:
            found[f"width {width}: ensemble over PyTorch"] = ensemble / (REPLICATES * best[width, "torch"])
            found[f"width {width}: single runs over PyTorch"] = alone / (REPLICATES * best[width, "torch"])
    return found


def _runs(width: int) -> dict[str, Callable[[], Any]]:
    """What is timed: eight at once, one after the other, their samples, and one network of PyTorch's."""
    generator = Diffusion("mlp", "edm", TRANSITIONS, "ddim", width=width, depth=DEPTH)
    shape = (SIDE, SIDE, 1)
    made = trainer(generator, TRAINING, shape, 0)
    one = single(generator, TRAINING, shape, 0)
    begin, advance = jax.jit(one.begin), jax.jit(one.advance)
    values = np.random.default_rng(0).normal(size=(REPLICATES, POINTS, *shape))
    whole = pool([Points(values, np.zeros((REPLICATES, POINTS), int))], None, POINTS)
    keys = jax.random.split(jax.random.key(0), REPLICATES)
    mine = [jax.tree.map(lambda a, k=k: jnp.asarray(a[k]), whole) for k in range(REPLICATES)]
    models, _ = fit(made, keys, whole, STEPS)
    draw = sampling(generator, Sampler(), shape, 0)

    def alone():
        for k in range(REPLICATES):
            state = begin(keys[k], mine[k], np.int32(STEPS))
            for _ in range(STEPS // one.stride):
                state, value = advance(state, mine[k])
            jax.block_until_ready((state, value))

    runs = {
        "ensemble": lambda: jax.block_until_ready(fit(made, keys, whole, STEPS)[0]),
        "alone": alone,
        "drawn": lambda: draw(keys, models, DRAWN),
    }
    if torch_loop is not None:
        flat = values[0].reshape(POINTS, -1)
        runs["torch"] = torch_loop.trained(
            flat, width, DEPTH, TRAINING.batch, STEPS, TRAINING.rate, TRAINING.ema
        )
    return runs


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", cores())
    for name, value in measure().items():
        print(f"{name:<45}{value:>14,.4g}")
