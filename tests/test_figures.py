import json
from functools import cache

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from models.datasets import resolve
from paper_figs import DATA, DEAR, FIGURES, digits_collapse, digits_samples, estimates, make, module, style
from paper_figs import mean_and_variance as figure_two
from paper_figs.rows import Rows, provenance, read
from theory import law
from theory.loop import Gaussian, Loop, Replace
from theory.loop_file import from_mapping
from theory.predict import predict

MOMENTS = ("mean_and_variance", "digits_collapse")
FALSE_ALARM = 1e-6  # of all the Monte Carlo points of a figure together, if the theory is right
PARTS = {
    "digits_diffusion": {"whose": "loop"},
    "policies_digits": {"policy": "heal"},
    "mnist_selection": {"loop": "all kept"},
    "mnist_guidance": {"loop": "guidance 1"},
    "colour_diffusion": {"loop": "flowers"},
}  # of a figure's rows: enough to be drawn
WRITTEN = 1e-8  # relative: the files hold nine significant digits


@cache
def committed(name):
    return read(DATA / f"{name}.csv")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_the_same_bytes_whenever_it_is_drawn(name, tmp_path):
    draw = module(name).draw
    first, second = (
        style.save(draw(committed(name)), tmp_path / folder, name, committed(name).description())
        for folder in ("once", "again")
    )
    assert [path.suffix for path in first] == [".pdf", ".png"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert sorted(path.name for path in (tmp_path / "once").iterdir()) == [f"{name}.pdf", f"{name}.png"]
    other = committed(name)
    fewer = Rows(other.provenance, other.where(**PARTS.get(name, {"n": 100})).records)
    changed = style.save(draw(fewer), tmp_path / "changed", name)
    assert changed[1].read_bytes() != first[1].read_bytes()


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_fits_the_page_and_names_its_axes(name):
    figure = module(name).draw(committed(name))
    assert figure.get_figwidth() in (style.PAGE, style.COLUMN)
    for axes in figure.axes:
        if axes.axison and axes.lines:
            shared = [axes, *axes.get_shared_x_axes().get_siblings(axes)]
            assert any(other.get_xlabel() for other in shared)
    if name in MOMENTS:
        assert sum(bool(axes.get_ylabel()) for axes in figure.axes) >= 2


def test_no_setting_of_the_user_reaches_a_figure(tmp_path):
    plain = style.save(digits_samples.draw(committed("digits_samples")), tmp_path / "plain", "x")
    with matplotlib.rc_context({"font.size": 20, "savefig.dpi": 40, "pdf.fonttype": 3}):
        other = style.save(digits_samples.draw(committed("digits_samples")), tmp_path / "other", "x")
    assert [path.read_bytes() for path in plain] == [path.read_bytes() for path in other]


def test_fonts_are_embedded_as_truetype(tmp_path):
    pdf, _ = style.save(figure_two.draw(committed("mean_and_variance")), tmp_path, "x")
    text = pdf.read_bytes()
    assert b"/CIDFontType2" in text or b"/TrueType" in text
    assert b"/Type3" not in text
    assert b"CreationDate" not in text


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    (tmp_path / "x.pdf").write_text("before")

    def fail(*args, **options):
        raise OSError("the disk is full")

    figure = Figure()
    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(OSError, match="full"):
        style.save(figure, tmp_path, "x")
    assert [path.name for path in tmp_path.iterdir()] == ["x.pdf"]
    assert (tmp_path / "x.pdf").read_text() == "before"


def test_theory_is_a_line_monte_carlo_a_point_with_a_bar_and_a_generator_an_open_marker():
    axes = Figure().subplots()
    style.theory(axes, [1, 2], [1, 2], style.BLUE)
    style.monte_carlo(axes, [1], [2], [1.5], [2.75], style.VERMILLION)
    style.real_generator(axes, [1], [2], [1.5], [2.5], style.GREEN)
    line, point, square = axes.lines
    assert (line.get_linestyle(), line.get_marker()) == ("-", "None")
    assert point.get_marker() == "o"
    assert point.get_markerfacecolor() == style.VERMILLION
    assert square.get_markerfacecolor() == "white"
    (bar,) = axes.collections[0].get_segments()
    assert bar[:, 1].tolist() == [1.5, 2.75]


def test_make_writes_the_committed_rows_beside_the_pictures(tmp_path):
    paths = make("digits_samples", tmp_path / "new" / "folder")
    assert [path.suffix for path in paths] == [".pdf", ".png", ".csv"]
    assert paths[2].read_bytes() == (DATA / "digits_samples.csv").read_bytes()


def test_an_unknown_figure_is_refused():
    with pytest.raises(ValueError, match="'figure_9': there are mean_and_variance"):
        module("figure_9")


@pytest.mark.parametrize("name", FIGURES)
def test_the_rows_say_how_they_were_made(name):
    path = DATA / f"{name}.csv"
    assert path.stat().st_size < 300_000
    head = json.loads(path.read_text().splitlines()[0].removeprefix("# "))
    assert set(head) == {"loops", "seed", "seeds", "versions"}
    loops = [from_mapping(loop) for loop in head["loops"].values()]
    if name not in DEAR:
        assert {loop.data.n for loop in loops} == set(committed(name).column("n"))
    assert {"jax", "jaxlib", "numpy", "scipy"} <= set(head["versions"])
    assert "/" not in path.read_text()


@pytest.mark.parametrize("name", MOMENTS)
def test_every_monte_carlo_point_has_an_error_bar_and_its_seeds(name):
    rows = committed(name)
    found = rows.where(kind="monte-carlo")
    assert found
    assert set(found.column("seeds")) == {rows.provenance["seeds"]}
    for row in found.records:
        assert row["low"] < row["value"] < row["high"]
    assert {(row["low"], row["high"]) for row in rows.where(kind="exact").records} == {(None, None)}


def test_figure_two_holds_what_its_docstring_says():
    rows = committed("mean_and_variance")
    assert rows.provenance["seeds"] == 10_000
    for n, last in {100: 200, 10_000: 1000}.items():
        for observable in ("mean_error", "variance"):
            part = rows.where(n=n, observable=observable)
            assert max(part.where(kind="run").column("generation")) == last
            for kind in ("exact", "monte-carlo"):
                quantiles = part.where(kind=kind, statistic="quantile")
                assert set(quantiles.column("p")) == {0.05, 0.5, 0.95}
                assert max(quantiles.column("generation")) == last
                assert part.where(kind=kind, statistic="expectation")


def test_the_digits_hold_what_their_docstrings_say():
    rows = committed("digits_collapse")
    for n in (100, 1797):
        for observable in digits_collapse.EXPECTATIONS:
            exact = rows.where(n=n, observable=observable, statistic="expectation")
            assert exact.column("generation") == list(range(1, 201))
            assert rows.where(n=n, observable=observable, statistic="mean", testable="yes")
        rank = rows.where(n=n, observable="effective_rank")
        assert set(rank.column("statistic")) == {"mean", "ratio of expectations"}
    samples = committed("digits_samples")
    assert set(samples.column("generation")) == {0, 1, 5, 20, 100, 200}
    assert {(row["n"], row["replicate"]) for row in samples.records} == set(digits_samples.RUNS)


def test_the_images_of_one_model_become_one_image():
    """The pixels' mean variance among nine images: a factor of ten down at n = 100, not at n = 1,797."""

    def spread(n, replicate, generation):
        part = committed("digits_samples").where(n=n, replicate=replicate, generation=generation)
        pixels = np.array([[row[f"pixel_{k:02d}"] for k in range(64)] for row in part.records])
        return pixels.var(axis=0).mean()

    assert all(spread(100, run, 200) < spread(100, run, 0) / 10 for run in (0, 1))
    assert spread(1797, 0, 200) > spread(1797, 0, 0) / 10


def test_a_csv_file_gives_back_its_rows(tmp_path):
    head = provenance({"n = 10": Loop(Gaussian(0, 1), Replace(10))}, seed=3, seeds=7)
    rows = Rows(head, ({"a": 1, "b": "word", "c": None, "d": 0.125}, {"a": 2, "b": "", "c": 1e300, "d": -3}))
    back = read(rows.write(tmp_path / "rows.csv"))
    assert back.provenance == head
    assert back.records == (
        {"a": 1, "b": "word", "c": None, "d": 0.125},
        {"a": 2, "b": None, "c": 1e300, "d": -3},
    )
    assert (tmp_path / "rows.csv").read_text() == rows.to_csv()
    with pytest.raises(ValueError, match="nan"):
        Rows(head, ({"a": float("nan")},)).to_csv()


def exact_figure_two(loop, rows):
    """What the theory says at each row of one n, expectations and quantiles."""
    for row in rows.where(kind="exact").records:
        if row["generation"] == 0:
            continue
        if row["statistic"] == "expectation":
            closed = predict(loop, [row["generation"]], [row["observable"]])[row["observable"]]
            yield row, float(closed.sel(statistic="mean").item())
        else:
            yield row, float(law.quantile(loop, row["observable"], row["generation"], row["p"]))


@pytest.mark.parametrize("n", [100, 10_000])
def test_the_exact_curves_of_figure_two_are_the_theory(n):
    part = committed("mean_and_variance").where(n=n)
    pairs = list(exact_figure_two(figure_two.loop(n), Rows(part.provenance, part.records[::7])))
    assert pairs
    for row, value in pairs:
        assert row["value"] == pytest.approx(value, rel=WRITTEN, abs=1e-9)


@pytest.mark.parametrize("n", digits_collapse.SIZES)
def test_the_exact_curves_of_the_digits_are_the_theory(n):
    rows, generations = committed("digits_collapse").where(n=n), range(1, 201)
    closed = predict(resolve(digits_collapse.loop(n)), generations, digits_collapse.EXPECTATIONS)
    for observable in digits_collapse.EXPECTATIONS:
        curve = rows.where(observable=observable, statistic="expectation").column("value")
        assert curve == pytest.approx(closed[observable].sel(statistic="mean").to_numpy(), rel=WRITTEN)
    over, under = (
        np.array(rows.where(observable=name, statistic="expectation").column("value"))
        for name in ("square_of_trace", "trace_of_square")
    )
    ratio = rows.where(statistic="ratio of expectations").column("value")
    assert ratio == pytest.approx(over / under, rel=3 * WRITTEN)


def scores(name, rows):
    """How many standard errors each testable Monte Carlo mean lies from the exact expectation."""
    statistic = "expectation" if name == "mean_and_variance" else "mean"
    for row in rows.where(kind="monte-carlo", statistic=statistic).records:
        if row.get("testable") == "no" or row["observable"] == "effective_rank":
            continue
        loop = resolve(module(name).loop(row["n"]))
        closed = predict(loop, [row["generation"]], [row["observable"]])[row["observable"]]
        error = (row["high"] - row["low"]) / (2 * stats.norm.ppf((1 + estimates.COVERAGE) / 2))
        yield (row["value"] - closed.sel(statistic="mean").item()) / error


@pytest.mark.parametrize("name", MOMENTS)
def test_the_means_that_are_drawn_agree_with_the_theory(name):
    found = np.array(list(scores(name, committed(name))))
    assert len(found) > 20
    limit = stats.norm.isf(FALSE_ALARM / (2 * len(found)))
    assert np.abs(found).max() < limit
    moved = [dict(row) for row in committed(name).records]
    for row in moved:
        if row["observable"] in ("variance", "log_det") and row["kind"] == "monte-carlo":
            factor = row["n"] / (row["n"] - 1)  # the divisor n - 1 in place of n
            shift = row["value"] * (factor ** row["generation"] - 1)
            if row["observable"] == "log_det":
                shift = 61 * row["generation"] * np.log(factor)
            row.update(value=row["value"] + shift, low=row["low"] + shift, high=row["high"] + shift)
    control = np.array(list(scores(name, Rows(committed(name).provenance, tuple(moved)))))
    assert np.abs(control).max() > limit


def test_figure_two_can_be_collected_again(tmp_path):
    rows = figure_two.collect(seeds=120, seed=5, generations={12: 16})
    assert rows.to_csv() == figure_two.collect(seeds=120, seed=5, generations={12: 16}).to_csv()
    assert rows.to_csv() != figure_two.collect(seeds=120, seed=6, generations={12: 16}).to_csv()
    for row, value in exact_figure_two(figure_two.loop(12), rows):
        assert row["value"] == pytest.approx(value, rel=1e-12, abs=1e-12)
    assert set(rows.where(kind="monte-carlo").column("seeds")) == {120}
    assert set(rows.where(kind="run").column("replicate")) == {0, 1, 2}
    style.save(figure_two.draw(rows), tmp_path, "tiny")


def test_the_digits_can_be_collected_again(tmp_path):
    seen = []
    rows = digits_collapse.collect(
        seeds=30, seed=5, sizes=(100,), points=(1, 3), progress=lambda *x: seen.append(x)
    )
    assert seen[-1] == (30, 30)
    closed = predict(resolve(digits_collapse.loop(100)), [1, 2, 3], ["trace"])["trace"].sel(statistic="mean")
    curve = rows.where(observable="trace", statistic="expectation").column("value")
    assert curve == pytest.approx(closed.to_numpy(), rel=1e-12)
    assert rows.where(statistic="mean", observable="effective_rank").column("generation") == [1, 3]
    style.save(digits_collapse.draw(rows), tmp_path, "tiny")


def test_the_images_can_be_collected_again(tmp_path):
    rows = digits_samples.collect(seed=5, strips=((100, 1),), generations=(2,))
    assert rows.column("generation") == [0] * 9 + [2] * 9
    assert set(rows.column("replicate")) == {1}
    style.save(digits_samples.draw(rows), tmp_path, "tiny")
