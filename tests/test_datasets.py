from fractions import Fraction

import numpy as np
import pytest

from models.datasets import VARIANCE_DECIMALS, load, resolve, subspace
from theory.loop import Gaussian, Images, Loop, Replace, Unbiased
from theory.loop_file import from_json, to_json

DIGITS = Loop(Images("digits"), Replace(100), Unbiased())
ROUNDING = 0.5 * 10.0**-VARIANCE_DECIMALS  # of each eigenvalue


def exact_trace(images):
    """The sum of the pixels' variances, in rationals: the grey levels are whole numbers."""
    pixels = images.reshape(len(images), -1)
    assert (pixels == pixels.astype(int)).all()
    size = len(pixels)
    return float(
        sum(
            Fraction(int((column**2).sum()), size) - Fraction(int(column.sum()), size) ** 2
            for column in pixels.astype(int).T
        )
    )


def exact_rank(matrix):
    """The rank of a whole-number matrix modulo a large prime: at most its rank over the rationals."""
    prime, rows, rank = 2**31 - 1, [[int(x) for x in row] for row in matrix], 0
    for column in range(len(rows[0])):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column] % prime), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        inverse = pow(rows[rank][column], -1, prime)
        for i in range(rank + 1, len(rows)):
            factor = rows[i][column] * inverse % prime
            if factor:
                rows[i] = [(x - factor * y) % prime for x, y in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


def test_the_rank_is_that_of_the_data_in_exact_arithmetic():
    pixels = load("digits").reshape(-1, 64).astype(int)
    scatter = len(pixels) * pixels.T @ pixels - np.outer(pixels.sum(axis=0), pixels.sum(axis=0))
    varying = (pixels.std(axis=0) > 0).sum()  # an upper bound; the rank modulo a prime is a lower one
    assert exact_rank(scatter) == varying == subspace("digits").rank


def test_the_source_has_the_moments_of_the_images():
    space, images = subspace("digits"), load("digits")
    pixels = images.reshape(len(images), -1)
    axes = space.axes.reshape(space.rank, -1)
    rebuilt = axes.T @ np.diag(space.variances) @ axes
    bound = ROUNDING + 64 * np.finfo(float).eps * space.variances[0]
    assert np.abs(rebuilt - np.cov(pixels.T, ddof=0)).max() < bound
    assert abs(space.variances.sum() - exact_trace(images)) < space.rank * bound
    assert np.array_equal(space.mean_image, images.mean(axis=0))
    assert np.abs(axes @ axes.T - np.eye(space.rank)).max() < 1e-12
    assert (np.diff(space.variances) <= 0).all()


def test_images_survive_the_way_to_points_and_back():
    space, images = subspace("digits"), load("digits")
    points = space.to_points(images)
    assert points.shape == (1797, space.rank)
    # A computed subspace is turned by at most (rounding error of the covariance) / (smallest eigenvalue).
    angle = 64 * np.finfo(float).eps * space.variances[0] / space.variances[-1]
    longest = np.linalg.norm(points, axis=1).max()
    assert np.abs(space.to_images(points) - images).max() < angle * longest
    assert np.array_equal(space.to_images(np.zeros(space.rank)), space.mean_image)
    assert np.abs(points.mean(axis=0)).max() < 1e-12 * longest
    assert np.abs(points.var(axis=0) - space.variances).max() < ROUNDING + 1e-12 * longest**2


def test_resolve_replaces_the_source_and_nothing_else():
    resolved = resolve(DIGITS)
    assert resolved.source.mean == (0.0,) * subspace("digits").rank
    assert resolved.source.variance == tuple(subspace("digits").variances)
    assert resolved.with_(source=DIGITS.source) == DIGITS
    assert from_json(to_json(resolved)) == resolved


def test_resolve_leaves_other_loops_alone():
    loop = Loop(Gaussian(0, 1), Replace(10))
    assert resolve(loop) is loop


def test_an_unknown_data_set_is_refused():
    with pytest.raises(ValueError, match="'faces'"):
        load("faces")
