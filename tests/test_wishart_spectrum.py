"""The mean density of a Wishart matrix's eigenvalues, against moments, the line, the plane and duality."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import integrate, stats

from theory.claims.regression import REGRESSION
from theory.regression.design import ridge
from theory.regression.risk import claim_of, log_noise_variance, noise_variance, risk
from theory.wishart.spectrum import spectrum

ROUNDING = 1e-12
PRECISION = {"epsabs": 0, "epsrel": 1e-13, "limit": 200}


@pytest.mark.parametrize(
    ("d", "n"), [(1, 1), (1, 8), (2, 2), (3, 12), (10, 10), (10, 31), (61, 80), (80, 300)]
)
def test_moments(d, n):
    """E tr S^k, k = 0, 1, 2, 3 (Wick's theorem), and E tr S^{-1}."""
    x, weights = spectrum(d, n, 0.2 * n)
    cube = n * d * (n**2 + d**2 + 3 * n * d + 3 * n + 3 * d + 4)
    found = [weights @ x**k for k in range(4)]
    assert np.allclose(found, [d, n * d, n * d * (n + d + 1), cube], rtol=ROUNDING, atol=0)
    if n > d + 1:
        assert np.isclose(weights @ (1 / x), d / (n - d - 1), rtol=ROUNDING, atol=0)


@pytest.mark.parametrize(("n", "pole"), [(1, 0.05), (2, 0.3), (9, 2.0), (9, 40.0)])
def test_line(n, pole):
    x, weights = spectrum(1, n, pole)
    found = weights @ (x / (x + pole))
    density = lambda u: 2 * u * stats.chi2.pdf(u * u, n) * u * u / (u * u + pole)  # noqa: E731
    exact = sum(integrate.quad(density, a, a + 2, **PRECISION)[0] for a in range(0, 14, 2))
    assert np.isclose(found, exact, rtol=1e-11, atol=0)


@pytest.mark.parametrize(("n", "pole"), [(2, 0.5), (3, 0.3), (6, 2.0)])
def test_plane(n, pole):
    """d = 2: the joint density of the two eigenvalues integrated by nested Gauss-Legendre rules."""
    reference, rule = np.polynomial.legendre.leggauss(120)
    edge = np.sqrt(n) + np.sqrt(2) + 9
    top = (reference + 1) * edge / 2  # u = sqrt of the larger; the smaller is u s, 0 < s < 1
    share = (reference + 1) / 2
    u, s = np.meshgrid(top, share, indexing="ij")
    x, y = u**2, (u * s) ** 2
    weight = np.outer(rule * edge / 2, rule / 2) * 4 * u**3 * s
    density = weight * (x * y) ** ((n - 3) / 2) * np.exp(-(x + y) / 2) * (x - y)
    f = x / (x + pole) + y / (y + pole)
    nodes, weights = spectrum(2, n, pole)
    assert np.isclose(weights @ (nodes / (nodes + pole)), (density * f).sum() / density.sum(), rtol=1e-11)


def test_a_wrong_density_is_seen():
    """Negative control: the density of one point more."""
    x, weights = spectrum(3, 13, 1.0)
    assert not np.isclose(weights @ x, 36, rtol=1e-3)


def test_few_points_and_many_are_dual():
    """X'X and XX' share eigenvalues: d al(n, d, kappa) = n al(d, n, kappa n / d)."""
    few, many = ridge(4, 9, 0.3), ridge(9, 4, 0.3 * 4 / 9)
    assert np.isclose(9 * few.gain, 4 * many.gain, rtol=ROUNDING)
    assert np.isclose(few.noise, many.noise, rtol=ROUNDING)


MEASURES = {"risk": risk, "noise_variance": noise_variance, "log_noise_variance": log_noise_variance}


@pytest.mark.parametrize("claim", REGRESSION, ids=lambda claim: f"{claim.id} {claim.observable}")
def test_every_claim_has_numbers(claim):
    for case in claim.cases:
        found = MEASURES[claim.observable](case.loop, case.generations)
        assert np.isfinite(found.mean).all()
        assert claim_of(case.loop) == claim.id or claim.observable != "risk" or claim.id == "gaussian.L7"


def test_numbers_come_without_sympy():
    program = (
        "import sys; from theory.regression.risk import risk; from theory.linear import *\n"
        "from theory.loop import Loop, Replace\n"
        "risk(Loop(Linear(3, 1.0, 1.0), Replace(9), Ridge(0.1)), (1, 4))\n"
        "assert 'sympy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
