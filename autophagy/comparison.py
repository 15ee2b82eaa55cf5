"""A loop read twice, in theory and by Monte Carlo, with a verdict on every observable.

All means and variances that theory predicts are one family of comparisons: the chance that a single one of
them raises a false alarm is 1e-6 in all. See `jaxsim.agreement`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

import theory.predict
from jaxsim.agreement import (
    AGREES,
    DISAGREES,
    NOT_TESTABLE,
    Agreement,
    Sample,
    Theory,
    agree,
    comparisons_in,
)
from theory.loop import Loop, LoopError
from theory.observable import PASSAGES, axes, numbered

if TYPE_CHECKING:
    import xarray as xr

CODES = {AGREES: 1.0, NOT_TESTABLE: 0.0, DISAGREES: -1.0, "": np.nan}
"""Verdicts as numbers, for files of numbers."""


@dataclass(frozen=True)
class Compared:
    """One observable, read twice.

    Attributes:
        sample: what Monte Carlo found, arrays over generations and trailing axes.
        agreement: the verdicts, which hold what was predicted.
        attributes: status, claim and reason of the closed form.
    """

    sample: Sample
    agreement: Agreement
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Theory and Monte Carlo of one loop, side by side.

    Attributes:
        loop: what was simulated.
        generations: where it was measured.
        seeds: replicates.
        seed: the master seed.
        engine: exact or literal.
        observables: by name.
    """

    loop: Loop
    generations: tuple[int, ...]
    seeds: int
    seed: int
    engine: str
    observables: dict[str, Compared]

    @property
    def disagrees(self) -> bool:
        """Whether any mean or variance disagrees."""
        return any(compared.agreement.disagrees for compared in self.observables.values())

    def entries(self) -> dict[str, dict[str, Any]]:
        """For each observable a dict of values, lists over the generations if there are several.

        `mean` and `variance` are Monte Carlo's; `theory` and `theory_variance` are predicted.
        """
        return {name: self._entry(name, compared) for name, compared in self.observables.items()}

    def _entry(self, name: str, compared: Compared) -> dict[str, Any]:
        sample, (mean, variance) = compared.sample, compared.agreement
        values = {
            "theory": mean.theory,
            "mean": mean.sample,
            "standard_error": _standard_error(sample),
            "z": mean.z,
            "smallest_discrepancy": mean.smallest_discrepancy,
            "verdict": mean.verdict,
            "seeds_needed": mean.replicates,
            "variance": variance.sample,
            "theory_variance": variance.theory,
            "variance_z": variance.z,
            "variance_verdict": variance.verdict,
        }
        if not (mean.verdict != "").any():
            values = {key: values[key] for key in ("mean", "standard_error", "variance")}
        elif not (variance.verdict != "").any():
            values = {key: value for key, value in values.items() if "variance_" not in key}
            del values["theory_variance"]
        single = len(self.generations) == 1 and name not in PASSAGES
        entry = {key: np.asarray(value[0] if single else value).tolist() for key, value in values.items()}
        return entry | compared.attributes | _advice(name, compared)

    def rows(self) -> list[dict[str, Any]]:
        """A flat row for every observable, generation and component."""
        rows = []
        for name, compared in self.observables.items():
            error = _standard_error(compared.sample)
            mean, variance = compared.agreement
            for index in np.ndindex(mean.sample.shape):
                passage = name in PASSAGES
                rows.append(
                    {
                        "observable": name,
                        "generation": None if passage else self.generations[index[0]],
                        "component": [k + 1 for k in (index if passage else index[1:])],
                        "theory": float(mean.theory[index]),
                        "mean": float(mean.sample[index]),
                        "standard_error": float(error[index]),
                        "z": float(mean.z[index]),
                        "smallest_discrepancy": float(mean.smallest_discrepancy[index]),
                        "verdict": str(mean.verdict[index]),
                        "seeds_needed": float(mean.replicates[index]),
                        "variance_verdict": str(variance.verdict[index]),
                    }
                )
        return rows

    def __str__(self) -> str:
        return self.table()

    def table(self) -> str:
        """Text: a line for every generation and observable, the worst component of each.

        "+-" is a standard error, "would see" the smallest error of the mean that could not have passed, and
        the two verdicts are those on the mean and on the variance.
        """
        from autophagy.output import table

        heading = ["generation", "observable", "theory", "Monte Carlo", "+-", "z", "would see", "verdict",
                   "on variance"]  # fmt: skip
        lines, notes = [heading], []
        for name, compared in self.observables.items():
            for index in _worst(compared.agreement):
                lines.append(self._line(name, compared, index))
            notes += [f"{name}: {text}" for text in _advice(name, compared).values()]
        return "\n".join([table(lines), *notes])

    def _line(self, name: str, compared: Compared, index: tuple[int, ...]) -> list[str]:
        from autophagy.output import number

        mean, variance = compared.agreement
        error = _standard_error(compared.sample)[index]
        predicted, z, least = mean.theory[index], mean.z[index], mean.smallest_discrepancy[index]
        if mean.verdict[index] == "":
            predicted = z = least = None
        component = "[" + ",".join(str(i + 1) for i in index[1:]) + "]" if len(index) > 1 else ""
        return [
            "" if name in PASSAGES else str(self.generations[index[0]]),
            name + component,
            *map(number, (predicted, mean.sample[index])),
            f"{error:.2g}",
            *("" if value is None else f"{value:{form}}" for value, form in ((z, ".2f"), (least, ".2g"))),
            mean.verdict[index] or "no closed form",
            variance.verdict[index],
        ]

    @property
    def dataset(self) -> xr.Dataset:
        """The numbers by name, verdicts as 1 (agrees), 0 (not testable) and -1 (disagrees)."""
        import xarray as xr

        from theory.loop_file import to_json

        names = ("theory", "mean", "standard_error", "z", "smallest_discrepancy", "verdict",
                 "theory_variance", "variance", "variance_z", "variance_verdict")  # fmt: skip
        variables = {}
        for name, compared in self.observables.items():
            mean, variance = compared.agreement
            code = [np.vectorize(CODES.get, otypes=[float])(part.verdict) for part in (mean, variance)]
            values = [mean.theory, mean.sample, _standard_error(compared.sample), mean.z,
                      mean.smallest_discrepancy, code[0],
                      variance.theory, variance.sample, variance.z, code[1]]  # fmt: skip
            trailing = ("generation", *axes(self.loop, name))
            dims = ("statistic", *(() if name in PASSAGES else trailing))
            variables[name] = (dims, np.stack(values), compared.attributes)
        attributes = {
            "loop": to_json(self.loop),
            "seeds": self.seeds,
            "seed": self.seed,
            "engine": self.engine,
            "verdict": "1 agrees, 0 not testable, -1 disagrees",
            "verdicts": ["verdict", "variance_verdict"],
        }
        coordinates = {"statistic": list(names), "generation": list(self.generations)}
        return numbered(xr.Dataset(variables, coordinates, attributes))


