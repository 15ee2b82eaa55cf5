"""Claims about loops of kernel densities: second moments, integrated error, stationary laws (K1-K5).

Generations g are counted from 1 on; t in a statement is g - 1, the number of kernels passed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theory.claim import Case, Claim, Experiment
from theory.estimator import KernelDensity
from theory.kernel_density import forms
from theory.kernel_density.error import expected_density, least_cross_entropy
from theory.kernel_density.reading import components
from theory.loop import Gaussian, Loop, Replace
from theory.policy import Accumulate, Fresh
from theory.sampler import Sampler
from theory.source import Mixture

OWN = "own derivation"
KAZDAN = "own derivation; setting of Kazdan et al. 2024, arXiv:2410.16713"
KHELIFA = "own derivation; the same phenomenon in Khelifa et al. 2026, arXiv:2602.16601"

UNIT, WIDE = Gaussian(0.0, 1.0), Gaussian(1.0, 4.0)
FIXED, RULE = KernelDensity(0.3), KernelDensity({"factor": 1.06})
REPLACE = Loop(UNIT, Replace(40), FIXED)
FEW = Loop(UNIT, Replace(16), KernelDensity(0.6))
SMALL = Loop(UNIT, Replace(60), KernelDensity(0.7))
AWAY = Gaussian(2.5, 0.5)
MODES = Loop(Mixture((0.4, 0.6), (-2.0, 3.0), (1.0, 0.5)), Replace(31), KernelDensity(0.6))
MOVED = Loop(UNIT, Replace([30, 21, 50]), FIXED, start=Gaussian(1.5, 0.5))
THUMB = Loop(WIDE, Replace(50), RULE)
CORRECTED = Loop(UNIT, Replace(50), RULE, Sampler(bias=forms.corrected_bias(50, 1.06)))
THUMB_AWAY = Loop(UNIT, Replace(50), RULE, start=AWAY)
POOL_AWAY = Loop(UNIT, Accumulate(10), KernelDensity(0.5), start=AWAY)
POOL = Loop(UNIT, Accumulate(10), KernelDensity(0.5))
UNEVEN_POOL = Loop(UNIT, Accumulate([5, *[10] * 8]), KernelDensity(0.5))
FRESH = Loop(UNIT, Fresh(5, 15), FIXED)
FRESH_IID = Loop(UNIT, Fresh(5, 15, "iid"), FIXED)

SECOND = ("mean_error", "variance")
SQUARED = ("mean_error_squared",)
"""Met where the error is far from 0: the square of a normal of mean 0 has a long tail."""
VARIANCE = (
    r"\mathbb{E}v_g = (1-\tfrac1n)^g s_0 + h^2(n-1)\bigl(1-(1-\tfrac1n)^{g-1}\bigr),\quad"
    r" \mathbb{E}v_g + \mathbb{E}(\bar x_g-\mu_0)^2 = s_0 + (g-1)h^2"
)
MISE = (
    r"\tfrac{\varphi(0;2h^2)}{n} + (1-\tfrac1n)\Bigl\{\sum_{s<g}\tfrac1n(1-\tfrac1n)^{s-1}"
    r"\varphi(0;2(s+1)h^2) + (1-\tfrac1n)^{g-1}\varphi(0;2s_0+2gh^2)\Bigr\}"
    r" - 2\varphi(0;2s_0+gh^2) + \varphi(0;2s_0)"
)
STARTED = (
    "from another start s_0 is its variance, and its squared distance from mu_0 adds to that of the mean"
)
LINE = f"on the line, any source with two moments, every n >= 2; sizes may change; {STARTED}"


def _moments(mean: Any) -> np.ndarray:
    mean = np.asarray(mean, float)
    return np.stack([mean, *[np.full_like(mean, np.nan)] * 3])


def _claims(
    entry: str, names: tuple[str, ...], statement: str, source: str, valid: str, *loops: tuple[Any, ...]
) -> tuple[Claim, ...]:
    cases = tuple(Case(loop, steps, quick=quick, engine="literal") for loop, steps, quick in loops)
    return tuple(
        Claim(f"mixture.{entry}", name, "exact", statement, source, valid, "moments", cases) for name in names
    )


def _measured(
    entry: str, name: str, statement: str, source: str, valid: str, expected: Any, *cases: Case
) -> Claim:
    return Claim(
        f"mixture.{entry}", name, "exact", statement, source, valid, "moments", cases,
        lambda case: _moments(expected(dict(case.loop.parameters))),
    )  # fmt: skip


def _experiment(name: str, quick: bool = True, **parameters: Any) -> Case:
    return Case(Experiment(name, tuple(parameters.items())), quick=quick)


def _least(case: Case) -> np.ndarray:
    source, first = components(case.loop.source), components(case.loop.first_model)
    width = case.loop.estimator.bandwidth
    return _moments([least_cross_entropy(source, first, g, width) for g in case.generations])


def _profile(given: dict[str, Any]) -> np.ndarray:
    first = components(Gaussian(given["mean"], given["variance"]))
    return expected_density(first, given["generation"], given["width"], np.array(given["at"]))


def _pooled_cosines(given: dict[str, Any]) -> np.ndarray:
    """E cos w x of a law that is normal given the number of kernels passed."""
    g, frequency = given["generation"], np.array(given["frequency"])
    variance = given["variance"] + given["width"] ** 2 * np.arange(g)
    return np.exp(-(frequency[:, None] ** 2) * variance / 2) @ forms.accumulate_kernels(g)


def _cosines(given: dict[str, Any]) -> np.ndarray:
    frequency = np.array(given["frequency"])
    return forms.fresh_characteristic(given["variance"], given["width"], given["share"], frequency)


def _coefficients(given: dict[str, Any]) -> np.ndarray:
    """Stationary E He_k, k = 1, ..., 4, from those of N(mu, s): He_k(mu) with s - 1 more in every pair."""
    mu, more = given["mean"], given["variance"] - 1
    source = np.array([mu, mu**2 + more, mu**3 + 3 * mu * more, mu**4 + 6 * mu**2 * more + 3 * more**2])
    return forms.stopped_early(source, given["share"], given["shrink"], np.arange(1, 5))


KERNELS = (
    *_claims(
        "K1a", SECOND, VARIANCE, OWN, LINE, (REPLACE, (1, 4, 11), True), (MODES, (1, 4), False),
        (MOVED, (1, 2, 3), False), (FEW, (1, 4), False),
    ),
    *_claims("K1a", SQUARED, VARIANCE, OWN, LINE, (MOVED, (1, 2, 3), True)),
    _measured(
        "K1b", "density", r"\mathbb{E}\,\hat p_g(x) = (p_0 * N(0, gh^2))(x)", KAZDAN, "every n and g",
        _profile,
        _experiment("kernel_profile", mean=0.0, variance=1.0, n=40, width=0.3, generation=11, at=(0.0, 1.5)),
    ),
    *_claims(
        "K2", ("mise",), MISE, "own derivation (Kingman's coalescent, 1982)",
        "replace, fixed bandwidth; a normal source or a mixture (sums over pairs of components); every n",
        (REPLACE, (1, 4, 11), True), (MODES, (1, 4), False), (MOVED, (1, 2, 3), False),
    ),
    Claim(
        "mixture.K2n", "nll", "bound",
        r"-\mathbb{E}\int p_0\ln\hat p_g \ge \tfrac12\ln(2\pi S)+\tfrac{s_0}{2S},\quad S = s_0+gh^2",
        "own derivation; Jensen's inequality", "replace, fixed bandwidth, normal source; equality at n = inf",
        "bound", (Case(SMALL, (1, 4), engine="literal", nearest=0.95),), _least, side="above",
    ),
    *_claims(
        "K3", SECOND,
        r"\mathbb{E}v_g = (1-\tfrac1n)s_0\bigl[(1-\tfrac1n)(1+c^2n^{-2/5})\bigr]^{g-1}", OWN,
        f"replace, h = c n^{{-1/5}} sd: it explodes; {STARTED}",
        (THUMB, (1, 4), True), (THUMB_AWAY, (1, 4), False),
    ),
    *_claims(
        "K3", SQUARED, r"\mathbb{E}(\bar x_{g+1}-\mu_0)^2 = \mathbb{E}(\bar x_g-\mu_0)^2"
        r" + \tfrac1n(1+c^2n^{-2/5})\mathbb{E}v_g", OWN, f"replace, h = c n^{{-1/5}} sd; {STARTED}",
        (THUMB_AWAY, (1, 4), False),
    ),
    *_claims(
        "K3c", SECOND, r"\lambda = 1/(1+c^2n^{-2/5}):\quad \mathbb{E}v_g = (1-\tfrac1n)^gs_0", OWN,
        "the variance-corrected kernel density: samples shrink towards the mean",
        (CORRECTED, (1, 4), True), (CORRECTED.with_(start=AWAY), (1, 4), False),
    ),
    *_claims(
        "K4", SECOND,
        r"\mathbb{E}v_g + \mathbb{E}(\bar x_g-\mu_0)^2 = s_0+h^2[\psi(r+g)-\psi(r+1)],\quad"
        r" v' = v+wh^2-w^2(v+h^2)/n,\ w = n/M'",
        KAZDAN, f"accumulate, n_0 = r n real points: the variance grows like h^2 ln g, for ever; {STARTED}",
        (POOL, (1, 13), True), (UNEVEN_POOL, (1, 9), False), (POOL_AWAY, (1, 6), False),
    ),
    *_claims(
        "K4", SQUARED, r"\mathbb{E}(\bar x_g-\mu_0)^2 = s_0+h^2[\psi(r+g)-\psi(r+1)] - \mathbb{E}v_g", KAZDAN,
        f"accumulate; {STARTED}", (POOL_AWAY, (1, 6), False),
    ),
    _measured(
        "K4d", "kernels", r"x = x_0+hD^{1/2}z,\quad D = 1+\sum_{j=2}^{t}\mathrm{Bernoulli}(1/j)", OWN,
        "accumulate, n_0 = n; E cos w x of a random point of the pool", _pooled_cosines,
        _experiment(
            "kernel_cosine", mean=0.0, variance=1.0, n=10, width=0.5, generation=8, accumulate=True,
            frequency=(0.7, 1.5),
        ),
    ),
    *_claims(
        "K5", SECOND,
        r"\mathbb{E}v + \mathbb{E}(\bar x-\mu_0)^2 \to s_0+h^2(1-m)/m", KHELIFA,
        "fresh, a share m of real points, by count or by a coin; in the stationary state, from any start",
        (FRESH, (1, 30), True),
        (FRESH_IID, (1, 12), False), (FRESH.with_(start=AWAY), (1, 3), False),
    ),
    _measured(
        "K5c", "characteristic", r"\mathbb{E}\cos w(x-\mu_0) = \frac{m\varphi_0(w)}{1-(1-m)e^{-h^2w^2/2}}",
        KHELIFA, "fresh, stationary", _cosines,
        _experiment(
            "kernel_cosine", mean=0.0, variance=1.0, n=20, width=0.3, generation=40, share=0.4,
            frequency=(0.5, 1.3, 2.0),
        ),
    ),
    _measured(
        "K5h", "hermite", r"c_k = m c_{k,0}/(1-(1-m)a^k)", KHELIFA,
        "fresh, stationary, a diffusion stopped early (x -> a x + sqrt(1 - a^2) z) in the kernel's place",
        _coefficients,
        _experiment("kernel_hermite", mean=-1.0, variance=0.5, n=60, shrink=0.95, generation=40, share=0.4),
    ),
)  # fmt: skip
