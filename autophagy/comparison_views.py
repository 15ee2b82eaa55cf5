"""A comparison shown: as values, as rows, as a table for a reader, as a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autophagy.comparison import Compared, Comparison, why_withheld
from autophagy.observable_table import resolution, rounded, wrapped
from autophagy.output import number
from autophagy.output import table as aligned
from jaxsim.agreement import AGREES, DISAGREES, NOT_TESTABLE, Agreement, Sample
from theory.loop import Loop
from theory.loop_file import to_json, to_mapping
from theory.observable import PASSAGES, available, axes, numbered

if TYPE_CHECKING:
    import xarray as xr

CODES = {AGREES: 1.0, NOT_TESTABLE: 0.0, DISAGREES: -1.0, "": np.nan}
"""Verdicts as numbers, for files of numbers."""
MOST_NAMED = 6
"""Components that a note names."""


def entry(comparison: Comparison, name: str) -> dict[str, Any]:
    """Values of one observable, lists over the generations if there are several."""
    compared = comparison.observables[name]
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
    single = len(comparison.generations) == 1 and name not in PASSAGES
    entry = {key: np.asarray(value[0] if single else value).tolist() for key, value in values.items()}
    return entry | compared.attributes | advice(comparison, name)


def rows(comparison: Comparison) -> list[dict[str, Any]]:
    """A flat row for every observable, generation and component."""
    found = []
    for name, compared in comparison.observables.items():
        error = _standard_error(compared.sample)
        mean, variance = compared.agreement
        for index in np.ndindex(mean.sample.shape):
            passage = name in PASSAGES
            found.append(
                {
                    "observable": name,
                    "generation": None if passage else comparison.generations[index[0]],
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
    return found


def table(comparison: Comparison) -> str:
    """Text; see `Comparison.table`."""
    heading = ["generation", "observable", "theory", "Monte Carlo", "+-", "z", "would see", "verdict",
               "on variance"]  # fmt: skip
    dust = resolution(to_mapping(comparison.loop)["source"])
    lines, notes = [heading], []
    for name, compared in comparison.observables.items():
        for index in _worst(compared.agreement):
            lines.append(_line(comparison, name, index, dust.get(name, 0.0)))
        notes += [wrapped(f"{name}: {text}") for text in advice(comparison, name).values()]
    return "\n".join([aligned(lines), *notes])


def _line(comparison: Comparison, name: str, index: tuple[int, ...], dust: float) -> list[str]:
    compared = comparison.observables[name]
    mean, variance = compared.agreement
    error = _standard_error(compared.sample)[index]
    predicted, z, least = mean.theory[index], mean.z[index], mean.smallest_discrepancy[index]
    if mean.verdict[index] == "":
        predicted = z = least = None
    component = "[" + ",".join(str(i + 1) for i in index[1:]) + "]" if len(index) > 1 else ""
    return [
        "" if name in PASSAGES else str(comparison.generations[index[0]]),
        name + component,
        number(None if predicted is None else rounded(float(predicted), dust)),
        number(mean.sample[index]),
        f"{error:.2g}",
        *("" if value is None else f"{value:{form}}" for value, form in ((z, ".2f"), (least, ".2g"))),
        mean.verdict[index] or "no closed form",
        variance.verdict[index],
    ]


def dataset(comparison: Comparison) -> xr.Dataset:
    """The numbers by name, verdicts as 1 (agrees), 0 (not testable) and -1 (disagrees)."""
    import xarray as xr

    names = ("theory", "mean", "standard_error", "z", "smallest_discrepancy", "verdict",
             "theory_variance", "variance", "variance_z", "variance_verdict")  # fmt: skip
    variables = {}
    for name, compared in comparison.observables.items():
        mean, variance = compared.agreement
        code = [np.vectorize(CODES.get, otypes=[float])(part.verdict) for part in (mean, variance)]
        values = [mean.theory, mean.sample, _standard_error(compared.sample), mean.z,
                  mean.smallest_discrepancy, code[0],
                  variance.theory, variance.sample, variance.z, code[1]]  # fmt: skip
        trailing = ("generation", *axes(comparison.loop, name))
        dims = ("statistic", *(() if name in PASSAGES else trailing))
        variables[name] = (dims, np.stack(values), compared.attributes)
    attributes = {
        "loop": to_json(comparison.loop),
        "seeds": comparison.seeds,
        "seed": comparison.seed,
        "engine": comparison.engine,
        "verdict": "1 agrees, 0 not testable, -1 disagrees",
        "verdicts": ["verdict", "variance_verdict"],
    }
    coordinates = {"statistic": list(names), "generation": list(comparison.generations)}
    return numbered(xr.Dataset(variables, coordinates, attributes))


def advice(comparison: Comparison, name: str) -> dict[str, str]:
    """What would make a mean testable that is not, and which of its components that is about."""
    compared = comparison.observables[name]
    mean = compared.agreement.mean
    untested = mean.verdict == NOT_TESTABLE
    reasons = {}
    if "withheld" in compared.attributes:
        reasons = why_withheld(compared.sample, mean, compared.attributes)
        untested = untested & ~np.any(list(reasons.values()), axis=0)
    if name == "extinct":
        rare = untested & np.isinf(mean.replicates)
        reasons["too rare for these seeds to show"] = rare
        untested = untested & ~rare
    said = [_which(comparison, name, where) + reason for reason, where in reasons.items() if where.any()]
    if untested.any():
        said.append(
            _which(comparison, name, untested) + _more_seeds(comparison.loop, name, compared, untested)
        )
    return {"advice": "; ".join(said)} if said else {}


def _more_seeds(loop: Loop, name: str, compared: Compared, heavy: np.ndarray) -> str:
    mean = compared.agreement.mean
    needed = mean.replicates[heavy]
    light = name in ("variance", "std", "variance_squared") and "log_variance" in available(loop)
    other = "; log_variance has a light tail" if light else ""
    if np.isinf(needed).any():
        return f"its tail is too heavy for any number of seeds{other}"
    count = f"{needed.max():,.0f}" if needed.max() < 1e12 else f"{needed.max():.1e}"
    return f"its tail is too heavy for these seeds, {count} would do{other}"


def _which(comparison: Comparison, name: str, chosen: np.ndarray) -> str:
    """The components that are chosen at some generation, numbered from 1; nothing to say if all are."""
    trailing = axes(comparison.loop, name)
    some = chosen.any(0) if chosen.ndim > 1 else np.ones(1, bool)
    if not trailing or chosen.all():
        return ""
    places = [",".join(str(k + 1) for k in index) for index in np.argwhere(some)]
    more = len(places) - MOST_NAMED
    named = ", ".join(places[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    at = [str(g) for g, row in zip(comparison.generations, chosen, strict=True) if row.any()]
    when = "" if len(at) == len(comparison.generations) else f" at generation {', '.join(at[:MOST_NAMED])}"
    return f"{trailing[0]} {named}{when}: "


def _standard_error(sample: Sample) -> np.ndarray:
    return np.sqrt(np.asarray(sample.variance) / np.asarray(sample.count))


def _worst(agreement: Agreement) -> list[tuple[int, ...]]:
    """For each generation the index of its largest |z|; a first passage has one, the empty index."""
    z = np.nan_to_num(np.abs(agreement.mean.z), nan=-1.0, posinf=np.inf)
    if z.ndim == 0:
        return [()]
    flat = z.reshape(len(z), -1).argmax(1)
    return [(g, *map(int, np.unravel_index(i, z.shape[1:]))) for g, i in enumerate(flat)]
