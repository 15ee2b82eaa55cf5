"""What the symbols of a written derivation stand for: those that occur in it, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import sympy as sp

from theory.loop import Loop
from theory.provenance.of_loop import sample_variance
from theory.recipes.affine_step import Label

MEANINGS = {
    ("replace", "n"): "the points of a fit",
    ("accumulate", "n"): "the points that a generation adds to the pool",
    ("accumulate-subsample", "n"): "the points that a generation adds to the pool, and takes for its fit",
    ("window", "n"): "the points of a batch",
    ("memory", "real"): "the fresh real points of a generation",
    ("memory", "per_model"): "the points from each of the previous models",
    ("fresh", "real"): "the fresh real points of a generation",
    ("fresh", "synthetic"): "its points from the model before",
    ("fresh", "weight"): "the weight of the real points together",
    ("fixed", "real"): "the points of the real set",
    ("fixed", "synthetic"): "the points from the model before",
    ("web", "start"): "the real points that the web begins with",
    ("web", "real"): "the real points that a generation adds",
    ("web", "synthetic"): "the points of the latest model that it adds",
    ("web", "n"): "the points of a fit",
    ("peers", "real"): "the fresh real points of each model",
    ("peers", "per_model"): "the points that each model takes from each, itself included",
    ("heal", "real"): "the real points of a healing fit",
    ("heal", "weight"): "the weight of their moments, 1 - w that of the current model's",
}
"""What the count or weight under a key of a policy is."""


def variables(labels: Iterable[Label], names: str) -> list[str]:
    """m, s and whatever else the coordinates read.

    Args:
        labels: the coordinates.
        names: all of them as they are written.
    """
    objects = {part[0] for label in labels for part in label if isinstance(part, tuple)}
    kinds = {label[0] for label in labels}
    lines = ["m = mu - (mean of the source), s = sigma^2; a prime marks the next generation."]
    lags = sorted({int(lag) for lag in re.findall(r"\[(-\d+)\]", names)}, reverse=True)
    if lags:
        shown = ", ".join(f"[{lag}]" for lag in lags)
        lines.append(f"{shown} marks what is as many generations old.")

    if re.search(r"\b[mx]\d", names):
        lines.append("A number after a letter says which model it belongs to.")
    known = (
        ("all", "M is the mean of m over all models, which have one law."),
        ("batch", "x is the mean of a stored batch, counted as m is."),
        ("set", "r is the mean of a real set that is kept, counted as m is."),
        ("pool", "p is the mean of the pool's points, counted as m is."),
    )
    lines += [line for kind, line in known if kind in objects]
    if "second moment" in kinds:
        lines.append("q(.) is the second moment of one point of what is named, about the source's mean.")
    return lines


def symbols(loop: Loop, named: Any, body: str) -> list[str]:
    """The counts and weights that occur in `body`, and which of the loop's numbers are put in.

    Args:
        loop: with its numbers.
        named: its data policy with symbols.
        body: everything that is written below.
    """
    words = set(re.findall(r"[A-Za-z_]\w*", body))
    lines = ["s_0 is the variance of the source."] if "s_0" in words else []
    for field in fields(named):
        value = getattr(named, field.name)
        if isinstance(value, sp.Symbol) and str(value) in words:
            lines.append(f"{value}: {MEANINGS[named.policy, field.name]}.")
    if "N" in words:
        lines.append("N: the points in the pool before a generation adds its own.")
    kept = [*_numbers(named), *_numbers(loop.selection, "selection.")]
    return [*lines, f"Numbers of the loop, not symbols: {', '.join(kept)}." if kept else ""]


def bias(loop: Loop, is_symbol: bool) -> str:
    """What lambda is, and its value."""
    value = float(sample_variance(loop.sampler))
    put = "" if is_symbol else ", for which all but the threshold is written"
    meaning = "lambda, the sampler's bias: the variance of a sampled point over the model's"
    return f"{meaning}; here {value:g}{put}."


def _numbers(part: Any, before: str = "") -> list[str]:
    """The numbers of a data policy or a selection, as key = value; those of one within it too."""
    found = []
    for field in fields(part) if part is not None else ():
        value = getattr(part, field.name)
        if hasattr(value, "policy"):
            found += _numbers(value, f"{before}{field.name}.")
        elif isinstance(value, int | float | tuple | list) and not isinstance(value, bool):
            shown = list(value) if isinstance(value, tuple) else value
            found.append(f"{before}{field.name} = {shown}")
    return found
