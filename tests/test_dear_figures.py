"""Figures of real generators that are too dear for the demo: their rows, and how these are made."""

from itertools import pairwise

import numpy as np
import pytest

import paper_figs
from autophagy.__main__ import main
from paper_figs import DATA, digits_samples, generated, mnist_selection, policies_digits, style
from paper_figs.rows import read
from theory.generator import Diffusion, Training
from theory.loop import Gaussian, Images, Loop, Replace, Sampler
from theory.loop_file import from_mapping
from theory.predict import predict
from theory.selection import TopFraction

SMALL = Diffusion("mlp", "edm", 4, "ddim", width=32, depth=1)
SHORT = Training("adam", 2e-3, 5, 8, 0.9)


def test_a_dear_figure_is_collected_only_when_it_is_named(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(paper_figs, "FIGURES", {"digits_samples": "paper_figs.digits_samples"})
    monkeypatch.setattr(paper_figs, "DEAR", ("digits_samples",))
    rows = read(DATA / "digits_samples.csv")
    monkeypatch.setattr(digits_samples, "collect", lambda progress: asked.append(progress) or rows)
    assert main(["figures", "--collect", "-o", str(tmp_path)]) == 0
    assert asked == []
    assert (tmp_path / "digits_samples.png").exists()
    assert main(["figures", "digits_samples", "--collect", "-o", str(tmp_path)]) == 0
    assert len(asked) == 1
    monkeypatch.setattr(paper_figs, "DEAR", ())
    assert main(["figures", "--collect", "-o", str(tmp_path)]) == 0
    assert len(asked) == 2


def test_every_dear_figure_is_a_figure():
    assert set(paper_figs.DEAR) <= set(paper_figs.FIGURES)


@pytest.fixture(scope="module")
def policies():
    return read(DATA / "policies_digits.csv")


def test_the_policies_hold_what_their_docstring_says(policies):
    assert policies.provenance["seeds"] >= 8
    kept = policies.provenance["loops"]
    assert {name: from_mapping(loop) for name, loop in kept.items()} == {
        name: policies_digits.loop(policy) for name, policy in policies_digits.policies().items()
    }
    last = policies_digits.GENERATIONS
    for name in kept:
        for metric in policies_digits.METRICS:
            found = policies.where(policy=name, whose="loop", metric=metric)
            assert found.column("generation") == list(range(1, last + 1))
            assert all(row["low"] <= row["value"] <= row["high"] for row in found.records)


def test_the_lines_are_the_theory_at_what_generation_one_says(policies):
    learnt = {row["metric"]: row["value"] for row in policies.where(whose="learnt").records}
    size = policies_digits.effective_size(learnt["inverse_effective_size"], policies_digits.SIZE)
    for name, policy in policies_digits.policies(size).items():
        gaussian = Loop(Gaussian(0, 1), policy, sampler=Sampler(bias=learnt["bias"]))
        line = policies.where(policy=name, whose="theory")
        wanted = predict(gaussian, line.column("generation"), ["variance"])["variance"]
        exact = learnt["bias"] * wanted.sel(statistic="mean").to_numpy()
        assert line.column("value") == pytest.approx(exact, rel=1e-7)
    ratio = policies.where(policy="replace", whose="theory").column("value")
    shrinking = learnt["bias"] * (1 - 1 / size)  # under replace every generation shrinks alike
    assert np.divide(ratio[1:], ratio[:-1]) == pytest.approx(shrinking, rel=1e-6)


def test_the_order_of_the_policies_is_that_of_the_theory(policies):
    last = policies.where(metric="variance", generation=policies_digits.GENERATIONS)
    expected, found = (
        {row["policy"]: row for row in last.where(whose=whose).records} for whose in ("theory", "loop")
    )
    names = sorted(expected, key=lambda name: expected[name]["value"])
    assert names == sorted(found, key=lambda name: found[name]["value"])
    for less, more in pairwise(names):  # where the theory sees a difference, the intervals are apart
        if expected[more]["value"] - expected[less]["value"] > 0.01:
            assert found[less]["high"] < found[more]["low"]


def test_policies_can_be_collected_again_and_go_on(tmp_path):
    made = {"seeds": 2, "size": 40, "generations": 2, "generator": SMALL, "training": SHORT}
    seen = []
    rows = policies_digits.collect(**made, folder=tmp_path, progress=lambda *told: seen.append(told))
    assert seen[-1] == (12, 12)
    assert rows.to_csv() == policies_digits.collect(**made, folder=tmp_path).to_csv()
    assert {row["policy"] for row in rows.where(whose="control").records} == {"replace"}
    style.save(policies_digits.draw(rows), tmp_path, "tiny")


def test_an_effective_size_below_nothing_is_the_real_one():
    assert policies_digits.effective_size(-0.001, 500) == 500
    assert policies_digits.effective_size(1 / 300, 500) == 300
    assert policies_digits.effective_size(10.0, 500) == 20


def test_an_image_is_packed_and_unpacked():
    image = np.arange(16.0).reshape(4, 4, 1) * 17
    assert generated.unpacked(generated.packed(image)).tolist() == image[..., 0].tolist()
    assert generated.packed(image - 5).startswith("x000c")
    colour = np.arange(48.0).reshape(4, 4, 3) * 5
    assert generated.unpacked(generated.packed(colour)).tolist() == colour.tolist()


def test_the_selection_can_be_collected_again(tmp_path, monkeypatch):
    plain = Loop(Images("digits"), Replace(40), generator=SMALL, training=SHORT)
    chosen = plain.with_(selection=TopFraction(0.5, "typicality", threshold="pool"))
    loops = dict(zip(mnist_selection.LOOPS, (plain, chosen), strict=True))
    made = {"seeds": 2, "loops": loops, "generations": 2}
    rows = mnist_selection.collect(**made, folder=tmp_path)
    assert rows.to_csv() == mnist_selection.collect(**made, folder=tmp_path).to_csv()
    before, after = (
        rows.where(loop=name, generation=1, whose="loop", metric="confidence").column("value")[0]
        for name in loops
    )
    assert after > before
    assert {row["loop"] for row in rows.where(whose="control").records} == {"all kept"}
    style.save(mnist_selection.draw(rows), tmp_path, "tiny")
