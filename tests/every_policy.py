"""Every policy, in each of its forms: the one list of the tests."""

from fractions import Fraction

from theory.loop_file import POLICIES as KINDS
from theory.policy import (
    Accumulate,
    AccumulateSubsample,
    Fixed,
    Fresh,
    Heal,
    Memory,
    Peers,
    Replace,
    Web,
    Window,
    WrittenRecipe,
)
from theory.recipes.optimal_weight import weights_in_time

POLICIES = [
    Replace(5),
    Replace([5, 6, 7, 8, 9, 10, 11, 12, 13, 14]),
    Accumulate(5),
    Accumulate("10*t"),
    AccumulateSubsample(5),
    Window(5, 3),
    Memory(2, 3, 4),
    Fresh(2, 3),
    Fresh(2, 3, "iid"),
    Fresh(2, 3, weight=0.25),
    Fresh(2, 3, weight=weights_in_time(Fraction(2, 3), 10)),
    Fixed(4, 3),
    Web(5, 1, 3),
    Web(5, 1, 3, n=4),
    Peers(3, 2, 1),
    Peers(counts=[[1, 2], [3, 4]], real=[0, 5], targets=[0, 1]),
    Heal(Replace(5), 3, 6, 0.5),
    Heal(Window(5, 2), 3, 6, 1, same_real=True),
    WrittenRecipe([[{"real": 5}], [{"model": -1, "n": 4}, {"batch": -1, "n": 2}]]),
]

ONE_OF_EACH = tuple({policy.policy: policy for policy in reversed(POLICIES)}[name] for name in KINDS)
"""The first form of each; a policy that is added to the loop file and not to the list is an error here."""
