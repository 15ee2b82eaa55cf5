"""Peak memory of a sweep's process as seeds grow tenfold: 1,000 generations of summaries, each in a child.

python benchmarks/memory.py
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

SEEDS = (10**4, 10**5, 10**6)
GENERATIONS = 1_000
BOUND = 1.5  # GiB


def measure() -> dict[str, float]:
    """GiB of resident memory at most, by seeds."""
    found = {seeds: peak(seeds) for seeds in SEEDS}
    return {f"{seeds:,} seeds, at most (GiB)": gib for seeds, gib in found.items()} | {
        "a hundred times the seeds, times the memory": found[SEEDS[-1]] / found[SEEDS[0]],
        "of the bound of 1.5 GiB": found[SEEDS[-1]] / BOUND,
    }


def peak(seeds: int, devices: int | None = None) -> float:
    """The peak of a child that runs and reads such a sweep.

    Args:
        seeds: replicates.
        devices: cores it uses as JAX devices; None: all.
    """
    command = [sys.executable, __file__, "child", json.dumps([seeds, devices])]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    child = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return float(child.stdout.split()[-1])


def _child(seeds: int, devices: int | None) -> None:
    """Run a sweep of one point, all observables at all generations, and print the peak in GiB."""
    import jax
    from clock import cores

    jax.config.update("jax_num_cpu_devices", devices or cores())

    from jaxsim.sweeps.gather import read
    from jaxsim.sweeps.run import run
    from theory.loop import Gaussian, Loop, Replace
    from theory.sweep_file import grid

    plan = grid(Loop(Gaussian(0.0, 1.0), Replace(100)), {}, f"1:{GENERATIONS}", seeds)
    with tempfile.TemporaryDirectory() as folder:
        run(plan, f"{folder}/sweep")
        found = read(f"{folder}/sweep")
    assert (found.variance.sel(statistic="count") == seeds).all()
    print(_largest() / 2**30)


def _largest() -> int:
    """Bytes of this process's address space that were resident at once."""
    # what ru_maxrss says may be the parent's, from before exec
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        _child(*json.loads(sys.argv[2]))
    else:
        for name, value in measure().items():
            print(f"{name:<45}{value:>10.3f}", flush=True)
