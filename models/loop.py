"""The loop around a real generator: the same recipes, biases and selections, training in the place of a fit.

Beside every loop runs a control: the same training, each generation on as many real points. What the control
loses is training's doing, and not the loop's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxsim.sweeps.durable import put
from models.checkpoint import Checkpoints, flattened, restored
from models.choosing import candidates, scoring
from models.features import classifier
from models.feeding import CONTROL, FIT, Kitchen, Served, drawn, first_reading, streams
from models.generation import Generation, as_arrays, from_arrays
from models.generator import Generator, generator
from models.judging import Judge
from models.pictures import grid
from models.points import Points, pool
from models.real import Real, real
from theory.loop import Loop, LoopError
from theory.loop_file import to_mapping
from theory.meal import Real as RealPoints
from theory.meal import Sample
from theory.recipe import recipe

BLOW_UP = 10.0
"""A loop is stopped when a coordinate is this many times farther from the mean than any real one."""

PACKAGES = ("flax", "jax", "jaxlib", "numpy", "optax")
PICTURED = 12
"""Images of each replicate that are kept to be looked at."""
KEPT = ("samples", "samples_control")
"""What a file calls the samples it keeps, of the loop and of its control."""


class BlowUpError(ArithmeticError):
    """A generator that left the range of numbers that mean anything; the sentence says when and how."""


Progress = Callable[[str, int, int], None]
"""Told (what is being done, steps done, steps)."""


class Run:
    """A run of one loop, generation by generation.

    Attributes:
        real: the real points.
        judge: what measures.
    """

    def __init__(
        self,
        loop: Loop,
        replicates: int,
        seed: int,
        folder: str | Path,
        *,
        data_folder: str | None = None,
        cache: Path | None = None,
        keep_samples: bool = False,
        control: bool = True,
        progress: Progress | None = None,
    ):
        """Open a run, or begin one.

        Args:
            loop: with a generator.
            replicates: independent re-runs, trained at once.
            seed: the master seed.
            folder: where generations are kept; one that was killed goes on.
            data_folder: where named data sets lie.
            cache: where classifiers are kept.
            keep_samples: whether all samples that are measured are kept as well.
            control: whether a control runs beside it; without, another run's must stand for it.
            progress: told what goes on.

        Raises:
            LoopError: on a loop that cannot be run, or another run in the folder.
        """
        if loop.generator is None:
            raise LoopError("generator", None, "the table [generator] is missing")
        if loop.start is not None:
            raise LoopError("start", loop.start, "a generator starts from its source")
        self.real: Real = real(loop, data_folder)
        self._loop, self._keep, self._progress = loop, keep_samples, progress
        self._controlled = control
        self._recipe = recipe(loop.data)
        self._generator: Generator = generator(loop, self.real)
        self._random = streams(loop, seed, replicates)
        data = self.real.data
        self._classifier = None if data is None else classifier(data, cache)
        self.judge = Judge(self.real, self._classifier)
        seen = self._classifier.see if data is not None and data.classes else None
        score = scoring(loop.selection, self.real, None if seen is None else lambda v: seen(v).confidence)
        candidates(loop.selection, 1)  # refuses what cannot be
        self._kitchen = Kitchen(loop, self._recipe, self.real, score, self._random, self._raw)
        self._checkpoints = Checkpoints(Path(folder), self._configuration(replicates, seed))
        self._models: dict[int, list[Any]] = {}
        self._streams: dict[tuple[int, ...], Points] = {}
        self._largest: dict[int, np.ndarray] = {}

    def _configuration(self, replicates: int, seed: int) -> dict[str, Any]:
        return {
            "loop": to_mapping(self._loop),
            "replicates": replicates,
            "seed": seed,
            "versions": {name: version(name) for name in PACKAGES},
            "backend": jax.default_backend(),
            "samples": self._keep,
        } | ({} if self._controlled else {"control": False})

    @property
    def folder(self) -> Path:
        """Where the run is kept."""
        return self._checkpoints.folder

    @property
    def done(self) -> int:
        """The last generation up to which all are kept; 0 if there is none."""
        return self._checkpoints.done()

    def check(self, last: int) -> None:
        """Refuse a loop that would ask for more real points than there are, before anything is trained.

        Raises:
            LoopError: naming the number.
        """
        meals = [self._recipe.at(t, p) for t in range(1, last + 1) for p in range(self._recipe.peers)]
        drawn = (portion for meal in meals for portion in (*meal.adds, *meal.eats))
        asked = [int(p.n) for p in drawn if isinstance(p, RealPoints) or not getattr(p, "synthetic", True)]
        most = max([*asked, *map(int, self._recipe.sets.values())], default=0)
        if self.real.most is not None and most > self.real.most:
            raise LoopError("data", most, f"there are {self.real.most:,} real points to train on")

    def generations(self, last: int) -> Iterator[Generation]:
        """Generations 1 to `last`: read where they are done, else run and kept before they are given.

        Raises:
            BlowUpError: when the loop blows up; the generations before are kept.
            LoopError: when the data policy asks for what there is not.
        """
        done = min(self._checkpoints.done(), last)
        for number in range(1, last + 1):
            yield self._read(number) if number <= done else self._run(number)
            self._forget(number)

    def _run(self, number: int) -> Generation:
        served = self._kitchen.serve(number)
        models, losses = [], []
        for peer, food in enumerate(served):
            fitted, loss = self._fit(number, peer, food)
            models.append(fitted)
            losses.append(loss)
        self._models[number] = models
        measured, spectra, pictured = [], [], []
        for peer in range(self._recipe.peers):
            made = self._kitchen.kept(
                number, peer, first_reading(number, peer, self._recipe), self._wanted(number)
            )
            measured.append(self.judge.measure(made, self._conditional))
            spectra.append(self.judge.spectrum(_first(made, self._taken(number))))
            pictured.append(made)
        measures = _averaged(measured) | {"largest": self._largest[number]}
        if losses[0] is not None:
            measures["loss"] = np.mean(losses, axis=0)
        control, apart, beside = {}, {}, _first(pictured[0], 0)
        if self._controlled:
            control, apart, beside = self._control(number, served[0])
        eaten = Points(*(np.concatenate(a, axis=1) for a in zip(*served[0].parts, strict=True)))
        spectrum = {f"loop_{name}": value for name, value in _averaged(spectra).items()}
        spectrum |= {f"eaten_{name}": value for name, value in self.judge.spectrum(eaten).items()}
        spectrum |= {f"control_{name}": value for name, value in apart.items()}
        shown = pictured[0].values[:, :PICTURED], beside.values[:, :PICTURED]
        found = Generation(number, measures, control, spectrum, shown)
        self._write(found, models, pictured[0], beside)
        return found

    @property
    def _conditional(self) -> bool:
        training = self._loop.training
        return training is not None and training.context_dropout is not None

    def _fit(self, number: int, peer: int, food: Served) -> tuple[Any, np.ndarray | None]:
        start = None
        if food.model is not None:
            start = self._models[food.model[0]][food.model[1]] if food.model[0] in self._models else None
            if start is None or self._loop.training is None:
                raise LoopError("data.policy", self._loop.data.policy, "there is no network to go on from")
        keys = self._random.keys(FIT, number, peer)
        return self._trained(number, keys, food.parts, food.weights, start, food.share, "training")

    def _trained(self, number, keys, parts, weights, start, share, label):
        count = sum(part.count for part in parts)
        gathered = pool(parts, weights, _capacity(count))
        told = None
        if self._progress is not None:
            told = lambda done, of: self._progress(f"generation {number}, {label}", done, of)  # noqa: E731
        models, losses = self._generator.fit(keys, gathered, count, start, share, told)
        if losses is not None and not np.isfinite(losses).all():
            raise BlowUpError(self._sentence(number, "the training loss is not finite", np.isfinite(losses)))
        return models, losses

    def _control(
        self, number: int, food: Served
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], Points]:
        """The same training on as many real points, and what it makes."""
        count = sum(part.count for part in food.parts)
        count = count if self.real.most is None else min(count, self.real.most)
        parts = [drawn(self.real, self._random.rngs(CONTROL, number), count)]
        models, losses = self._trained(
            number, self._random.keys(CONTROL, number, 0), parts, None, None, 1.0, "control"
        )
        made = self._generator.sample(self._random.keys(CONTROL, number, 1), models, self._wanted(number))
        made = made._replace(values=self.real.bounded(made.values))
        measures = self.judge.measure(made, self._conditional)
        if losses is not None:
            measures["loss"] = losses
        return measures, self.judge.spectrum(made), made

    def _wanted(self, number: int) -> int:
        """Points sampled of every model: those measured, or as many as the next generation first takes."""
        return max(self.judge.size, self._taken(number) or 0)

    def _taken(self, number: int) -> int | None:
        """How many of the points that are measured the next generation is trained on, if any."""
        try:
            meal = self._recipe.at(number + 1)
        except LoopError:  # a list of sizes ends with the last generation
            return None
        first = (*meal.adds, *meal.eats)[0]
        return int(first.n) if isinstance(first, Sample) and first.n >= 2 else None

    def _raw(self, generation: int, peer: int, address: tuple[int, ...], count: int) -> Points:
        """Points of a model before selection; a longer sample extends a shorter one."""
        known = self._streams.get(address)
        if known is None or known.count < count:
            keys = self._random.keys(*address)
            made = self._generator.sample(keys, self._models[generation][peer], count)
            self._check(generation, made)
            known = made._replace(values=self.real.bounded(made.values))
            self._streams[address] = known
        return Points(known.values[:, :count], known.labels[:, :count])

    def _check(self, generation: int, made: Points) -> None:
        """Refuse points that are not finite, or far beyond all real ones; remember the largest."""
        centre = self.judge.centre.reshape(self.real.shape)
        apart = np.abs(made.values - centre).reshape(len(made.values), -1).max(axis=1)
        fine = apart <= BLOW_UP * self.real.reach  # false for nan
        if not fine.all():
            worst = np.nanmax(apart) if np.isfinite(apart).any() else np.inf
            what = f"a coordinate is {worst:.3g} from the mean, real ones at most {self.real.reach:.3g}"
            raise BlowUpError(self._sentence(generation, what, fine))
        largest = np.abs(made.values).reshape(len(made.values), -1).max(axis=1)
        self._largest[generation] = np.maximum(self._largest.get(generation, 0.0), largest)

    def _sentence(self, generation: int, what: str, fine: np.ndarray) -> str:
        which = ", ".join(str(i) for i in np.flatnonzero(~fine))
        kept = (
            f"generation {generation - 1} is kept in {self.folder}" if generation > 1 else "nothing is kept"
        )
        return f"the loop blew up in generation {generation}, replicate {which}: {what}; {kept}"

    def _forget(self, number: int) -> None:
        """Let go of what no later generation reads."""
        oldest = number + 1 - self._recipe.models_back
        self._models = {t: found for t, found in self._models.items() if t >= oldest}
        self._streams = {address: found for address, found in self._streams.items() if address[0] >= number}
        if not self._recipe.pooled:
            first = number + 1 - max(self._recipe.batches_back, 0)
            batches = self._kitchen.batches
            self._kitchen.batches = {t: found for t, found in batches.items() if t >= first}

    def samples(self, number: int, *, control: bool = False) -> Points:
        """The samples of a generation, or of its control, that were measured.

        Raises:
            LoopError: if they were not kept.
        """
        arrays, _ = self._checkpoints.read(number) or ({}, {})
        name = KEPT[control]
        if name not in arrays:
            raise LoopError("samples", number, "this generation's were not kept")
        return Points(arrays[name], arrays[f"{name}_labels"])

    def _write(self, found: Generation, models: list[Any], made: Points, beside: Points) -> None:
        arrays = as_arrays(found)
        for peer, model in enumerate(models):
            arrays |= flattened(f"model_{peer}", model)
        stored = self._kitchen.batches[found.number]
        facts = {"generation": found.number, "batches": [len(batches) for batches in stored]}
        for peer, batches in enumerate(stored):
            for place, batch in enumerate(batches):
                arrays |= {f"batch_{peer}_{place}_{name}": a for name, a in batch._asdict().items()}
        if self._keep:
            for name, points in zip(KEPT, (made, beside), strict=True):
                arrays |= {name: points.values, f"{name}_labels": points.labels}
        self._checkpoints.write(found.number, arrays, facts)
        if self.real.data is not None:
            rows = [*found.pictured[0], *([None, *found.pictured[1]] if self._controlled else [])]
            whose = ": loop above, control below" if self._controlled else ": loop"
            picture = grid(rows, self.real.data.white, f"generation {found.number}{whose}")
            put(self.folder / "images" / f"generation_{found.number:04d}.png", picture)

    def _read(self, number: int) -> Generation:
        kept = self._checkpoints.read(number)
        assert kept is not None  # counted as done
        arrays, facts = kept
        like = self._generator.template
        self._models[number] = [
            restored(f"model_{peer}", arrays, like) for peer in range(len(facts["batches"]))
        ]
        self._kitchen.batches[number] = [
            [
                Points(*(arrays[f"batch_{peer}_{place}_{name}"] for name in Points._fields))
                for place in range(count)
            ]
            for peer, count in enumerate(facts["batches"])
        ]
        return from_arrays(number, arrays)


def _first(points: Points, count: int | None) -> Points:
    """The first `count` points of every replicate, or all."""
    return Points(points.values[:, :count], points.labels[:, :count])


def _capacity(count: int) -> int:
    """Room for a pool: a power of two, so that few programs are compiled as a pool grows."""
    return 1 << (count - 1).bit_length()


def _averaged(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The mean over peers of everything measured."""
    return {name: np.mean([part[name] for part in parts], axis=0) for name in parts[0]}
