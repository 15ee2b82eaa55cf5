"""Every benchmark, its peers timed in turns with it: prints one table.

python benchmarks/run.py [--record]      --record writes results/<backend>.json
"""

import json
import sys
from pathlib import Path

import jax
from clock import cores, machine

jax.config.update("jax_num_cpu_devices", cores())

import accumulate  # noqa: E402
import categorical  # noqa: E402
import ensemble  # noqa: E402
import exact_engine  # noqa: E402
import kernel_density  # noqa: E402
import literal_engine  # noqa: E402
import memory  # noqa: E402
import mixture  # noqa: E402
import multivariate  # noqa: E402
import scaling  # noqa: E402

BENCHMARKS = {
    "exact engine": exact_engine,
    "literal engine": literal_engine,
    "running sums": accumulate,
    "sixteen dimensions": multivariate,
    "categories": categorical,
    "soft EM": mixture,
    "kernel density": kernel_density,
    "memory": memory,
    "scaling": scaling,
    "ensembles of networks": ensemble,
}
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure, print, and record where asked to."""
    found = {"machine": machine()}
    print(", ".join(f"{name} {value}" for name, value in found["machine"].items()))
    for name, benchmark in BENCHMARKS.items():
        print(f"\n{name}: {(benchmark.__doc__ or name).splitlines()[0]}")
        found[name] = {key: float(f"{value:.4g}") for key, value in benchmark.measure().items()}
        for key, value in found[name].items():
            print(f"  {key:<45}{value:>14,.4g}")
    if "--record" not in sys.argv[1:]:
        return
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{jax.default_backend()}.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
