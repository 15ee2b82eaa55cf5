"""Claims about the replace loop on the line: what is stated, where it is from, where it is tested."""

from __future__ import annotations

import sympy as sp

from theory.claim import Case, Claim
from theory.claims import gaussian_cases as cases
from theory.gaussian import ABBREVIATIONS, UNBIASED_SAMPLER

Cases = tuple[Case, ...]

SHUMAILOV = "Shumailov et al. 2024, doi:10.1038/s41586-024-07566-y"
MAD = "Alemohammad et al. 2023, arXiv:2307.01850"
BERTRAND = "Bertrand et al. 2023, arXiv:2310.00429"
OWN = "own derivation"

ANY = "every n >= 2, every t >= 1, both divisors c (n or nu = n - 1)"
GROWING = "n_t may change: powers in t become products or are applied step by step"


def _mean(name: str, value: str) -> str:
    return rf"\mathbb{{E}}\,{name} = {value}"


def _short(observable: str, name: str, *where: str) -> str:
    """The two short forms at lambda = 1, and what their abbreviations mean."""
    likelihood, unbiased = UNBIASED_SAMPLER[observable]
    symbols = likelihood.free_symbols | unbiased.free_symbols
    meanings = [rf"{key} = {sp.latex(value)}" for key, value in ABBREVIATIONS.items() if key in symbols]
    forms = rf"{sp.latex(likelihood)}\ (c=n),\ {sp.latex(unbiased)}\ (c=n-1)"
    return r",\quad ".join([_mean(name, forms), *meanings, *where])


def _claim(entry: str, observable: str, statement: str, source: str, validity: str, tested: Cases) -> Claim:
    return Claim(f"gaussian.{entry}", observable, "exact", statement, source, validity, "moments", tested)


HALF = r"g = \sqrt{2/c}\,\Gamma(n/2)/\Gamma(\nu/2)"
DRIFT = r"L = \psi(\nu/2) + \log(2/c)"
RHO = r"\rho = \lambda\nu/c"
Q = r"q = \lambda^2\nu(\nu+2)/c^2"
M2 = r"(\mu_t-\mu_0)^2"
TO, FROM = r"\mathrm{KL}(N_t\Vert N_0)", r"\mathrm{KL}(N_0\Vert N_t)"

