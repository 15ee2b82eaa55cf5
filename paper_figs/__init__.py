"""Figures: one module each, `collect()` for the rows and `draw(rows)` for the picture."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

FIGURES = {
    "mean_and_variance": "paper_figs.mean_and_variance",
    "rare_classes": "paper_figs.rare_classes",
    "digits_collapse": "paper_figs.digits_collapse",
    "digits_samples": "paper_figs.digits_samples",
    "digits_diffusion": "paper_figs.digits_diffusion",
    "policies_digits": "paper_figs.policies_digits",
    "mnist_selection": "paper_figs.mnist_selection",
    "mnist_guidance": "paper_figs.mnist_guidance",
    "colour_diffusion": "paper_figs.colour_diffusion",
}
"""Every figure and the module that makes it; nothing is imported before it is asked for."""

DEAR = ("policies_digits", "mnist_selection", "mnist_guidance", "colour_diffusion")
"""Figures whose rows take long to compute, or data that must be fetched: computed only when named."""

DATA = Path(__file__).with_name("data")


def module(name: str) -> ModuleType:
    """The module of a figure: `collect(seeds=..., seed=..., progress=...) -> Rows`, `draw(rows) -> Figure`.

    Raises:
        ValueError: if there is no such figure.
    """
    if name not in FIGURES:
        raise ValueError(f"figure is {name!r}: there are {', '.join(FIGURES)}")
    return import_module(FIGURES[name])


def make(
    name: str,
    folder: str | Path,
    *,
    collect: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write a figure as PDF and PNG into `folder`, with the CSV behind it, and return the three paths.

    Args:
        name: a key of `FIGURES`.
        folder: made if it is missing.
        collect: simulate the rows again; otherwise the committed ones are drawn.
        progress: told `(done, total)` while rows are collected.
    """
    from paper_figs import rows, style

    figure = module(name)
    numbers = figure.collect(progress=progress) if collect else rows.read(DATA / f"{name}.csv")
    folder = Path(folder)
    pictures = style.save(figure.draw(numbers), folder, name, numbers.description())
    return [*pictures, numbers.write(folder / f"{name}.csv")]
