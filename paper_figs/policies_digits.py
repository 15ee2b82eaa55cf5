"""Six data policies around one diffusion model of handwritten digits, beside what a Gaussian loop would do.

Generation 1 is fitted to real digits alone; what later generations are fitted to is the policy. Open
markers: means over eight runs with 95% intervals (Student's t), given the split, the classifier and the
held-out digits that all runs share; dotted: one draw of real digits, for the confidence all held-out ones;
grey band: the control, `replace` with real digits in every generation. Lines in (a): the expected variance
of the Gaussian loop with the same policy, its sampling bias and its sample size estimated from generation 1
under `replace`, and from nothing later. (f) is (a) at the last generation: on the diagonal the Gaussian
theory is right. The sample size is poorly known: 1 / n_eff is 0.0014 with a 95% interval from -0.0005 to
0.0034, since the eight runs share one pool and one reference.

The order of the policies at the last generation is the theory's. The amounts are not: every loop loses less
variance than a Gaussian loop with a constant bias, since the bias weakens from generation to generation;
and `heal` brings the network back to its control at once, while averaged moments still remember. The lines
of fresh and fixed data, 50% real, lie on each other. Training alone costs a third of the variance and an
eighth of the recall, as the control shows: 1,200 steps are few.

The sizes: 500 points a fit; under `fixed` 250 real ones, the same for ever, and 250 synthetic; `accumulate`
adds 500 synthetic points a generation; `heal` is `replace` for two generations, then half of a training on
500 fresh real points, from the weights there were. The network takes as many steps whatever it is fitted to.

Two thirds of the digits are trained on, drawn without replacement: 500 of 1,198. `autophagy figures
policies_digits --collect` computes the rows again: nine minutes of processor time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from paper_figs import estimates, style
from paper_figs.rows import Rows, merged, provenance
from paper_figs.stages import Progress
from theory.generator import Diffusion, Training
from theory.loop import Gaussian, Images, Loop, Replace, Sampler
from theory.policy import Accumulate, Fixed, Fresh, Heal, Policy

if TYPE_CHECKING:
    from models.generation import Generation

SIZE = 500
GENERATIONS = 4
CONTAMINATED = 2

GENERATOR = Diffusion("mlp", "edm", 25, "ddim", width=256, depth=2)
TRAINING = Training("adam", 2e-3, 1200, 64, 0.999, clip=1.0)


def policies(size: int = SIZE) -> dict[str, Policy]:
    """The policies by name, with fits of `size` points.

    Args:
        size: of a fit; it need not be a multiple of anything.
    """
    return {
        "replace": Replace(size),
        "fresh, 10% real": Fresh(round(size / 10), size - round(size / 10)),
        "fresh, 50% real": Fresh(round(size / 2), size - round(size / 2)),
        "fixed, 50% real": Fixed(round(size / 2), size - round(size / 2)),
        "accumulate": Accumulate(size),
        "heal": Heal(Replace(size), CONTAMINATED, size, 0.5),
    }


COLOURS = dict(
    zip(
        policies(),
        (style.VERMILLION, style.ORANGE, style.GREEN, style.BLUE, style.PURPLE, style.BLACK),
        strict=True,
    )
)
MARKERS = dict(zip(policies(), "so^vDP", strict=True))

METRICS = {
    "variance": "total variance (real: 1)",
    "recall": "recall",
    "coverage": "coverage",
    "frechet": "Fréchet distance",
    "confidence": "classifier's confidence",
}


def loop(policy: Policy, generator: Diffusion = GENERATOR, training: Training = TRAINING) -> Loop:
    """The loop with this policy."""
    return Loop(Images("digits"), policy, generator=generator, training=training)


def collect(
    seeds: int = 8,
    seed: int = 0,
    *,
    size: int = SIZE,
    generations: int = GENERATIONS,
    generator: Diffusion = GENERATOR,
    training: Training = TRAINING,
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Rows:
    """Run the loops; a control beside `replace` stands for all.

    Args:
        seeds: replicates, trained at once.
        seed: the master seed.
        size: points of a fit.
        generations: how many.
        generator: of every loop.
        training: of every loop.
        folder: where the runs are kept, one folder each, and go on after a kill; None: nowhere.
        progress: told `(done, total)`.
    """
    from models.loop import Run

    chosen = policies(size)
    loops = {name: loop(policy, generator, training) for name, policy in chosen.items()}
    parts: list[Iterator[dict[str, Any]] | list[dict[str, Any]]] = []
    with tempfile.TemporaryDirectory() as passing:
        base = Path(passing if folder is None else folder)
        for index, name in enumerate(loops):
            run = Run(loops[name], seeds, seed, base / f"run_{index}", control=index == 0)
            run.check(generations)
            found = []
            for generation in run.generations(generations):
                found.append(generation)
                if progress is not None:
                    progress(index * generations + generation.number, len(loops) * generations)
            data = run.real.data
            real = float(data.values[data.training].reshape(len(data.training), -1).var(0, ddof=1).sum())
            if index == 0:
                parts.append(
                    [
                        _row("", "real", 0, m, value)
                        for m, value in run.judge.of_real().items()
                        if m in METRICS and m != "variance"
                    ]
                )
                learnt = _learnt(loops[name], run, found[:1])
                parts.append([_row("", "learnt", 1, key, *value) for key, value in learnt.items()])
            parts.append(list(_measured(name, found, real)))
            parts.append(list(_expected(name, learnt, size, generations)))
    return Rows(provenance(loops, seed, seeds), merged(parts))


def _row(
    policy: str, whose: str, generation: int, metric: str, value: float,
    low: float | None = None, high: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    return {
        "policy": policy or None,
        "whose": whose,
        "generation": generation,
        "metric": metric,
        "value": value,
        "low": low,
        "high": high,
    }


def _learnt(loop: Loop, run: Any, first: list[Generation]) -> dict[str, tuple[float, ...]]:
    """What generation 1 says: the bias on the total variance, and 1 / n_eff, each with an interval.

    That of 1 / n_eff is normal; replicates share the pool and the reference, which its error allows for.
    """
    from models.forecast import forecast

    spectrum = first[0].spectrum
    ratio = spectrum["loop_variance"].sum(axis=1) / spectrum["eaten_variance"].sum(axis=1)
    told = forecast(loop, run.real, run.judge, first, pixels=True)["inverse_effective_size"]
    reach = norm.isf((1 - estimates.COVERAGE) / 2) * told["error"]
    return {
        "bias": estimates.of_few(ratio),
        "inverse_effective_size": (told["value"], told["value"] - reach, told["value"] + reach),
    }


def _measured(name: str, found: list[Generation], real: float) -> Iterator[dict[str, Any]]:
    for generation in found:
        tables = {"loop": (generation.measures, "loop"), "control": (generation.control, "control")}
        for whose, (table, prefix) in tables.items():
            if not table:
                continue
            total = generation.spectrum[f"{prefix}_variance"].sum(axis=1) / real
            for metric in METRICS:
                values = total if metric == "variance" else table[metric]
                yield _row(name, whose, generation.number, metric, *estimates.of_few(values))


def _expected(
    name: str, learnt: dict[str, tuple[float, ...]], size: int, generations: int
) -> Iterator[dict[str, Any]]:
    """The Gaussian loop's expected variance of what a generation makes: lambda E Sigma_g."""
    from theory.predict import predict

    bias, inverse = learnt["bias"][0], learnt["inverse_effective_size"][0]
    effective = effective_size(inverse, size)
    gaussian = Loop(Gaussian(0.0, 1.0), policies(effective)[name], sampler=Sampler(bias=bias))
    found = predict(gaussian, range(1, generations + 1), ["variance"])["variance"].sel(statistic="mean")
    for generation, value in enumerate(found.to_numpy(), start=1):
        yield _row(name, "theory", generation, "variance", bias * float(value))


