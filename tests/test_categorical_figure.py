"""The rows behind "Rare things go first": the theory they show, and the Monte Carlo beside it."""

from functools import cache

import numpy as np
import pytest

from jaxsim.law_agreement import agree_on_probability
from jaxsim.verdict import DISAGREES
from paper_figs import DATA, rare_classes
from paper_figs.rows import read
from theory.categorical import wright_fisher as chain
from theory.categorical.extinction_exponent import extinction_bound

WRITTEN = 1e-8  # relative: the files hold nine significant digits


@cache
def committed():
    return read(DATA / "rare_classes.csv")


@pytest.mark.parametrize("n", rare_classes.GENERATIONS)
def test_exact_rows_are_the_binary_chain(n):
    for share in rare_classes.SHOWN:
        rows = committed().where(n=n, share=share, kind="exact")
        generations = rows.column("generation")
        expected = chain.extinction(n, [share], generations)[:, 0]
        np.testing.assert_allclose(rows.column("value"), expected, rtol=WRITTEN, atol=1e-15)
        assert (expected <= extinction_bound([n * share], generations)[:, 0] * (1 + 1e-12) + 1e-15).all()
        bound = committed().where(n=n, share=share, kind=rare_classes.BOUND).column("value")
        assert (expected <= np.array(bound) * (1 + WRITTEN) + 1e-15).all()
        first = committed().where(n=n, share=share, kind=rare_classes.FOLKLORE).column("value")
        np.testing.assert_allclose(first, (1 - share) ** n, rtol=WRITTEN)


def test_simulated_rows_agree_and_would_not_with_one_sample():
    points = committed().where(kind="monte-carlo").records
    seeds = points[0]["seeds"]
    hits = np.array([round(row["value"] * seeds) for row in points])
    exact = [chain.extinction(row["n"], [row["share"]], [row["generation"]])[0, 0] for row in points]
    right = agree_on_probability(hits, seeds, np.array(exact), comparisons=len(points))
    assert not (right.verdict == DISAGREES).any()
    late = np.array([row["generation"] >= 10 and row["share"] == 0.02 for row in points])
    one_sample = np.array([(1 - row["share"]) ** row["n"] for row in points])
    wrong = agree_on_probability(hits, seeds, one_sample, comparisons=len(points))
    assert (wrong.verdict[late] == DISAGREES).all()


def test_intervals_are_clopper_and_pearsons():
    for row in committed().where(kind="monte-carlo").records:
        assert row["low"] <= row["value"] <= row["high"]
    assert rare_classes.interval(0, 10)[0] == 0
    # at no hit of ten the upper end solves (1 - p)^10 = 0.025
    assert abs((1 - rare_classes.interval(0, 10)[1]) ** 10 - 0.025) < 1e-12
    assert rare_classes.interval(10, 10)[1] == 1
