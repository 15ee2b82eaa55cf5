"""`autophagy train` from outside."""

import json
import math
from pathlib import Path

import pytest

from autophagy.__main__ import main
from paper_figs import digits_diffusion
from theory.generator import Diffusion, Training
from theory.loop import Gaussian, Images, Loop, Replace, Sampler
from theory.loop_file import load, to_json, to_mapping

LOOPS = Path(digits_diffusion.__file__).with_name("loops")
AFFINE = Loop(Gaussian([0, 0], [2, 0.5]), Replace(200), generator=Diffusion("affine", "linear", 20, "ddim"))
DIGITS = Loop(
    Images("digits"),
    Replace(60),
    generator=Diffusion("mlp", "edm", 4, "ddim", width=32, depth=1),
    training=Training("adam", 2e-3, 5, 8, 0.9),
)


def train(loop, folder, *options):
    return main(["train", to_json(loop), "-o", str(folder), "--replicates", "2", *options])


def test_a_run_prints_one_object_and_keeps_its_files(tmp_path, capsys):
    assert train(AFFINE, tmp_path / "run", "-t", "3", "--json", "--forecast") == 0
    content = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert content["generation"] == [1, 2, 3]
    assert content["loop"] == to_mapping(AFFINE)
    entry = content["observables"]["frechet"]
    assert len(entry["mean"]) == len(entry["standard_error"]) == len(entry["control"]["mean"]) == 3
    assert entry["real"] > 0
    assert content["forecast"]["forecast"]["coverage"] is not None
    lines = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert lines[0] == "generation,whose,replicate,metric,value"
    assert {line.split(",")[1] for line in lines[1:]} == {"loop", "control", "real"}
    assert all(math.isfinite(float(line.rpartition(",")[2])) for line in lines[1:])


def test_images_are_kept_as_pictures(tmp_path, capsys):
    assert train(DIGITS, tmp_path / "run", "-t", "1", "--samples") == 0
    shown = capsys.readouterr().out
    assert "confidence" in shown
    assert "coverage: training alone costs" in shown
    picture = (tmp_path / "run" / "images" / "generation_0001.png").read_bytes()
    assert picture.startswith(b"\x89PNG")


def test_a_run_goes_on_and_another_is_refused(tmp_path, capsys):
    assert train(AFFINE, tmp_path / "run", "-t", "1") == 0
    assert train(AFFINE, tmp_path / "run", "-t", "2") == 0
    shown = capsys.readouterr().out
    assert "generation 2" in shown
    assert "standard error of the mean over 2 replicates; with fewer than 3" in shown
    assert "nothing is left" not in shown
    assert train(AFFINE, tmp_path / "run", "-t", "2", "--forecast") == 0
    shown = capsys.readouterr().out
    assert "nothing is left to do" in shown
    assert "effective bias: the factor" in shown
    assert max(map(len, shown.splitlines())) <= 110
    assert train(AFFINE, tmp_path / "run", "-t", "2", "--seed", "1") == 2
    assert "another run lies there: seed is 0 there and 1 here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("loop", "reason"),
    [
        (AFFINE.with_(generator=None), "the table [generator] is missing"),
        (DIGITS.with_(source=Images("no such set")), "neither of digits, mnist"),
        (DIGITS.with_(data=Replace(2000)), "1,198 real points"),
        (AFFINE.with_(sampler=Sampler(bias=1000)), "blew up in generation 1"),
        (AFFINE.with_(sampler=Sampler(guidance=1)), "guidance"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(loop, reason, tmp_path, capsys):
    assert train(loop, tmp_path / "run", "-t", "2") == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_a_loop_with_a_generator_is_not_predicted(capsys):
    assert main(["predict", to_json(AFFINE), "-t", "2"]) == 2
    assert "autophagy train" in capsys.readouterr().err


def test_a_training_is_changed_from_the_command_line():
    changed = load(to_json(DIGITS), ["training.steps=7", "generator.steps=9"])
    assert (changed.training.steps, changed.generator.steps) == (7, 9)


@pytest.mark.parametrize("path", sorted(LOOPS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_loops_of_the_figures_are_loops(path):
    loop = load(str(path))
    assert loop.generator is not None
    if path.stem == "digits":
        assert loop == digits_diffusion.LOOP
