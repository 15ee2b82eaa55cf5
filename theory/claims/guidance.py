"""Claims about classifier-free guidance: between normals, in a loop, between modes."""

from __future__ import annotations

from typing import Any

from theory.claim import Case, Claim, Experiment
from theory.claims.larger_cases import more
from theory.diffusion import expected

OWN = "own derivation"


def _case(name: str, quick: bool = True, **parameters: Any) -> Case:
    return Case(Experiment(f"diffusion {name}", tuple(parameters.items())), quick=quick)


def _guided(steps: int, sampler: str, guidance: float, draws: int, **more: Any) -> Case:
    return _case(
        "guided sampler", schedule="cosine", steps=steps, sampler=sampler, guidance=guidance,
        conditional=(1.2, 0.5), unconditional=(0.2, 2.0), draws=draws, **more,
    )  # fmt: skip


_TWO_NORMALS = "guided score (1 + g) S_c - g S_u of normals N(mu_c, s), N(mu_c - delta, u), w = 1 + g; "

GUIDANCE_CLAIMS = (
    Claim(
        "mixture.D7",
        "flow_variance",
        "asymptotic",
        r"s^w u^{1-w},\quad \text{push } (w-1)\,\delta\,(s/u)^{w/2}\,"
        r"{}_2F_1\bigl(\tfrac w2, \tfrac12; \tfrac32; 1 - \tfrac su\bigr)",
        OWN + "; s = 1, u = 2: Bradley and Nakkiran, 2024, arXiv:2408.09000",
        _TWO_NORMALS + "probability flow from full noise; T steps of DDIM, T -> inf, differ by order 1/T",
        "limit",
        (_guided(400, "ddim", 2.0, 32), _guided(400, "ddim", 0.5, 32, quick=False)),
        expected.guided_by_flow,
        exact=expected.steps_taken,
        order=1,
        grown=more("steps"),
    ),
    Claim(
        "mixture.D7",
        "diffusion_variance",
        "asymptotic",
        r"\frac{su - s^{2w}u^{2-2w}}{(2w-1)(u-s)},\quad \text{push } \delta\,\frac{s - s^w u^{1-w}}{u - s}",
        OWN + "; s = 1, u = 2: Bradley and Nakkiran, 2024, arXiv:2408.09000",
        _TWO_NORMALS + "reverse SDE from full noise; T steps of DDPM, T -> inf, differ by order 1/T",
        "limit",
        (_guided(100, "beta", 2.0, 32), _guided(100, "beta", 0.5, 32, quick=False)),
        expected.guided_by_diffusion,
        exact=expected.steps_taken,
        order=1,
        grown=more("steps"),
    ),
    Claim(
        "mixture.D7",
        "sampled_variance",
        "recursion",
        r"D = px + q\colon\ m' = (c' - ca)(pm + q) + am,\ v' = \bigl((c' - ca)p + a\bigr)^2 v + \sigma^2,"
        r"\quad a = \sqrt{\sin^2\theta' - \sigma_0^2}/\sin\theta",
        OWN,
        _TWO_NORMALS + "any number of steps of DDIM or DDPM",
        "moments",
        (_guided(20, "ddim", 1.5, 32), _guided(20, "beta", 1.5, 32)),
        expected.guided_in_steps,
    ),
    Claim(
        "mixture.D8",
        "log_variance",
        "asymptotic",
        r"s' = s^w u^{1-w},\ m' = m + \mathrm{push}(w, s, u, m),\ u = s + m^2"
        r"\quad (n = \infty;\ +O(1/n) \text{ by the delta method})",
        OWN,
        "two classes N(+-m, s), affine conditional and unconditional scores, error of order n^-2; the map is"
        " that of the T steps of DDIM",
        "limit",
        (
            _case(
                "guided loop", schedule="cosine", steps=20, sampler="ddim", guidance=0.5, mean=1.0,
                variance=1.0, n=200, generations=(3, 4),
            ),
        ),
        expected.guided_loops,
        exact=expected.guided_runs,
        order=2,
        grown=more("n"),
    ),
    Claim(
        "mixture.D9",
        "sampled_variance",
        "recursion",
        r"\frac{dx}{d\sigma} = \frac{x - D(x)}{\sigma},\quad"
        r" D = (1+g)\,D_{N(1,1)} - g\,D_{(N(1,1) + N(-1,1))/2}",
        OWN,
        "the class N(1, 1) guided by the true score of the two modes, probability flow from sigma = 80",
        "moments",
        tuple(
            _case("guided mixture", quick, schedule="edm", steps=200, sampler="heun", guidance=g, draws=32)
            for g, quick in ((0.5, False), (2.0, True))
        ),
        expected.guided_modes,
    ),
)  # fmt: skip
