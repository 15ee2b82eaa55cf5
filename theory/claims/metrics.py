"""Claims about the metrics that generators are judged by: in a loop, at finite sizes, in the limit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from theory.claim import Case, Claim, Experiment
from theory.claims.larger_cases import more
from theory.metrics import expected

OWN = "own derivation"


def _case(name: str, quick: bool = True, **parameters: Any) -> Case:
    return Case(Experiment(f"metric {name}", tuple(parameters.items())), quick=quick)


_LINE_PAIR = {"dimension": 1, "real_variance": 1.0, "shift": 0.0}

METRIC_CLAIMS = (
    Claim(
        "mixture.M1",
        "frechet",
        "exact",
        r"E\,d_F^2 = 2 \sum_j s_j\,(1 - c_n^g),\quad c_n = \sqrt{2/n}\,\Gamma(n/2)/\Gamma((n-1)/2)",
        OWN,
        "replace, maximum likelihood, diagonal covariances, all n >= 2",
        "moments",
        (_case("frechet loop", variances=(2.0,) * 2 + (1.0,) * 4 + (0.5,) * 2, n=20, generations=(1, 3)),),
        expected.frechet_loops,
    ),
    Claim(
        "mixture.M1",
        "frechet_bias",
        "asymptotic",
        r"E\,d_F^2 = \frac1n \Bigl[\mathrm{tr}\,\Sigma + \sum_{ij}"
        r" \frac{s_is_j(1 + \delta_{ij})}{2(s_i + s_j)}\Bigr] + O(n^{-2});"
        r"\quad \Sigma = I\colon\ \bigl(d + \tfrac14 d(d+1)\bigr)/n",
        OWN,
        "a normal and n of its own samples, full covariance",
        "limit",
        (
            _case("frechet sample", variances=(1.0, 1.0, 1.0, 1.0), n=200),
            _case("frechet sample", variances=(2.0, 2.0, 1.0, 1.0, 0.2, 0.2), n=200),
        ),
        expected.frechet_samples,
        exact=expected.frechet_by_cubature,
        order=2,
        grown=more("n"),
    ),
    Claim(
        "mixture.M1",
        "pooled_moments",
        "exact",
        r"E x^4 = A + 6B + 3C,\ A' = A + \tfrac{6B}{n} + \tfrac{3C}{n^2},"
        r"\ B' = (B + \tfrac Cn)(1 - \tfrac1n),\ C' = C(1 - n^{-2});\quad E x^2 = \sigma_0^2",
        OWN,
        "replace, maximum likelihood; points pooled over runs",
        "moments",
        (_case("pooled loop", variance=1.0, n=50, generation=3, copies=64, draws=8),),
        expected.pooled_loops,
    ),
    Claim(
        "mixture.M2",
        "precision",
        "recursion",
        r"P_\alpha = E\,F\bigl(F^{-1}_{\chi^2_d}(U)\,v_r/v_g\bigr),\quad U \sim \mathrm{Beta}(k, N + 1 - k),"
        r"\ k = \lceil \alpha N \rceil;\quad N \to \infty\colon\ U = \alpha;\quad"
        r" R_\beta \text{ by exchange}",
        OWN + "; definitions: Alaa et al., 2022, arXiv:2102.08921",
        "isotropic normals, any dimension, known centres; F of chi2_d, non-central by shift^2 / v",
        "moments",
        (
            _case(
                "precision recall", dimension=3, real_variance=1.0, fake_variance=0.6, shift=0.0, alpha=0.9,
                real=100, fake=80,
            ),
            _case(
                "precision recall", dimension=3, real_variance=1.0, fake_variance=0.6, shift=0.7, alpha=0.75,
                real=100, fake=80,
            ),
        ),
        expected.precision_recalls,
    ),
    Claim(
        "mixture.M3",
        "coverage_of_equals",
        "exact",
        r"E\,\text{coverage} = 1 - \prod_{i=1}^k \frac{N-i}{N+M-i},\quad E\,\text{density} = 1",
        "Naeem et al., 2020, arXiv:2002.09797; density: " + OWN,
        "equal laws, any N, M, k",
        "moments",
        (
            _case(
                "neighbours", dimension=2, real_variance=1.0, fake_variance=1.0, shift=0.0, real=40, fake=30,
                k=3,
            ),
        ),
        expected.equal_neighbours,
    ),
    Claim(
        "mixture.M3",
        "coverage",
        "recursion",
        r"E\,\text{coverage} = 1 - E(1-G)^M,\quad E\,\text{density} = \tfrac Nk\,E G,\quad"
        r" G = g(B),\ f(B) = U \sim \mathrm{Beta}(k, N-k)",
        OWN,
        "isotropic normals of any dimension, any N, M, k",
        "moments",
        (
            _case("neighbours", fake_variance=0.25, real=40, fake=30, k=3, **_LINE_PAIR),
            _case(
                "neighbours", dimension=3, real_variance=1.0, fake_variance=0.5, shift=0.0, real=40, fake=40,
                k=5,
            ),
        ),
        expected.normal_neighbours,
    ),
    Claim(
        "mixture.M3",
        "coverage_limit",
        "asymptotic",
        r"\text{coverage} = 1 - E_f\Bigl(1 + \frac{M}{N}\frac{g}{f}\Bigr)^{-k} + O(N^{-1}),\quad"
        r" \text{density} \to 1",
        OWN,
        "densities g << f, g the lighter in the tails; confronted with normals. The error of density has no"
        " power: between normals it is N^(-v_r / v_g) but for powers of ln N, and its mean at every N is that"
        " of `coverage`",
        "limit",
        (
            _case("neighbours", fake_variance=0.5, real=60, fake=60, k=1, **_LINE_PAIR),
            _case("neighbours", False, fake_variance=0.7, real=60, fake=60, k=2, **_LINE_PAIR),
        ),
        expected.limiting_neighbours,
        exact=expected.finite_neighbours,
        order=1,
        grown=more("real", "fake"),
    ),
    Claim(
        "mixture.M3",
        "precision_limit",
        "asymptotic",
        r"\text{precision} \to 1 - 4^{-k},\quad \text{recall} \to 1 - 4^{-k}\quad (d = 1)",
        OWN,
        "one density on one support, error of order 1/N; confronted with equal uniform laws, k >= 2 (there is"
        " no error at k = 1). Between normals recall errs by N^(-v_g / v_r) where v_g < v_r",
        "limit",
        (_case("uniform neighbours", real=20, fake=30, k=2),),
        expected.limiting_precision,
        exact=expected.finite_precision,
        order=1,
        grown=more("real", "fake"),
    ),
    Claim(
        "mixture.M3",
        "precision",
        "exact",
        r"E\,\text{precision} = 1 - \frac{2^{1-k} + (N - 2k - 1)\,4^{-k}}{N + 1};\quad"
        r" \text{recall: } M \text{ for } N",
        OWN,
        "equal uniform laws on an interval, N >= 2 k + 1",
        "moments",
        (
            _case("uniform neighbours", False, real=20, fake=30, k=1),
            _case("uniform neighbours", real=20, fake=30, k=2),
        ),
        expected.uniform_neighbours,
    ),
    Claim(
        "mixture.M4",
        "vendi_2",
        "exact",
        r"E\,\frac{1}{\mathrm{VS}_2} = \frac1n + \Bigl(1 - \frac1n\Bigr) \prod_j \Bigl(1 + \frac{4s_j}{l^2}"
        r"\Bigr)^{-1/2}",
        OWN + "; the score: Friedman and Dieng, 2023, arXiv:2210.02410",
        "n normal points, Gaussian kernel of scale l, order 2",
        "moments",
        (_case("gaussian vendi", variances=(2.0, 0.5), scale=1.0, n=30),),
        expected.gaussian_vendis,
    ),
    Claim(
        "mixture.M4",
        "vendi",
        "bound",
        r"E\ln\mathrm{VS}_1 \le \ln\mathrm{VS}_1(n = \infty) = \sum_j \Bigl[-\ln(1 - B_j)"
        r" - \frac{B_j \ln B_j}{1 - B_j}\Bigr],\quad \frac{1 + B_j}{1 - B_j} = \sqrt{1 + 4s_j/l^2}",
        OWN + "; spectrum: Rasmussen and Williams, 2006, section 4.3",
        "normal points, Gaussian kernel: entropy is concave, and the sample's operator has the right mean",
        "bound",
        (
            _case("gaussian vendi", variances=(2.0, 0.5), scale=1.0, n=30),
            replace(_case("gaussian vendi", variances=(0.1,), scale=1.0, n=30), nearest=0.95),
        ),
        expected.vendi_bound,
        side="below",
    ),
    Claim(
        "mixture.M4",
        "vendi_of_classes",
        "exact",
        r"E\,\frac1{\mathrm{VS}_2} = F + \frac{1-F}{n},\quad"
        r" E\ln\mathrm{VS}_1 = -\sum_i E\,\frac{B_i}{n}\ln\frac{B_i}{n},\ B_i \sim \mathrm{Bin}(n, p_i)",
        "Friedman and Dieng, 2023, arXiv:2210.02410, for the population; finite n: " + OWN,
        "n draws of classes, the kernel that tells them apart",
        "moments",
        (_case("categorical vendi", shares=(0.5, 0.3, 0.15, 0.05), n=20),),
        expected.categorical_vendis,
    ),
    Claim(
        "mixture.M5",
        "effective_modes",
        "recursion",
        r"E\sum w^2 = 1 - H_0(1 - \tfrac1n)^g;\quad E S(w),\ E K_g \text{ by binary chains};\quad"
        r" N_{\mathrm{eff}} = 1/\sum w^2,\ e^{S(w)},\ K",
        OWN + "; orders: Hill, 1973, doi:10.2307/1934352",
        "weights of modes that keep apart, replace, any n",
        "moments",
        (_case("modes", shares=(0.4, 0.3, 0.2, 0.07, 0.03), n=40, generations=(1, 3, 8)),),
        expected.modes,
    ),
)  # fmt: skip