REPLACE = (
    _claim(
        "R1", "variance", _mean(r"\sigma_t^2", r"\sigma_0^2(\nu/c)^t"), OWN, f"{ANY}; {GROWING}",
        cases.LIGHT,
    ),
    _claim(
        "R1", "std", _mean(r"\sigma_t", rf"\sigma_0 g^t,\quad {HALF}"), f"{BERTRAND} (c = n - 1); {OWN}",
        f"{ANY}; {GROWING}", cases.LIGHT,
    ),
    _claim(
        "R2", "log_variance",
        _mean(r"\log\sigma_t^2", rf"\log\sigma_0^2 + tL,\quad {DRIFT};\quad \mathrm{{Var}} = t\psi'(\nu/2)"),
        OWN, f"{ANY}; the r-th cumulant is t psi^(r-1)(nu/2); {GROWING}", cases.LOGARITHM,
    ),
    _claim(
        "R5", "log_variance", rf"\tfrac1t\log\sigma_t^2 \to {DRIFT} < 0 \text{{ almost surely}}",
        f"{SHUMAILOV}, Theorem 3.1 (collapse); {MAD}, section 3; rate: {OWN}",
        "constant n, both divisors; tested as the expectation of log sigma_t^2 at large t", cases.COLLAPSE,
    ),
    _claim(
        "R6", "mean_error", _mean(r"(\mu_t-\mu_0)", "0"), SHUMAILOV,
        f"{ANY}; its variance is the mean squared error; with a start, the first model's error", cases.LIGHT,
    ),
    _claim(
        "R6", "mean_error_squared", _short("mean_error_squared", M2), f"{SHUMAILOV} (c = n - 1); {OWN}",
        f"{ANY}; {GROWING}", cases.LIGHT,
    ),
    _claim(
        "R7", "mean_error_fourth", _short("mean_error_fourth", r"(\mu_t-\mu_0)^4"), OWN, f"{ANY}; {GROWING}",
        cases.FOURTH,
    ),
    _claim(
        "R7", "mean_variance_product", _short("mean_variance_product", rf"{M2}\sigma_t^2"), OWN,
        f"{ANY}; {GROWING}", cases.HEAVY,
    ),
    _claim(
        "R7", "variance_squared", _mean(r"\sigma_t^4", r"\sigma_0^4(\nu(\nu+2)/c^2)^t"), OWN,
        f"{ANY}; {GROWING}", cases.HEAVY,
    ),
    _claim(
        "R9", "w2_squared", _short("w2_squared", "W_2^2(N_t,N_0)", HALF), OWN,
        f"{ANY}; bounded for c = n, growing like t/n for c = n - 1; {GROWING}", cases.LIGHT,
    ),
    _claim(
        "R10", "kl_to_source", _short("kl_to_source", TO, DRIFT), OWN, f"{ANY}; {GROWING}", cases.LIGHT
    ),
    _claim(
        "R10r", "kl_from_source",
        _mean(
            FROM,
            r"\tfrac12\left[r^t + \tfrac rn\tfrac{r^t-1}{r-1} - 1 + tL\right],\quad"
            rf" r = \tfrac{{c}}{{\nu-2}},\quad {DRIFT}",
        ),
        OWN, "n > 3 (infinite otherwise), t >= 1, both divisors; its variance is finite for n > 5",
        cases.REVERSE,
    ),
)  # fmt: skip

LAMBDA = (
    f"{ANY}, every lambda > 0; sigma_0^2 is divided by lambda where the first fit is to real data that lambda"
    " does not act on; coinciding rates as limits"
)
BIASED = {
    "mean_error": _mean(r"(\mu_t-\mu_0)", "0"),
    "mean_error_squared": _mean(
        M2, rf"\tfrac{{\lambda\sigma_0^2}}{{n}}\,\tfrac{{1-\rho^t}}{{1-\rho}},\quad {RHO}"
    ),
    "mean_error_fourth": _mean(
        r"(\mu_t-\mu_0)^4",
        r"\sum_{j<t}\left(\tfrac{6\lambda}{n}\mathbb{E}(\mu_j-\mu_0)^2\sigma_j^2"
        r" + \tfrac{3\lambda^2}{n^2}\mathbb{E}\sigma_j^4\right)",
    ),
    "variance": _mean(r"\sigma_t^2", rf"\sigma_0^2\rho^t,\quad {RHO}"),
    "std": _mean(r"\sigma_t", rf"\sigma_0(g\sqrt\lambda)^t,\quad {HALF}"),
    "log_variance": _mean(r"\log\sigma_t^2", rf"\log\sigma_0^2 + t(L+\log\lambda),\quad {DRIFT}"),
    "variance_squared": _mean(r"\sigma_t^4", rf"\sigma_0^4 q^t,\quad {Q}"),
    "mean_variance_product": _mean(
        rf"{M2}\sigma_t^2",
        r"\tfrac{\lambda\rho\sigma_0^4}{n}\,\tfrac{q^t-\rho^t}{q-\rho},\quad " + rf"{RHO},\ {Q}",
    ),
    "w2_squared": _mean(
        "W_2^2(N_t,N_0)",
        rf"\mathbb{{E}}{M2} + \mathbb{{E}}\sigma_t^2 + \sigma_0^2 - 2\sigma_0\,\mathbb{{E}}\sigma_t",
    ),
    "kl_to_source": _mean(
        TO,
        rf"\tfrac12\left[\mathbb{{E}}(\sigma_t^2+{M2})/\sigma_0^2 - 1"
        r" - \mathbb{E}\log(\sigma_t^2/\sigma_0^2)\right]",
    ),
    "kl_from_source": _mean(
        FROM,
        r"\tfrac12\left[r^t + \tfrac{\lambda r}{n}\tfrac{r^t-1}{r-1} - 1 + t(L+\log\lambda)\right],\quad"
        rf" r = \tfrac{{c}}{{\lambda(\nu-2)}},\quad {DRIFT}",
    ),
}
"""With lambda: observable and statement."""
SQUARES = ("variance_squared", "mean_variance_product")

