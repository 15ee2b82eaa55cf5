"""Forecasts from generation 1 hold what they promise around networks, on seeds that no choice was made on."""

import pytest
from test_forecast import LOOP as AFFINE

from models.forecast import LEVEL, forecast
from models.loop import Run
from paper_figs import policies_digits
from theory.generator import Diffusion, Training
from theory.loop import Gaussian, Loop, Replace

PLANE = Loop(
    Gaussian([0.0, 0.0], [2.0, 0.3]),
    Replace(2000),
    generator=Diffusion("mlp", "linear", 20, "ddim", width=64, depth=2),
    training=Training("adam", 2e-3, 2000, 128, 0.999, clip=1.0),
)
CASES = {
    "affine score": (AFFINE, 61, 8),
    "network in the plane": (PLANE, 161, 8),
    "digits in feature space": (policies_digits.loop(Replace(policies_digits.SIZE)), 261, 4),
}
"""Loops, master seeds, replicates."""

GENERATIONS = 5


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_forecast_covers_and_beats_a_constant_bias(case, tmp_path):
    """Coverage alone is cheap: the scores, which are proper, are those of the narrower and truer forecast."""
    loop, seed, replicates = CASES[case]
    run = Run(loop, replicates, seed, tmp_path / "run", control=False)
    found = forecast(loop, run.real, run.judge, list(run.generations(GENERATIONS)))
    assert found["space"] == ("features" if "digits" in case else "coordinates")
    assert found["forecast"]["coverage"] >= LEVEL - 0.1
    for score in ("interval_score", "ranked_score"):
        assert found["forecast"][score] < found["constant"][score]
