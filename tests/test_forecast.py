"""Forecasts from generation 1 hold what they promise where theory is exact, and the control does not."""

import numpy as np
import pytest

from models.forecast import LEVEL, forecast, sampler_map, told
from models.loop import Run
from theory.diffusion import sampler_map as diffusion
from theory.diffusion import schedule as diffusion_schedule
from theory.generator import Diffusion
from theory.loop import Gaussian, Loop, LoopError, Replace
from theory.policy import Accumulate

VARIANCES = (4.0, 2.0, 1.0, 0.5, 0.2, 0.1)
LOOP = Loop(Gaussian([0.0] * 6, VARIANCES), Replace(400), generator=Diffusion("affine", "linear", 20, "ddim"))


def at_the_end(found, whose, score):
    return found[whose]["by_generation"][score][-1]


@pytest.fixture(scope="module")
def foreseen(tmp_path_factory):
    run = Run(LOOP, 16, 0, tmp_path_factory.mktemp("forecast") / "run")
    generations = list(run.generations(5))
    return run, generations, forecast(LOOP, run.real, run.judge, generations)


def test_the_bias_of_an_affine_score_is_the_sampler_and_the_fit(foreseen):
    """ln lambda against theory's map and 1 - 1/n, direction by direction; nothing is left to a network."""
    found = foreseen[2]
    expected = np.log(diffusion.ddim(diffusion_schedule.linear(20), VARIANCES) / VARIANCES) + np.log1p(
        -1 / 400
    )
    value, error = (np.array(found["log_bias"][key]) for key in ("value", "error"))
    # the fit's own directions are turned a little against the fixed ones: the leak D6, of relative order 1/n
    leak = np.array(VARIANCES).sum() / np.array(VARIANCES) / 400
    assert (np.abs(value - expected) < 5 * error + leak).all()
    assert not any("in the network" in line for line in told(found))


def test_the_effective_size_is_the_number_of_points(foreseen):
    size = foreseen[2]["inverse_effective_size"]
    assert abs(size["value"] - 1 / 400) < 5 * size["error"]
    assert size["error"] < 1 / 400


def test_the_intervals_cover_and_a_constant_bias_does_not(foreseen):
    """Of 16 x 4 x 6 log variances, those of one path together: 64 to 96 independent ones at least.

    90% intervals that hold fewer than 80% of 90 independent values: probability 1.5e-3; the key is fixed.
    """
    found = foreseen[2]
    assert found["forecast"]["coverage"] >= LEVEL - 0.1
    assert found["constant"]["coverage"] < found["forecast"]["coverage"] - 0.1
    assert at_the_end(found, "forecast", "error") < at_the_end(found, "constant", "error") / 2
    for score in ("interval_score", "ranked_score"):
        assert found["forecast"][score] < found["constant"][score] / 2
    assert "certify" not in " ".join(told(found))


def test_later_generations_are_not_looked_at(foreseen):
    run, generations, found = foreseen
    disturbed = [generations[0], *(g._replace(spectrum={k: 2 * v for k, v in g.spectrum.items()})
                                   for g in generations[1:])]  # fmt: skip
    again = forecast(LOOP, run.real, run.judge, disturbed)
    for key in ("log_bias", "log_network", "inverse_effective_size", "median"):
        assert again[key] == found[key]
    assert again["forecast"]["coverage"] < found["forecast"]["coverage"]


def test_one_generation_is_forecast_without_a_verdict(foreseen):
    run, generations, _ = foreseen
    found = forecast(LOOP, run.real, run.judge, generations[:1])
    assert found["forecast"]["coverage"] is None
    assert found["forecast"]["by_generation"]["coverage"] == []
    assert "interval" not in " ".join(told(found))


def test_an_expanding_sampler_is_not_certified(tmp_path):
    loop = LOOP.with_(generator=Diffusion("affine", "edm", 12, "heun"))
    run = Run(loop, 4, 0, tmp_path / "run")
    found = forecast(loop, run.real, run.judge, list(run.generations(1)))
    assert any("cannot certify stability" in line for line in told(found))


def test_other_policies_are_refused(foreseen):
    run, generations, _ = foreseen
    for data in (Accumulate(400), Replace((400, 300, 400, 400, 400))):
        with pytest.raises(LoopError, match="replace with a constant n"):
            forecast(LOOP.with_(data=data), run.real, run.judge, generations)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "heun"])
def test_the_map_is_that_of_the_generator(sampler):
    schedule = diffusion_schedule.linear(20)
    expected = {
        "ddim": diffusion.ddim(schedule, VARIANCES),
        "ddpm": diffusion.ddpm(schedule, VARIANCES, "beta", last_noise=False),
        "heun": diffusion.heun(schedule, VARIANCES),
    }[sampler]
    found = sampler_map(Diffusion("affine", "linear", 20, sampler))(np.array(VARIANCES))
    assert np.abs(found / expected - 1).max() < 1e-12
