"""Which generations may be asked for, and which observables: one vocabulary for theory and simulator."""

import math
from typing import Any

import numpy as np
import pytest
import sympy as sp

from theory import law
from theory.generations import increasing, whole
from theory.loop import Gaussian, Images, Loop, LoopError, Replace, UnavailableError
from theory.observable import LINE, SPACE, available, chosen
from theory.predict import available as predicted
from theory.predict import central_moments, predict


@pytest.mark.parametrize("five", [5, 5.0, np.int64(5), np.uint8(5), np.float64(5), np.array(5)])
def test_whole_numbers_of_any_type(five):
    assert whole(five) == 5
    assert type(whole(five)) is int
    assert increasing(five) == (5,)
    assert increasing([1, five, math.inf], limit=True) == (1, 5, math.inf)


def test_several():
    assert increasing(range(1, 4)) == (1, 2, 3)
    assert increasing(np.array([1.0, 2.0, np.inf]), limit=True) == (1, 2, math.inf)
    assert increasing(g for g in (1, 9)) == (1, 9)
    assert increasing(math.inf, limit=True) == (math.inf,)


NONE = [
    0, -1, 2.5, 5.7, True, False, np.True_, "50", "inf", b"5", None, math.nan, -math.inf, 1 + 0j, 10**400,
    sp.Symbol("t"), sp.Integer(5), {"t": 5},
]  # fmt: skip


@pytest.mark.parametrize("generation", NONE, ids=repr)
@pytest.mark.parametrize("several", [False, True])
def test_what_is_no_generation_is_refused_everywhere(generation, several):
    loop = Loop(Gaussian(0, 1), Replace(5))
    asked = [generation] if several else generation
    for reader in (
        increasing,
        lambda g: predict(loop, g),
        lambda g: central_moments(loop, "variance", g),
        lambda g: law.cdf(loop, "variance", g, 0.5),
    ):
        with pytest.raises(LoopError) as refusal:
            reader(asked)
        assert refusal.value.key == "generation"
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("generations", [[], [3, 3], [5, 2], [math.inf, 3], [math.inf, math.inf], [[1, 2]]])
def test_generations_increase(generations):
    with pytest.raises(LoopError, match="generation"):
        increasing(generations, limit=True)


def test_a_limit_where_none_is_meant_is_refused():
    loop = Loop(Gaussian(0, 1), Replace(5))
    with pytest.raises(LoopError, match="finite"):
        increasing(math.inf)
    with pytest.raises(LoopError, match="finite"):
        law.cdf(loop, "variance", math.inf, 0.5)
    with pytest.raises(LoopError, match="finite"):
        central_moments(loop, "variance", [1, math.inf])


def test_laws_take_generations_in_any_order_and_shape():
    loop = Loop(Gaussian(0, 1), Replace(5))
    square = law.cdf(loop, "variance", [[3, 1], [2, 3]], 0.5)
    assert square.shape == (2, 2)
    assert square[0, 0] == square[1, 1] == law.cdf(loop, "variance", 3.0, 0.5)


def plane(n, d=3):
    return Loop(Gaussian([0.0] * d, 1.0), Replace(n))


@pytest.mark.parametrize(
    ("n", "singular"),
    [(4, False), (3, True), ([9, 4], False), ([9, 3, 9], True), ("t + 3", False), ("t + 2", True)],
)
def test_what_exists_does_not_depend_on_the_generation(n, singular):
    absent = "log_det" if singular else "log_pseudo_det"
    assert available(plane(n)) == tuple(name for name in SPACE if name != absent)
    assert predicted(plane(n)) == (*available(plane(n)), "half_life")
    for generations in (1, [1, 2]):
        assert set(predict(plane(n), generations).data_vars) == set(predicted(plane(n)))


def test_what_exists_on_the_line_and_elsewhere():
    assert available(Loop(Gaussian(0, 1), Replace(2))) == LINE
    assert available(Loop(Gaussian(0, 1), Replace(sp.Symbol("n")))) == LINE
    assert "log_det" in available(plane(sp.Symbol("n")))
    with pytest.raises(UnavailableError):
        available(Loop(Images("digits"), Replace(5)))


def test_observables_are_a_list_of_known_names():
    loop = Loop(Gaussian(0, 1), Replace(5))
    assert chosen(None, LINE) == LINE
    assert chosen(["std", "variance", "std"], LINE) == ("std", "variance")
    assert chosen([], LINE) == ()
    senseless: Any = (
        "variance",
        b"variance",
        5,
        ["variance", "trace"],
        [None],
        [["variance"]],
        {"variance": 1},
    )
    for bad in senseless:
        with pytest.raises(LoopError) as refusal:
            chosen(bad, LINE)
        assert refusal.value.key == "observable"
        with pytest.raises(LoopError):
            predict(loop, 3, bad)
    with pytest.raises(LoopError, match=r"\['variance'\]"):
        predict(loop, 3, "variance")
