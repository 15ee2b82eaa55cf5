"""Confrontations simulated together: those of one loop share a run, and alike loops a compiled program."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

from autophagy.asymptotics import OfLimit, OfMedian
from autophagy.confrontation import OfBound, OfLaw, OfMoments, Outcome
from autophagy.inequality import OfInequality
from theory.claim import Case, Claim, Experiment
from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace, Unbiased

Confrontation = OfMoments | OfLaw | OfBound | OfInequality | OfLimit | OfMedian

LADDER = (3, 10, 40, 200)
"""Loops with constant n run up to the next of these, and are measured at the same generations."""


@dataclass(frozen=True)
class Run:
    """One simulation, and all that is judged by it.

    Attributes:
        loop: what is simulated; or an experiment.
        keep: "summary", "replicates" or "passage".
        names: what is measured.
        steps: where.
        trials: what is judged.
    """

    loop: Any
    keep: str
    names: tuple[str, ...]
    steps: tuple[int, ...]
    trials: tuple[Confrontation, ...]

    @property
    def engine(self) -> Literal["exact", "literal"]:
        """As asked, but literal where samples are truncated: they have no finite sufficient statistic."""
        truncated = self.loop.sampler.truncate is not None
        return "literal" if truncated else self.trials[0].wanted.engine

    def outcomes(self, family: int, work: int, seed: int) -> list[Outcome]:
        """Simulate with the replicates of the most demanding trial, and judge each."""
        from jaxsim.passage import first_passage
        from jaxsim.simulate import simulate

        count = max(trial.replicates(family, work) for trial in self.trials)
        if isinstance(self.loop, Experiment):
            from jaxsim.experiments import measured

            found = measured(self.loop, count, seed)
            return [trial.judge(found, family) for trial in self.trials]
        from theory.recipes.optimal_weight import settled

        loop = settled(self.loop, max(self.steps, default=1))
        if self.keep == "passage":
            (name,) = self.names
            times = first_passage(loop, count, seed=seed, observable=name, engine=self.engine)[name]
            return [trial.judge(times, family) for trial in self.trials]
        keep = "replicates" if self.keep == "replicates" else "summary"
        dataset = simulate(
            loop, self.steps, count, seed=seed, engine=self.engine, observables=self.names, keep=keep
        )
        return [
            trial.judge(
                dataset[trial.wanted.observable].sel(generation=list(trial.wanted.generations)), family
            )
            for trial in self.trials
        ]


def plan(claim: Claim, case: Case) -> Confrontation:
    """How `claim` is confronted on `case`, by its check."""
    if claim.expected is not None and claim.check == "bound":
        return OfInequality.plan(claim, case)
    if claim.check == "law":
        return (OfMedian if claim.status == "asymptotic" else OfLaw).plan(claim, case)
    return {"bound": OfBound, "limit": OfLimit}.get(claim.check, OfMoments).plan(claim, case)


def judged(
    trials: Sequence[Confrontation],
    family: int,
    work: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[int, Outcome]:
    """The outcome of every trial, by its `id`.

    Batches are independent: one compiles while another computes, and the numbers do not depend on it.
    """
    batches = shared(trials, family, work)
    total = sum(map(len, batches))
    outcomes: dict[int, Outcome] = {}
    lock = Lock()

    def work_off(batch: list[Run]) -> None:
        for run in batch:
            found = dict(zip(map(id, run.trials), run.outcomes(family, work, seed), strict=True))
            with lock:
                outcomes.update(found)
                done.append(run)
                if progress is not None:
                    progress(len(done), total)

    done: list[Run] = []
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        for _ in pool.map(work_off, batches):
            pass
    finally:
        pool.shutdown(cancel_futures=True)
    return outcomes


def shared(trials: Sequence[Confrontation], family: int, work: int) -> list[list[Run]]:
    """The runs that serve `trials`, in batches of one shape: measured alike, to be compiled once."""
    together: dict[tuple, list[Confrontation]] = {}
    alike: dict[tuple, list[Confrontation]] = {}
    for trial in trials:
        shape = _shape(trial, trial.replicates(family, work))
        together.setdefault((trial.wanted.loop, *shape), []).append(trial)
        alike.setdefault(shape, []).append(trial)
    batches: dict[tuple, list[Run]] = {shape: [] for shape in alike}
    for (loop, *shape), group in together.items():
        others = alike[tuple(shape)] if _is_alike(loop) else group
        names = dict.fromkeys(trial.wanted.observable for trial in others)
        steps = sorted({g for trial in others for g in trial.wanted.generations})
        run = Run(loop, group[0].wanted.keep, tuple(names), tuple(steps), tuple(group))
        batches[tuple(shape)].append(run)
    return list(batches.values())


def _is_plain(loop: Loop) -> bool:
    """Whether it is a Gaussian loop under replacement: these share programs."""
    parts = (loop.source, Gaussian), (loop.data, Replace), (loop.estimator, MaximumLikelihood | Unbiased)
    return all(isinstance(*part) for part in parts) and loop.selection is None


def _is_alike(loop: Loop | Experiment) -> bool:
    """Whether it is a plain loop on the line: these are measured alike."""
    return isinstance(loop, Loop) and _is_plain(loop) and loop.source.is_scalar


def _shape(trial: Confrontation, count: int) -> tuple:
    """What a compiled program depends on: runs of one shape may share it.

    Beyond the line, where replicates are dear, one that asks for many more than the others runs alone.
    """
    wanted = trial.wanted
    if isinstance(wanted.loop, Experiment) or not _is_plain(wanted.loop):
        passage = wanted.observable if wanted.keep == "passage" else None
        return wanted.keep, wanted.engine, wanted.loop, passage
    last = max(wanted.generations, default=0)
    if isinstance(wanted.loop.data.n, int):
        last = min((rung for rung in LADDER if rung >= last), default=last)
    truncated = wanted.loop.sampler.truncate is not None
    asked = 0 if wanted.loop.source.is_scalar else (count.bit_length() + 3) // 4
    return wanted.keep, wanted.engine, wanted.loop.source.dimension, truncated, last, asked
