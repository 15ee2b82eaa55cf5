"""A word that the vocabulary gains and a generator does not know is refused, not taken for another."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from models.diffusion import affine, step, transitions
from models.forecast import sampler_map
from models.generation import Generation
from models.network import network
from models.run_summary import ORDER, summary
from models.schedule import draw_level, levels
from theory.generator import Diffusion
from theory.quantity import LoopError

KNOWN = Diffusion("affine", "edm", 10, "ddim")


def unchecked(**words):
    """A generator as the vocabulary would hold it, had it these words."""
    return SimpleNamespace(**(vars(KNOWN) | words))


def taken(sampler):
    to = jax.tree.map(lambda part: part[0], transitions(levels("edm", 10)))
    point = np.ones(2, np.float32)
    return step(affine(np.zeros(2), np.ones(2)), point, point, to, sampler)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: levels("sigmoid", 10),
        lambda: draw_level("sigmoid", jax.random.key(0)),
        lambda: taken("euler"),
        lambda: sampler_map(unchecked(schedule="sigmoid")),
        lambda: sampler_map(unchecked(sampler="euler")),
        lambda: network(unchecked(network="transformer"), (4,), 0),
        lambda: network(KNOWN, (4,), 0),
    ],
)
def test_unknown_words_are_refused(ask):
    with pytest.raises(LoopError):
        ask()


@pytest.mark.parametrize("sampler", Diffusion.choices["sampler"])
def test_known_samplers_are_taken(sampler):
    assert np.isfinite(taken(sampler)).all()
    assert sampler_map(replace(KNOWN, sampler=sampler))(1.0) > 0


@pytest.mark.parametrize("schedule", Diffusion.choices["schedule"])
def test_known_schedules_have_levels_and_a_map(schedule):
    assert len(levels(schedule, 10).cos) == 11
    assert np.isfinite(draw_level(schedule, jax.random.key(0))).all()
    assert sampler_map(replace(KNOWN, schedule=schedule))(1.0) > 0


def test_a_metric_that_no_order_lists_is_summarised_last():
    first, new = ORDER[-1], "a_new_metric"
    measures = {new: np.array([1.0, 3.0]), first: np.array([0.5, 0.5])}
    made = Generation(1, measures, {}, {}, (np.zeros(0), np.zeros(0)))
    found = summary([made], {new: 2.5})
    assert list(found) == [first, new]
    assert found[new] == {"mean": [2.0], "standard_error": [1.0], "real": 2.5}
