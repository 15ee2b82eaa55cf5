"""Claims about diffusion samplers, loops around them, guidance, and forecasts from one generation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from theory.claim import Case, Claim, Experiment
from theory.claims.guidance import GUIDANCE_CLAIMS
from theory.claims.larger_cases import more
from theory.diffusion import expected
from theory.loop import Gaussian, Loop, Sampler
from theory.policy import Fresh

OWN = "own derivation"
_SCORE = (
    "data normal, the score exact or the affine one of a training set's moments, every eigen-direction by"
    " itself; "
)


def _case(name: str, quick: bool = True, **parameters: Any) -> Case:
    return Case(Experiment(f"diffusion {name}", tuple(parameters.items())), quick=quick)


def _sampler(
    schedule: str, steps: int, sampler: str, variances: tuple[float, ...], mean: float = 0.0, **more: Any
) -> Case:
    return _case(
        "sampler",
        schedule=schedule,
        steps=steps,
        sampler=sampler,
        variances=variances,
        mean=mean,
        draws=32,
        **more,
    )


_WIDE = (0.05, 1.0, 9.0)

_SAMPLERS = (
    Claim(
        "mixture.D1",
        "sampled_variance",
        "exact",
        r"g(s) = s\,\frac{P}{V_T} \prod_{t=1}^T \cos^2(\phi_t - \phi_{t-1}),\quad"
        r" \phi_t = \arctan\frac{\tan\theta_t}{\sqrt s},\ V_t = s\cos^2\theta_t + \sin^2\theta_t;\quad"
        r" E\,x_0 = \mu\bigl(1 - \cos\theta_T \sqrt{g/P}\bigr)",
        OWN + "; DDIM: Song et al., 2021, arXiv:2010.02502",
        _SCORE + "deterministic DDIM (Euler's method in sigma), any schedule and number of steps",
        "moments",
        (
            _sampler("cosine", 10, "ddim", _WIDE),
            _sampler("linear", 20, "ddim", _WIDE, mean=-2.0),
            _sampler("nichol", 15, "ddim", _WIDE, quick=False),
            _sampler("edm", 18, "ddim", _WIDE),
        ),
        expected.samples,
    ),
    Claim(
        "mixture.D2",
        "sampled_variance",
        "asymptotic",
        r"\lambda(s) = \lambda(1/s),\quad \lambda(1) = \cos^{2T}\frac{\pi}{2T},\quad"
        r" \ln\lambda(s) = -\frac{\pi^2}{4T}\cosh\frac{\ln s}{2} - \frac{1}{T^3}\int_0^1"
        r"\Bigl(\frac{\phi'^4}{6} - \frac{\phi''^2}{12}\Bigr) + O(T^{-5})",
        OWN,
        _SCORE + "deterministic DDIM on the cosine schedule, phi(t/T) = phi_t of D1",
        "limit",
        (
            _sampler("cosine", 50, "ddim", (0.05, 1.0, 20.0)),
            _sampler("cosine", 10, "ddim", (0.5, 1.0, 2.0), quick=False),
        ),
        expected.cosh_samples,
        exact=expected.sampled_means,
        order=5,
        grown=more("steps"),
    ),
    Claim(
        "mixture.D3",
        "sampled_variance",
        "exact",
        r"g(s) = s^2\Bigl[\frac{\bar\alpha_T P}{V_T^2} + \sum_{t=1}^T"
        r" \frac{\bar\alpha_{t-1}\sigma_t^2}{V_{t-1}^2}\Bigr],\quad \sigma_t^2 = \beta_t \text{ or }"
        r" \tilde\beta_t;\quad \sigma_t^2 = \beta_t V_{t-1}/V_t \Rightarrow g(s) = s\ (P = V_T)",
        OWN + "; DDPM: Ho et al., 2020, arXiv:2006.11239; best variance: Bao et al., 2022, arXiv:2201.06503",
        _SCORE + "DDPM, with or without noise in the last transition (the term t = 1), as is said; between it"
        " and DDIM, at any eta, the recursion of one transition",
        "moments",
        (
            _sampler("linear", 20, "beta", _WIDE),
            _sampler("linear", 20, "posterior", _WIDE, quick=False),
            _sampler("cosine", 10, "beta-to-the-end", _WIDE),
            _sampler("linear", 20, "ddim", (0.05, 0.4, 9.0), eta=0.5, quick=False),
        ),
        expected.samples,
    ),
    Claim(
        "mixture.D4",
        "sampled_variance",
        "recursion",
        r"g(s) = \sigma_T^2 \prod_{a \to b}\Bigl(1 + \frac{b-a}{2}\Bigl[\frac{a}{s+a^2} +"
        r" \frac{b}{s+b^2}\,\frac{s+ab}{s+a^2}\Bigr]\Bigr)^2,\quad \text{last step } \frac{s}{s+a^2}",
        OWN + "; Heun: Karras et al., 2022, arXiv:2206.00364, algorithm 1",
        _SCORE + "Heun's method in sigma, the last step Euler's; it expands on the usual grid",
        "moments",
        (
            _sampler("edm", 18, "heun", (0.01, 0.25, 4.0)),
            _sampler("edm", 36, "heun", (0.01, 0.25, 4.0), quick=False),
        ),
        expected.samples,
    ),
    Claim(
        "mixture.D4",
        "variance",
        "exact",
        r"\lambda > 1\colon\ E\sigma_\infty^2 < \infty \iff m > 1 - 1/\lambda,\quad"
        r" n = \infty\colon\ \sigma_\infty^2 = \frac{m\sigma_0^2}{1 - (1-m)\lambda}",
        OWN,
        "a constant sampling bias above 1 with a share m of fresh real data, any n",
        "moments",
        (Case(Loop(Gaussian(0.0, 1.0), Fresh(12, 38), sampler=Sampler(bias=1.15)), (1, 5, 20)),),
    ),
)


def _loop(variance: float, n: int, generations: tuple[int, ...], **more: Any) -> Case:
    return _case(
        "loop", schedule="cosine", steps=10, sampler="ddim", variance=variance, n=n,
        generations=generations, **more,
    )  # fmt: skip


_LOOPS = (
    Claim(
        "mixture.D5",
        "variance",
        "recursion",
        r"S_1 = s_0\chi^2_{n-1}/n,\ S_{g+1} = g(S_g)\,\chi^2_{n-1}/n\ \text{(law of } \ln S \text{ by"
        r" quadrature)};\quad E(\mu_g - \mu_0)^2 = \sum_{k \le g} E S_k/(n-1)",
        OWN,
        _SCORE + "replace, any n >= 2; the squared mean where abar_T = 0",
        "moments",
        (
            _loop(0.2, 20, (1, 2, 3), copies=8, quick=False),
            _loop(1.0, 20, (1, 3, 5), copies=8),
            _loop(5.0, 20, (1, 3, 5), copies=8, quick=False),
        ),
        expected.loops,
    ),
    Claim(
        "mixture.D6",
        "sampled_variance",
        "asymptotic",
        r"E\,g(\hat\Sigma)_{jj} = g - \frac{g's_j}{n} + \frac{g''s_j^2}{n} + \sum_{i \ne j}"
        r" \frac{s_is_j}{n}\,\frac{g(s_i) - g(s_j) - g'(s_j)(s_i - s_j)}{(s_i - s_j)^2} + O(n^{-2})",
        OWN + "; the expansion: Daleckii and Krein, 1965",
        "one generation of a full-covariance fit with the affine score, fixed axes",
        "limit",
        (
            _case(
                "full covariance", schedule="linear", steps=20, sampler="ddim",
                variances=(4.0, 1.0, 0.2, 0.02), n=100, draws=64,
            ),
        ),
        expected.leaking,
        exact=expected.leaked,
        order=2,
        grown=more("n"),
    ),
)  # fmt: skip


def _mistaken(constant: float, relative: float, span: float = 10.0) -> Case:
    return _case("score error", constant=constant, relative=relative, span=span, steps=100, draws=64)


_REVERSE = "reverse SDE of N(0, 1) data from N(0, 1) over B = int beta dt; "

_ERRORS = (
    Claim(
        "mixture.D10",
        "sampled_variance",
        "exact",
        r"-x + e\colon\ N\bigl(2e(1 - e^{-B/2}), 1\bigr);\quad"
        r" -(1+d)x\colon\ N\Bigl(0, \frac{1 + 2d\,e^{-(1+2d)B}}{1 + 2d}\Bigr)",
        OWN,
        _REVERSE + "a constant or a relative error of the score",
        "moments",
        (_mistaken(0.1, 0.0), _mistaken(0.0, 0.05)),
        expected.score_errors,
    ),
    Claim(
        "mixture.D10",
        "divergence",
        "bound",
        r"\mathrm{KL} = 2e^2(1 - e^{-B/2})^2 \le \tfrac12 \int \beta\,E\,e^2\,dt = \tfrac12 B e^2",
        "Girsanov's theorem; Chen et al., 2023, arXiv:2209.11215",
        _REVERSE + "any error of the score; confronted with a constant one, which comes nearest at B = 2.51",
        "bound",
        (_mistaken(0.1, 0.0), replace(_mistaken(0.5, 0.0, 2.5), nearest=0.81)),
        expected.girsanov,
        exact=expected.diverged,
        side="below",
    ),
    Claim(
        "mixture.D11",
        "hermite_modes",
        "exact",
        r"E\,\mathrm{He}_k = c_k\Bigl[q^{g-1} + m\,\frac{1 - q^{g-1}}{1 - q}\Bigr],\quad q = (1-m)\,a^k",
        OWN + "; Khelifa, Turner and Venkataramanan, 2026, arXiv:2602.16601",
        "memorisers that stop at x -> a x + sqrt(1 - a^2) z, a share m of fresh real data, any n",
        "moments",
        (
            _case("early stop", n=100, keep=0.95, real=0.25, mean=-0.45, variance=0.3, generations=(1, 2, 5)),
        ),
        expected.early_stops,
    ),
)  # fmt: skip


_ONE_GENERATION = {"schedule": "cosine", "sampler": "ddim", "variance": 0.3, "generated": 100}

_BRIDGE = (
    Claim(
        "mixture.B1",
        "sampling_bias",
        "recursion",
        r"E\,\frac{b}{a} = E\,\lambda(S),\ \mathrm{se}\,\ln\hat\lambda = \sqrt{\tfrac{\kappa-1}{n_g}};\quad"
        r" E\,Q = \frac1n + \frac{E g(S)}{v\,n_g} + \frac1{n_{\mathrm{ref}}}",
        OWN,
        _SCORE + "one generation, seen by who knows the training set",
        "moments",
        (_case("bridge", steps=10, n=50, directions=16, reference=100, **_ONE_GENERATION),),
        expected.bridged,
    ),
    Claim(
        "mixture.B1",
        "trained_sampling_bias",
        "asymptotic",
        r"E\,\frac{b}{a} = E\,\lambda(S) + O\Bigl(\frac{T}{n\,m}\Bigr)",
        OWN,
        "an affine score trained by least squares on m noised copies of every training point, m -> inf",
        "limit",
        (_case("trained bias", steps=4, n=40, noises=2, **_ONE_GENERATION),),
        expected.trained,
        exact=expected.trained_on_copies,
        order=1,
        grown=more("noises"),
    ),
    Claim(
        "mixture.B2",
        "log_variance",
        "asymptotic",
        r"x' = \ln(c\,g) + \tfrac12(\ln g)''v + E\ln\tfrac{\chi^2}{n},\quad"
        r" v' = b^2 v + \mathrm{Var}\ln\chi^2,\quad b = \frac{d\ln g}{d\ln s}",
        OWN,
        "the forecast of ln S from a known first generation and a known sampler, error of order n^-2 from"
        " generation 3 on and none before",
        "limit",
        (_loop(0.3, 100, (3, 4, 5), copies=1, fitted=True),),
        expected.forecasted,
        exact=expected.from_known_model,
        order=2,
        grown=more("n"),
    ),
)

DIFFUSION_CLAIMS = _SAMPLERS + _LOOPS + GUIDANCE_CLAIMS + _ERRORS + _BRIDGE