def effective_size(inverse: float, size: int) -> int:
    """The whole number of points nearest to n_eff, at least 20; `size` where 1 / n_eff is not above 0."""
    return max(round(1 / inverse), 20) if inverse > 0 else size


def draw(rows: Rows) -> Figure:
    """Total variance and the theory's, four metrics, and the last generation against the theory."""
    with style.styled():
        figure = Figure(figsize=(style.PAGE, 4.4))
        panels = figure.subplots(2, 3).ravel()
        for letter, axes, (metric, label) in zip("abcde", panels, METRICS.items(), strict=False):
            _panel(axes, rows.where(metric=metric))
            axes.set_title(label)
            style.panel_letter(axes, letter)
        _against(panels[-1], rows.where(metric="variance"))
        style.panel_letter(panels[-1], "f")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def _panel(axes: Axes, rows: Rows) -> None:
    control = rows.where(whose="control")
    if control:
        columns = (control.column(key) for key in ("generation", "low", "high"))
        axes.fill_between(*columns, color=style.GREY, alpha=0.35, linewidth=0, label="control")
    names = [name for name in COLOURS if rows.where(policy=name, whose="loop")]
    for index, name in enumerate(names):
        line, points = (rows.where(policy=name, whose=whose) for whose in ("theory", "loop"))
        if line:
            style.theory(axes, line.column("generation"), line.column("value"), COLOURS[name])
        aside = 0.07 * (index - (len(names) - 1) / 2)
        x = [g + aside for g in points.column("generation")]
        columns = (points.column(key) for key in ("value", "low", "high"))
        style.real_generator(axes, x, *columns, COLOURS[name], fmt=MARKERS[name], label=name)
    real = rows.where(whose="real")
    for value in real.column("value") or [1.0]:
        axes.axhline(value, color=style.BLACK, linestyle=":", linewidth=0.8, label="real digits")
    axes.set_xticks(sorted({g for g in rows.column("generation") if g > 0}))
    axes.set_xlabel("generation $g$")


def _against(axes: Axes, rows: Rows) -> None:
    last = max(rows.column("generation"))
    ends = []
    for name in COLOURS:
        for found in rows.where(policy=name, whose="loop", generation=last).records:
            (expected,) = rows.where(policy=name, whose="theory", generation=last).column("value")
            point = ([found[key]] for key in ("value", "low", "high"))
            style.real_generator(axes, [expected], *point, COLOURS[name], fmt=MARKERS[name])
            ends += [expected, found["low"], found["high"]]
    if ends:
        style.theory(axes, [min(ends), max(ends)], [min(ends), max(ends)], style.GREY)
    axes.set_title(f"total variance, generation {last}")
    axes.set(xlabel="Gaussian theory", ylabel="measured")