def compare(
    loop: Loop,
    generations: int | Sequence[int],
    seeds: int,
    *,
    seed: int = 0,
    engine: str = "exact",
    observables: Sequence[str] | None = None,
    max_generations: int = 10**6,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Simulate `loop`, predict it, and judge.

    Args:
        loop: numbers throughout, a Gaussian source.
        generations: where to measure, increasing.
        seeds: replicates.
        seed: the master seed.
        engine: exact or literal.
        observables: names; all that are measured at generations if None.
        max_generations: where a first passage is given up.
        progress: called with (done, total).
    """
    steps = (generations,) if isinstance(generations, int) else tuple(int(g) for g in generations)
    simulated = _simulated(loop, steps, seeds, seed, engine, observables, max_generations, progress)
    predicted = theory.predict.predict(loop, list(steps), list(simulated))
    expected = {name: _expected(loop, name, steps, predicted[name]) for name in simulated}
    comparisons = max(sum(comparisons_in(part) for part in expected.values()), 1)
    compared = {}
    for name, sample in simulated.items():
        attributes = {
            key: predicted[name].attrs[key]
            for key in ("status", "claim", "reason")
            if predicted[name].attrs.get(key) is not None
        }
        agreement = agree(sample, expected[name], comparisons=comparisons)
        compared[name] = Compared(sample, _withheld(agreement, sample, attributes), attributes)
    return Comparison(loop, steps, seeds, seed, engine, compared)


def _withheld(agreement: Agreement, sample: Sample, attributes: dict[str, str]) -> Agreement:
    """No verdict where there is nothing to judge: a formula to first order, or values that all are zero."""
    verdict = agreement.mean.verdict
    gone = (np.asarray(sample.mean) == 0) & (np.asarray(sample.variance) == 0)
    if attributes.get("status") == "asymptotic":
        gone = np.ones_like(gone)
    if not (gone & (verdict != "")).any():
        return agreement
    if attributes.get("status") == "asymptotic":
        reason = "its formula holds to first order only"
    elif (np.abs(agreement.mean.theory[gone]) < np.finfo(float).tiny).any():
        reason = "its values are below the smallest float"
    else:
        reason = "no replicate showed it"
    attributes["withheld"] = reason
    judged = [
        replace(
            part,
            verdict=np.where(gone & (part.verdict != ""), NOT_TESTABLE, part.verdict),
            replicates=np.where(gone, np.inf, part.replicates),
        )
        for part in agreement
    ]
    return Agreement(*judged)


def draw(comparison: Comparison, path: str) -> None:
    """Draw theory as lines and Monte Carlo as points with 95% intervals, a panel for each observable."""
    from autophagy.comparison_plot import draw_comparison

    draw_comparison(comparison, path)


def sample_of(variable: xr.DataArray) -> Sample:
    """The sample behind a simulated variable."""
    part = {
        name: np.asarray(variable.sel(statistic=name).values, float) for name in variable.statistic.values
    }
    return Sample(*(part[name] for name in ("count", "mean", "variance", "third", "fourth")))


def _simulated(
    loop: Loop,
    generations: tuple[int, ...],
    seeds: int,
    seed: int,
    engine: str,
    observables: Sequence[str] | None,
    max_generations: int,
    progress: Callable[[int, int], None] | None,
) -> dict[str, Sample]:
    from jaxsim.passage import first_passage
    from jaxsim.simulate import simulate

    timed = None if observables is None else [name for name in observables if name not in PASSAGES]
    samples = {}
    if timed is None or timed:
        dataset = simulate(
            loop, generations, seeds, seed=seed, engine=engine, observables=timed, progress=progress
        )
        samples = {str(name): sample_of(dataset[name]) for name in dataset.data_vars}
    for name in observables or ():
        if name in PASSAGES:
            dataset = first_passage(
                loop,
                seeds,
                observable=name,
                seed=seed,
                engine=engine,
                max_generations=max_generations,
            )
            if dataset[name].attrs["censored"]:
                raise LoopError(
                    "max_generations",
                    max_generations,
                    f"{dataset[name].attrs['censored']} of {seeds} replicates had not passed: no mean",
                )
            samples[name] = sample_of(dataset[name])
    return samples


def _expected(loop: Loop, name: str, generations: tuple[int, ...], predicted: xr.DataArray) -> Theory:
    mean, variance = (np.asarray(predicted.sel(statistic=s).values, float) for s in ("mean", "variance"))
    if name in PASSAGES or not np.isfinite(variance).any():
        return Theory(mean, variance)
    third, fourth = theory.predict.central_moments(loop, name, generations)[2:]
    return Theory(mean, variance, third, fourth)


def _standard_error(sample: Sample) -> np.ndarray:
    return np.sqrt(np.asarray(sample.variance) / np.asarray(sample.count))


def _worst(agreement: Agreement) -> list[tuple[int, ...]]:
    """For each generation the index of its largest |z|; a first passage has one, the empty index."""
    z = np.nan_to_num(np.abs(agreement.mean.z), nan=-1.0, posinf=np.inf)
    if z.ndim == 0:
        return [()]
    flat = z.reshape(len(z), -1).argmax(1)
    return [(g, *map(int, np.unravel_index(i, z.shape[1:]))) for g, i in enumerate(flat)]


def _advice(name: str, compared: Compared) -> dict[str, str]:
    """What would make a mean testable that is not."""
    mean = compared.agreement.mean
    needed = mean.replicates[mean.verdict == NOT_TESTABLE]
    if not needed.size:
        return {}
    if "withheld" in compared.attributes:
        return {"advice": compared.attributes["withheld"]}
    vector = mean.sample.ndim > 1  # where there is no log_variance
    light = name in ("variance", "std", "variance_squared") and not vector
    other = "; log_variance has a light tail" if light else ""
    if np.isinf(needed).any():
        return {"advice": f"its tail is too heavy for any number of seeds{other}"}
    count = f"{needed.max():,.0f}" if needed.max() < 1e12 else f"{needed.max():.1e}"
    return {"advice": f"its tail is too heavy for these seeds, {count} would do{other}"}
