"""Loops around generators of images, as rows: their metrics, and a few of the images themselves.

A row holds either a metric or an image, of real images (generation 0), of a loop, or of the control beside
it: the same training, each generation on as many real images. What the control lacks to real images is
training's doing; what a loop lacks to its control is the loop's.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped

from paper_figs import estimates
from paper_figs.reduced import REDUCED, reduce
from paper_figs.rows import Rows, merged, provenance
from paper_figs.stages import Progress
from theory.loop import Loop

if TYPE_CHECKING:
    from models.generation import Generation
    from models.loop import Run

SHOWN = 10
"""Images of a generation that are drawn."""

WHITE = 255
REAL, LOOP, CONTROL = "real", "loop", "control"
"""Whose a row is."""

Told = Callable[["Run", "Generation", str], Iterable[dict[str, Any]]]
"""What is said of a generation of a loop or its control besides metrics: values of rows."""


def first_images(run: Run, generation: Generation, whose: str) -> Iterator[dict[str, Any]]:
    """The first images of the first replicate."""
    for number, image in enumerate(generation.pictured[(LOOP, CONTROL).index(whose)][0, :SHOWN]):
        yield {"image": number, "pixels": packed(image)}


def of_no_more(run: Run) -> dict[str, float]:
    """Nothing of real images but their metrics."""
    return {}


@dataclass(frozen=True)
class Experiment:
    """Loops around generators of images, and what is kept of them.

    Attributes:
        loops: by name.
        metrics: those of a generation that are kept.
        generations: how many.
        controlled: the loops beside which a control runs.
        told: what else is said of a generation.
        real: what else than `metrics` is said of real images.
        keep_samples: whether a run keeps all samples that are measured.
    """

    loops: Mapping[str, Loop]
    metrics: Collection[str]
    generations: int
    controlled: Collection[str]
    told: Told = first_images
    real: Callable[[Run], Mapping[str, float]] = of_no_more
    keep_samples: bool = False

    def collect(
        self,
        seeds: int = 4,
        seed: int = 0,
        *,
        loops: Mapping[str, Loop] | None = None,
        generations: int | None = None,
        folder: str | Path | None = None,
        data_folder: str | None = None,
        progress: Progress | None = None,
    ) -> Rows:
        """Run the loops: means over the replicates with their intervals, and images.

        Args:
            seeds: replicates, trained at once.
            seed: the master seed.
            loops: in the place of the experiment's, with the same names.
            generations: how many; None: as the experiment says.
            folder: where the runs are kept, one folder each, and go on after a kill; None: nowhere.
            data_folder: where data sets lie; None: as the environment says.
            progress: told `(done, total)`.
        """
        from models.loop import Run

        loops, last = loops or self.loops, generations or self.generations
        parts: list[Iterable[Mapping[str, Any]]] = []
        with tempfile.TemporaryDirectory() as passing:
            base = Path(passing if folder is None else folder).resolve()
            base.mkdir(parents=True, exist_ok=True)
            for archive in {loop.source.dataset for loop in loops.values()} & set(REDUCED):
                reduce(archive, base, data_folder)
            with contextlib.chdir(base):  # the names of archives are relative
                for index, (name, loop) in enumerate(loops.items()):
                    run = Run(
                        loop, seeds, seed, base / f"run_{index}", data_folder=data_folder,
                        control=name in self.controlled, keep_samples=self.keep_samples,
                    )  # fmt: skip
                    run.check(last)
                    parts.append(self._of_real(name, run))
                    for generation in run.generations(last):
                        parts.append(self._of_generation(name, run, generation, last))
                        if progress is not None:
                            progress(index * last + generation.number, len(loops) * last)
        return Rows(provenance(loops, seed, seeds), merged(parts))

    def _of_real(self, name: str, run: Run) -> list[dict[str, Any]]:
        found = run.judge.of_real()
        known = {metric: found[metric] for metric in self.metrics if metric in found} | dict(self.real(run))
        return [_measured(name, REAL, 0, metric, np.array([value])) for metric, value in known.items()]

    def _of_generation(self, name: str, run: Run, generation: Generation, last: int) -> list[dict[str, Any]]:
        """Its rows; of the control only the last images, since its generations are all alike."""
        number, rows = generation.number, []
        for whose, found in ((LOOP, generation.measures), (CONTROL, generation.control)):
            if found:
                kept = [metric for metric in self.metrics if metric in found]
                rows += [_measured(name, whose, number, metric, found[metric]) for metric in kept]
                said = (_row(name, whose, number, **values) for values in self.told(run, generation, whose))
                rows += [row for row in said if whose == LOOP or number == last or row["pixels"] is None]
        return rows


def _row(name: str, whose: str, generation: int, **values: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"generation": generation, "loop": name, "whose": whose}
    return row | dict.fromkeys(("metric", "value", "low", "high", "image", "pixels")) | values


def _measured(name: str, whose: str, generation: int, metric: str, found: np.ndarray) -> dict[str, Any]:
    return _row(name, whose, generation, metric=metric, **estimates.of_few(found)._asdict())


def packed(image: np.ndarray) -> str:
    """A square image as one word, two hexadecimal digits a pixel and colour: x and levels from 0 to 255."""
    return "x" + np.clip(np.round(image), 0, WHITE).astype(np.uint8).tobytes().hex()


def unpacked(word: str) -> Shaped[np.ndarray, "side side *colour"]:
    """The square image of a word that `packed` made: no square number is three times another."""
    levels = np.frombuffer(bytes.fromhex(word.removeprefix("x")), np.uint8)
    side = round(len(levels) ** 0.5)
    if side**2 == len(levels):
        return levels.reshape(side, side)
    side = round((len(levels) / 3) ** 0.5)
    return levels.reshape(side, side, 3)


def size(rows: Rows) -> int:
    """The side of the images."""
    return len(unpacked(next(word for word in rows.column("pixels") if word)))


def described(rows: Rows) -> str:
    """The network, its training and the replicates, from the rows themselves."""
    loop = next(iter(rows.provenance["loops"].values()))
    generator, training, n = loop["generator"], loop["training"], loop["data"]["n"]
    network = {"mlp": "perceptron", "unet": "U-Net"}[generator["network"]]
    steps = f"{training['steps']:,} steps of {training['batch']} images"
    return (
        f"{network} of width {generator['width']}, {steps}, {n:,} images a generation, "
        f"{rows.provenance['seeds']} replicates"
    )
