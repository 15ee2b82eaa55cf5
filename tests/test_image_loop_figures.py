"""Figures of loops around generators of images: guidance, selection, and flowers and birds in colour."""

import json

import numpy as np
import pytest

from models.datasets import data_set
from paper_figs import (
    DATA,
    colour_diffusion,
    generated,
    image_panels,
    mnist_guidance,
    mnist_selection,
    reduced,
    style,
)
from paper_figs.reduced import Reduced, means_of_squares, reduce
from paper_figs.rows import read
from theory.generator import Diffusion, Training
from theory.loop import Images, Loop, Replace, Sampler
from theory.loop_file import from_mapping

TINY = Diffusion("mlp", "edm", 4, "ddim", width=32, depth=1)
SHORT = Training("adam", 2e-3, 5, 8, 0.9)
GUIDED = Training("adam", 2e-3, 5, 8, 0.9, context_dropout=0.1)
RUN = {
    "mnist_guidance": mnist_guidance,
    "mnist_selection": mnist_selection,
    "colour_diffusion": colour_diffusion,
}


def written(path, side, channels, count=60):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, side, side, channels), np.uint8)
    np.savez(path, x=images, y=np.arange(count) % 3, train=np.arange(count) % 2 == 0)
    return images


def test_a_reduced_image_has_the_means_of_squares():
    image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    assert means_of_squares(image, 2).tolist() == [[[2, 4], [10, 12]]]  # 2.5 and 10.5 go to the even number
    assert means_of_squares(image, 4).tolist() == [[[8]]]  # 7.5 likewise
    colour = np.stack([image[..., 0]] * 3, axis=-1) + np.array([0, 100, 200])
    assert means_of_squares(colour, 2)[0, ..., 1].tolist() == [[102, 104], [110, 112]]


@pytest.mark.parametrize("classes", [True, False])
def test_an_archive_keeps_who_is_trained_on(tmp_path, monkeypatch, classes):
    full = written(tmp_path / "full.npz", 8, 3)
    monkeypatch.setitem(reduced.REDUCED, "half.npz", Reduced(str(tmp_path / "full.npz"), 2, classes))
    path = reduce("half.npz", tmp_path / "folder")
    found = data_set(str(path))
    assert found.values.tolist() == means_of_squares(full, 2).tolist()
    assert found.training.tolist() == list(range(0, 60, 2))
    assert found.classes == (3 if classes else 0)
    before = path.stat()
    assert reduce("half.npz", tmp_path / "folder").stat() == before


def test_images_side_by_side_have_paper_between_them():
    grey = image_panels.mosaic([np.zeros((2, 2), np.uint8), np.full((2, 2), 7, np.uint8)])
    assert np.isnan(grey[:, 2:4]).all()
    assert grey[:, [0, 1, 4, 5]].tolist() == [[0, 0, 7, 7]] * 2
    colour = image_panels.mosaic([np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 51, np.uint8)])
    assert colour[0, :, 0].tolist() == [0, 0, 1, 1, 0.2, 0.2]


def test_the_variance_within_classes_is_the_mean_of_theirs():
    rng = np.random.default_rng(3)
    labels = np.repeat([4, 0, 7], [5, 9, 2])
    values = rng.standard_normal((16, 3, 3, 1)) + labels[:, None, None, None]
    parts = [values[labels == k] for k in (0, 4, 7)]
    pooled = sum((len(part) - 1) * part.var(axis=0, ddof=1).sum() for part in parts) / (16 - 3)
    assert mnist_guidance.within_classes(values, labels) == pytest.approx(pooled, rel=1e-12)


def held(rows, loops, experiment, generations=2):
    """Every metric of every generation is there, of the loops and of the controls that are asked for."""
    for name in loops:
        controlled = name in experiment.controlled
        for metric in experiment.metrics:
            found = rows.where(loop=name, metric=metric)
            assert found.where(whose="real").column("generation") == [0]
            assert found.where(whose="loop").column("generation") == list(range(1, generations + 1))
            beside = list(range(1, generations + 1)) if controlled else []
            assert found.where(whose="control").column("generation") == beside
            assert all(row["low"] <= row["value"] <= row["high"] for row in found.records)
        pictured = rows.where(loop=name, whose="control", metric=None)
        assert set(pictured.column("generation")) == ({generations} if controlled else set())


def test_guidance_can_be_collected_again(tmp_path):
    loops = {
        name: Loop(
            Images("digits"), Replace(60), sampler=Sampler(guidance=w), generator=TINY, training=GUIDED
        )
        for name, w in zip(mnist_guidance.LOOPS, (0.0, 1.0), strict=False)
    }
    seen = []
    made = {"seeds": 2, "loops": loops, "generations": 2, "folder": tmp_path}
    rows = mnist_guidance.collect(**made, progress=lambda *told: seen.append(told))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert rows.to_csv() == mnist_guidance.collect(**made).to_csv()
    held(rows, loops, mnist_guidance.EXPERIMENT)
    for name in loops:
        shown = rows.where(loop=name, generation=2, whose="loop", metric=None)
        assert shown.column("image")[:11] == list(range(11))
    plain, guided = (rows.where(loop=name, generation=1, whose="loop", metric="confidence") for name in loops)
    assert plain.column("value") != guided.column("value")
    style.save(mnist_guidance.draw(rows), tmp_path, "tiny")


def test_colour_can_be_collected_again(tmp_path, monkeypatch):
    loops = {}
    for name in colour_diffusion.LOOPS:
        written(tmp_path / f"{name}.npz", 16, 3)
        monkeypatch.setitem(
            reduced.REDUCED, f"half_{name}.npz", Reduced(str(tmp_path / f"{name}.npz"), 2, False)
        )
        loops[name] = Loop(Images(f"half_{name}.npz"), Replace(20), generator=TINY, training=SHORT)
    made = {"seeds": 2, "loops": loops, "generations": 2, "folder": tmp_path / "runs"}
    rows = colour_diffusion.collect(**made)
    assert rows.to_csv() == colour_diffusion.collect(**made).to_csv()
    held(rows, loops, colour_diffusion.EXPERIMENT)
    assert generated.size(rows) == 8
    style.save(colour_diffusion.draw(rows), tmp_path, "tiny")


@pytest.mark.parametrize("name", RUN)
def test_the_committed_rows_say_what_was_run(name):
    figure, path = RUN[name], DATA / f"{name}.csv"
    head = json.loads(path.read_text().splitlines()[0].removeprefix("# "))
    assert head["seeds"] >= 4
    assert {loop: from_mapping(known) for loop, known in head["loops"].items()} == figure.LOOPS
    held(read(path), figure.LOOPS, figure.EXPERIMENT, figure.GENERATIONS)


@pytest.mark.parametrize("name", RUN)
def test_a_loop_without_control_has_that_of_the_same_training(name):
    experiment = RUN[name].EXPERIMENT
    known = {control: experiment.loops[control] for control in experiment.controlled}
    assert known
    trainings = {str((loop.source, loop.data, loop.generator, loop.training)) for loop in known.values()}
    for loop in experiment.loops.values():
        assert str((loop.source, loop.data, loop.generator, loop.training)) in trainings
