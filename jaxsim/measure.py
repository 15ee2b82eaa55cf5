"""A loop made ready to run, and any stretch of its replicates measured: summaries, histograms, values.

What is observed at a generation of a replicate lies in one row of numbers, its elements: each observable,
flattened.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxsim import blocks, summary
from jaxsim.prepare import prepared
from jaxsim.random import stream_key
from jaxsim.setting import Engine, Precision, Setting
from jaxsim.summary import Summary, Tally
from theory.loop import Loop, LoopError, require_numbers
from theory.loop_file import loop_hash
from theory.observable import shape as trailing

Progress = Callable[[int], None]


class Measurement(NamedTuple):
    """What is measured on the replicates of a loop; the replicates are named by each method.

    Attributes:
        kernel: what one replicate does and what is observed.
        request: its arguments, but for the replicates.
        precision: of the device's numbers.
        shift: [generation, element], and
        factor: [element], from the device's units to those of the loop.
    """

    kernel: blocks.Kernel
    request: blocks.Request
    precision: Precision
    shift: np.ndarray
    factor: np.ndarray

    def summary(
        self, first: int, last: int, devices: tuple[jax.Device, ...], progress: Progress | None = None
    ) -> Summary:
        """The summary [generation, element] of replicates first, ..., last - 1.

        Blocks are added pairwise (`jaxsim.summary.Tally`), so that stretches of 2^k blocks, summarised apart
        and added in the same way, give the bits of one run.
        """
        total = Tally()
        with jax.enable_x64(True):  # float32 arrays stay float32: every array here states its precision
            for count, block in self._blocks(self.kernel, self.request, first, last, devices, progress):
                total.add(summary.of_block(block, count).scaled(self.factor, self.shift))
        return total.sum()

    def replicates(
        self, first: int, last: int, devices: tuple[jax.Device, ...], progress: Progress | None = None
    ) -> np.ndarray:
        """The values [replicate, generation, element] of replicates first, ..., last - 1."""
        kernel = self.kernel._replace(keep="replicates")
        found = np.empty((last - first, *self.shift.shape))
        row = 0
        with jax.enable_x64(True), np.errstate(over="ignore", invalid="ignore"):
            for count, block in self._blocks(kernel, self.request, first, last, devices, progress):
                values = np.moveaxis(block, 1, 0)[:count] * self.factor + self.shift
                found[row : row + count] = np.where(np.isnan(values), np.inf, values)  # beyond the range
                row += count
        return found

    def histogram(
        self, first: int, last: int, devices: tuple[jax.Device, ...], edges: Mapping[str, Sequence[float]]
    ) -> dict[str, np.ndarray]:
        """How many of replicates first, ..., last - 1 lie in each bin, observable -> [generation, ..., bin].

        An observable with k edges has k + 1 bins: below the first edge, [edge, next edge), from the last on.
        Edges are compared in the precision of the run; observables that do not exist here are left out.
        """
        place = dict(zip(self.kernel.names, self._slices(), strict=True))
        names = tuple(name for name in self.kernel.names if name in edges)
        axes = tuple(self.kernel.axes[self.kernel.names.index(name)] for name in names)
        if not names:
            return {}
        levels = tuple(
            _levels(np.asarray(edges[name]), self.shift[:, place[name]], self.factor[place[name]], shape)
            for name, shape in zip(names, axes, strict=True)
        )
        kernel = self.kernel._replace(
            names=names, axes=axes, keep="histogram", bins=tuple(len(edges[name]) for name in names)
        )
        request = self.request._replace(levels=levels)
        found: dict[str, Any] = dict.fromkeys(names, 0)
        with jax.enable_x64(True):
            for count, block in self._blocks(kernel, request, first, last, devices, None, flat=False):
                for name, below in zip(names, block, strict=True):
                    found[name] = found[name] + _counts(below, count)
        return found

    def split(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Observables, their axes last, from rows of elements [..., element]."""
        pieces = zip(self.kernel.names, self._slices(), self.kernel.axes, strict=True)
        return {name: values[..., where].reshape(*values.shape[:-1], *axes) for name, where, axes in pieces}

    def _slices(self) -> list[slice]:
        ends = np.cumsum([0, *(int(np.prod(axes)) for axes in self.kernel.axes)])
        return [slice(a, b) for a, b in pairwise(ends)]

    def _blocks(
        self,
        kernel: blocks.Kernel,
        request: blocks.Request,
        first: int,
        last: int,
        devices: tuple[jax.Device, ...],
        progress: Progress | None,
        flat: bool = True,
    ) -> Iterator[tuple[int, Any]]:
        """Block by block: how many of its replicates count, and what it hands back."""
        if first % kernel.block:
            raise ValueError(f"replicate {first} does not begin a block of {kernel.block}")
        request = request._replace(seeds=np.int64(last))
        capacity, done = blocks.capacity(kernel, request), 0
        for counts, arrays in blocks.run(kernel, request, capacity, devices, first // kernel.block):
            for k, count in enumerate(counts):
                block = [array[k] for array in arrays]
                yield int(count), _flat(block) if flat else block
            done += int(counts.sum())
            if progress is not None:
                progress(done)


def measurement(
    loop: Loop,
    generations: np.ndarray,
    *,
    seed: int,
    engine: Engine = "exact",
    observables: Sequence[str] | None = None,
    precision: Precision | None = None,
) -> Measurement:
    """Make a loop ready to run.

    Raises:
        LoopError: for what the engine cannot do, or an observable that does not exist here.
    """
    require_numbers(loop)
    setting, precision = prepared(loop, int(generations[-1]), engine, precision)
    names = _names(observables, setting)
    axes = tuple(trailing(loop, name) for name in names)
    kernel = setting.kernel._replace(names=names, axes=axes)
    key = stream_key(seed, loop_hash(loop), engine)
    request = blocks.Request(setting.fixed, setting.steps, key, generations.astype(np.int32), np.int64(0))
    units = [setting.unit(name) for name in names]
    shifts = [
        np.broadcast_to(_behind(shift[generations], len(shape)), (len(generations), *shape)).reshape(
            len(generations), -1
        )
        for (shift, _), shape in zip(units, axes, strict=True)
    ]
    factors = [np.full(int(np.prod(shape)), factor) for (_, factor), shape in zip(units, axes, strict=True)]
    return Measurement(kernel, request, precision, np.concatenate(shifts, axis=1), np.concatenate(factors))


def _flat(arrays: list[np.ndarray]) -> np.ndarray:
    """Observables [generation, row, ...] side by side, in float64: [generation, row, element]."""
    return np.concatenate([array.reshape(*array.shape[:2], -1).astype(float) for array in arrays], axis=-1)


def _behind(shift: np.ndarray, axes: int) -> np.ndarray:
    """A shift [generation], or [generation, component], against an observable with so many axes."""
    return shift.reshape(shift.shape + (1,) * (1 + axes - shift.ndim))


def _levels(edges: np.ndarray, shift: np.ndarray, factor: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Edges in the device's units, [generation, edge, ...]."""
    with np.errstate(over="ignore"):
        levels = (edges[None, :, None] - shift[:, None, :]) / factor
    return levels.reshape(len(shift), len(edges), *shape)


def _counts(below: np.ndarray, count: int) -> np.ndarray:
    """Bins [generation, ..., bin] from how many lie below each edge, [generation, edge, ...]."""
    below = np.moveaxis(below, 1, -1).astype(np.int64)
    ends = np.zeros_like(below[..., :1])
    return np.diff(below, prepend=ends, append=ends + count)


def _names(observables: Sequence[str] | None, setting: Setting) -> tuple[str, ...]:
    if observables is None:
        return setting.default
    for name in observables:
        if name not in setting.available:
            raise LoopError("observables", name, f"available here: {', '.join(setting.available)}")
    return tuple(dict.fromkeys(observables))
