"""Eight networks trained at once, beside eight single jitted runs of the same network, in turns."""

import time

import jax
import numpy as np

from models.points import Points, pool
from models.training import fit, trainer
from theory.generator import Diffusion, Training

REPLICATES = 8
STEPS = 250
WIDTHS = (128, 512)
TURNS = 3


def measure() -> dict[str, float]:
    """Seconds of the ensemble over seconds of the single runs, and training images a second, by width."""
    found = {}
    for width in WIDTHS:
        generator = Diffusion("mlp", "edm", 50, "ddim", width=width, depth=2)
        training = Training("adam", 1e-3, STEPS, 64, 0.999)
        made = trainer(generator, training, (8, 8, 1), 0)
        values = np.random.default_rng(0).normal(size=(REPLICATES, 1024, 8, 8, 1))
        whole = pool([Points(values, np.zeros((REPLICATES, 1024), int))], None, 1024)
        keys = jax.random.split(jax.random.key(0), REPLICATES)

        def together(made=made, keys=keys, whole=whole):
            fit(made, keys, whole, STEPS)

        def alone(made=made, keys=keys, whole=whole):
            for k in range(REPLICATES):
                fit(made, keys[k : k + 1], jax.tree.map(lambda a, k=k: a[k : k + 1], whole), STEPS)

        seconds = {together: [], alone: []}
        for turn in range(TURNS + 1):
            for run, taken in seconds.items():
                start = time.perf_counter()
                run()
                if turn:  # the first compiles
                    taken.append(time.perf_counter() - start)
        ensemble, single = (min(taken) for taken in seconds.values())
        found[f"width {width}: ensemble over single runs"] = ensemble / single
        found[f"width {width}: training images a second"] = REPLICATES * STEPS * 64 / ensemble
    return found
