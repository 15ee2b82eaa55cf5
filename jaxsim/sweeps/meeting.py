"""Processes that share a sweep find each other once, agree on who is who, and part.

Work units are independent, so the processes have nothing to say to each other while they simulate: there is
no global mesh, no collective and no barrier at the end. What JAX's multi-controller runtime is for here
is to find them (SLURM, Open MPI, TPU, Kubernetes, or an address) and to number them. Whoever stays in
that runtime is aborted when another process dies; so a helper process joins it, says what it learnt and
leaves once all have come, and nothing that happens to one process later reaches the others.
"""

import json
import subprocess
import sys
from typing import NamedTuple

import jax

from theory.loop import LoopError

PATIENCE = 300  # seconds the processes wait for each other
LEAVING = 60  # seconds more for the helper to start and to end
UNKNOWN = (
    "neither SLURM, Open MPI, a TPU nor Kubernetes says who the processes are; "
    "give --coordinator HOST:PORT --processes N --process-id I"
)


class Seat(NamedTuple):
    """Which process this one is.

    Attributes:
        process: its number, from 0.
        processes: how many there are.
        visible: local numbers of the accelerators that are this process's, as JAX writes them; None: all.
    """

    process: int
    processes: int
    visible: str | None = None

    def part(self, shard: tuple[int, int]) -> tuple[int, int]:
        """This process's part of a shard (i, N), as a shard: every P-th of its units, from the p-th."""
        index, shards = shard
        return index + shards * self.process, shards * self.processes

    def take(self) -> None:
        """Leave the accelerators of other processes on this machine alone; before JAX is used."""
        if self.visible is not None:
            jax.config.update("jax_cuda_visible_devices", self.visible)
            jax.config.update("jax_rocm_visible_devices", self.visible)


def meet(
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
    patience: int = PATIENCE,
) -> Seat:
    """Wait until all processes have come; what is None is detected.

    Args:
        coordinator: host:port where process 0 listens.
        processes: how many there are.
        process: which one this is, from 0.
        patience: seconds to wait for the others.

    Raises:
        LoopError: if they do not come, or nothing tells who they are.
    """
    asked = json.dumps([coordinator, processes, process, patience])
    command = [sys.executable, "-m", "jaxsim.sweeps.meeting", asked]
    try:
        helper = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=patience + LEAVING
        )
        if helper.stdout:
            return Seat(**json.loads(helper.stdout.splitlines()[-1]))
        complaint = helper.stderr
    except subprocess.TimeoutExpired:
        complaint = "DEADLINE_EXCEEDED"
    where = coordinator or "the detected coordinator"
    raise LoopError("the meeting of processes", where, _reason(complaint, patience))


def _reason(complaint: str, patience: int) -> str:
    """A sentence for what the runtime says when it gives up."""
    for signs, reason in (
        (("ALREADY_EXISTS", "newer incarnation"), "two processes came with one id; each needs its own"),
        (("add port", "start RPC server"), "process 0 cannot listen there; give a free port of its machine"),
        (("DEADLINE_EXCEEDED",), f"not all processes came within {patience} s; --shard does a part alone"),
        (("be defined",), UNKNOWN),
    ):
        if any(sign in complaint for sign in signs):
            return reason
    lines = [line for line in complaint.splitlines() if line.strip() and not line.startswith("    @")]
    return lines[-1] if lines else "the helper that was to join it ended without a word"


def _attend(coordinator: str | None, processes: int | None, process: int | None, patience: int) -> None:
    """Be the helper: join, print which process this is, leave."""
    jax.distributed.initialize(
        coordinator,
        processes,
        process,
        initialization_timeout=patience,
        shutdown_timeout_seconds=patience,
        # named in full, none needs detecting; else a scheduler's devices would be taken
        cluster_detection_method=None if None in (coordinator, processes, process) else "deactivate",
    )
    visible = jax.config.values.get("jax_cuda_visible_devices", "all")
    jax.config.update("jax_platforms", "cpu")  # the accelerators are the parent's
    seat = Seat(jax.process_index(), jax.process_count(), None if visible == "all" else visible)
    print(json.dumps(seat._asdict()), flush=True)  # all have come; what happens now concerns nobody
    jax.distributed.shutdown()


if __name__ == "__main__":
    _attend(*json.loads(sys.argv[1]))