TEMPERATURE = "textbook: p^(1/T) of a normal has T times its variance"

TRUNCATION = (
    "every n >= 2 and cut c_0, both divisors; v and mu_4 are moments of a standard normal within |z| < c_0,"
    " v = 1 - 2 c_0 phi(c_0)/(2 Phi(c_0) - 1); real data are truncated only if the sampler says so"
)
FACTOR = r"v\nu/c"
TRUNCATED = {
    "mean_error": (_mean(r"(\mu_t-\mu_0)", "0"), cases.TRUNCATED),
    "mean_error_squared": (
        _mean(M2, rf"\tfrac{{v\sigma_0^2}}{{n}}\,\tfrac{{1-\rho^t}}{{1-\rho}},\quad \rho = {FACTOR}"),
        cases.TRUNCATED,
    ),
    "mean_error_fourth": (
        r"\mathbb{E}\,m_t^4 = \mathbb{E}\,m_{t-1}^4 + \tfrac{6v}{n}\mathbb{E}\,m_{t-1}^2\sigma_{t-1}^2"
        r" + \tfrac{\mu_4+3(n-1)v^2}{n^3}\mathbb{E}\,\sigma_{t-1}^4,\quad m_t = \mu_t-\mu_0",
        cases.TRUNCATED_FOURTH,
    ),
    "variance": (_mean(r"\sigma_t^2", rf"\sigma_0^2({FACTOR})^t"), cases.TRUNCATED),
    "variance_squared": (
        _mean(
            r"\sigma_t^4",
            r"\sigma_0^4 w^t,\quad w = [\tfrac1n(\mu_4-\tfrac{n-3}{n-1}v^2) + v^2](\nu/c)^2",
        ),
        cases.TRUNCATED_HEAVY,
    ),
    "mean_variance_product": (
        r"\mathbb{E}\,m_t^2\sigma_t^2 = \tfrac{v\nu}{c}\mathbb{E}\,m_{t-1}^2\sigma_{t-1}^2"
        r" + \tfrac{\nu(\mu_4+(n-3)v^2)}{cn^2}\mathbb{E}\,\sigma_{t-1}^4,\quad m_t = \mu_t-\mu_0",
        cases.TRUNCATED_HEAVY,
    ),
}
"""Under truncation: observable, statement and cases."""


def _biased(
    entry: str, source: str, validity: str, light: Cases, heavy: Cases, fourth: Cases
) -> tuple[Claim, ...]:
    tested = dict.fromkeys(SQUARES, heavy) | {"mean_error_fourth": fourth}
    return tuple(
        _claim(
            entry,
            name,
            statement,
            source,
            f"{validity}; n > 3" if name == "kl_from_source" else validity,
            tested.get(name, light),
        )
        for name, statement in BIASED.items()
    )


GAUSSIAN_LINE = (
    *REPLACE,
    *_biased("S1", f"{MAD} (the loop); {OWN}", LAMBDA, cases.BIASED, cases.BIASED_HEAVY, cases.BIASED_FOURTH),
    *(
        _claim("S2", name, statement, OWN, TRUNCATION, tested)
        for name, (statement, tested) in TRUNCATED.items()
    ),
    *_biased(
        "S3",
        TEMPERATURE,
        f"lambda = T in S1: {LAMBDA}",
        cases.TEMPERED,
        cases.TEMPERED_HEAVY,
        cases.TEMPERED_FOURTH,
    ),
)
"""Every claim about moments on the line, exact for all n and t."""
