"""Claims about selection and mitigation. Those at n = inf are asymptotic, with an error of order 1/n."""

from __future__ import annotations

from functools import partial

from theory.claim import Case, Claim, Status
from theory.claims import selection_cases as cases
from theory.claims import selection_limits
from theory.claims.larger_cases import larger

OWN = "own derivation"
FERBACH = OWN + "; the rule is the limit of many candidates in Ferbach et al., 2024, arXiv:2407.09499"

_CONSTANTS = (
    r"\text{best fraction } q\colon \alpha = \Phi^{-1}(1-q),\ h = \varphi(\alpha)/q,\ v = 1 + \alpha h - h^2;"
    r"\quad \text{typicality}\colon h = 0,\ v = P(\chi^2_{d+2} \le x)/q,\ P(\chi^2_d \le x) = q"
)
_FITS = r"\mu' = \mu + \sigma e,\ \sigma'^2 = \sigma^2 f;\quad "
_TRANSFORM = (
    r"E\,e^{-s\,SS} = \sqrt{sn/\pi} \int \bigl(E\,e^{-s(z-y)^2}\bigr)^n dy,\quad"
    r" E\sqrt{SS} = \frac{1}{2\sqrt\pi} \int_0^\infty \bigl(1 - E\,e^{-s\,SS}\bigr) s^{-3/2}\,ds"
)
_REPLACE = (
    "replace, all n >= 2, all t >= 1; points kept independent (threshold population), or the best n of"
    " ceil(n/q): v and h are then averaged over q ~ Beta(n + 1, ceil(n/q) - n). Accumulate: the variance."
    " Typicality is a sampler's bias v to second order, in every policy"
)


def _score(entry: str, observable: str, status: Status, statement: str, listed: tuple[Case, ...]) -> Claim:
    return Claim(f"gaussian.{entry}", observable, status, statement, OWN, _REPLACE, "moments", listed)


_VARIANCE = r"E\sigma_t^2 = \sigma_0^2 (v\,\nu/c)^t;\quad "
_MEAN = r"E\mu_t = \mu_0 + h\sigma_0\,\frac{1 - g^t}{1 - g},\ g = E\sqrt f;\quad " + _TRANSFORM
_ROOT = r"E\sigma_t = \sigma_0\, g^t;\quad " + _TRANSFORM
_LOG = (
    r"E\log\sigma_t^2 = \log\sigma_0^2 + t\,E\log f,\quad"
    r" E\log SS = \int_0^\infty (e^{-s} - E\,e^{-s\,SS})\,ds/s"
)
_SQUARE = (
    _FITS + r"E m'^2 = E m^2 + 2\,E e\,E m\sigma + E e^2\,E\sigma^2,\quad"
    r" E m'\sigma' = g\,E m\sigma + E e\sqrt f\,E\sigma^2"
)
_W2 = r"E W_2^2 = E m^2 + E\sigma^2 - 2\sigma_0\,E\sigma + \sigma_0^2"
_KL = (
    r"E\,KL(N_t\|N_0) = \tfrac12 \bigl[(E m^2 + E\sigma^2)/\sigma_0^2 - 1 - E\log(\sigma^2/\sigma_0^2)\bigr]"
)
_BEST_CONSTANTS = (
    r"w(z) = K\,U(z)^{K-1}\colon\ K = 2\colon h = 1/\sqrt\pi,\ v = 1 - 1/\pi;\quad"
    r" K = 3\colon h = \tfrac{3}{2\sqrt\pi},\ v = 1 + \tfrac{\sqrt3}{2\pi} - \tfrac{9}{4\pi}"
)

_ACCUMULATED = (
    r";\quad \text{accumulate}\colon E\sigma_t^2 = \sigma_0^2 \prod_k E A_k,\ E A_k = \tfrac1{c_k} \bigl["
    r" c_{k-1} + (n_k - 1)\,v + \tfrac{N_{k-1} n_k}{N_k} (h^2 + \tfrac{v}{n_k}) \bigr],"
    r"\ \sim t^{v + h^2 - 1}\ (n \to \infty)"
)
_EVERYWHERE = (*cases.SCORED, *cases.ACCUMULATED, *cases.TYPICAL_BESIDE_REAL)

_C2 = (
    _score("C2", "variance", "exact", _VARIANCE + _CONSTANTS + _ACCUMULATED, _EVERYWHERE),
    _score("C2", "mean_error", "recursion", _MEAN, cases.SCORED),
    _score("C2", "std", "recursion", _ROOT, cases.SCORED),
    _score("C2", "log_variance", "recursion", _LOG, cases.SCORED),
    _score("C2", "mean_error_squared", "recursion", _SQUARE, (*cases.SCORED, *cases.TYPICAL_BESIDE_REAL)),
    _score("C2", "w2_squared", "recursion", _W2, cases.SCORED),
    _score("C2", "kl_to_source", "recursion", _KL, cases.SCORED),
    Claim(
        "gaussian.C2",
        "covariance",
        "exact",
        r"E\Sigma_t = q_t\Sigma_0 + (p_t - q_t)\,\frac{\Sigma_0 u u^T \Sigma_0}{u^T\Sigma_0 u},\quad"
        r" p' = \tfrac{v\nu}{c}\,p,\ q' = \tfrac1c\,(p + (\nu - 1)\,q);\quad"
        r" \text{typicality}\colon E\Sigma_t = (v\nu/c)^t\,\Sigma_0",
        OWN,
        "replace in d dimensions, all n >= 2, all t >= 1",
        "moments",
        cases.SPACE,
    ),
)
_C3 = (
    _score("C3", "variance", "exact", _VARIANCE + _BEST_CONSTANTS, cases.BEST),
    _score("C3", "mean_error", "recursion", _MEAN, cases.BEST),
    _score("C3", "std", "recursion", _ROOT, cases.BEST),
    _score("C3", "mean_error_squared", "recursion", _SQUARE, cases.BEST),
)


def _tilted(observable: str, statement: str) -> Claim:
    return Claim(
        "gaussian.C8",
        observable,
        "exact",
        statement,
        FERBACH,
        "replace, linear reward of slope beta, all n >= 2, all t >= 1; the law of sigma is R3's",
        "moments",
        cases.LINEAR_TILT,
    )


_C8 = (
    _tilted(
        "mean_error",
        r"E\mu_t = \mu_0 + \beta\sigma_0^2\,\frac{1 - \rho^t}{1 - \rho},\ \rho = \nu/c"
        r"\quad (\rho = 1\colon \mu_0 + t\beta\sigma_0^2)",
    ),
    _tilted(
        "mean_error_squared",
        r"E m'^2 = E m^2 + 2\beta\,E m s + \beta^2 E s^2 + E s/n,\quad"
        r" E m's' = \rho\,(E m s + \beta\,E s^2),\quad s = \sigma^2",
    ),
    _tilted("variance", r"E\sigma_t^2 = \sigma_0^2\,\rho^t"),
)


def _mitigated(entry: str, observable: str, statement: str, source: str, listed: tuple[Case, ...]) -> Claim:
    return Claim(
        f"gaussian.{entry}",
        observable,
        "exact",
        statement,
        source,
        "second moments at finite n, all t >= 1: the rule turns a recipe into another",
        "moments",
        listed,
    )


_A_PRIME = r"a' = \frac{a\tau}{a\tau + bf} \text{ in place of } a, \text{ points iid};\quad "
_B_PRIME = (
    r"\text{every synthetic point real with probability } \gamma/(1+\gamma)\colon b' = b/(1+\gamma);\quad "
)
_IID = (
    r"V' = \tfrac{N-1}{c}\,T,\ E m'^2 = b'^2 E m^2 + T/N,\ T = a's_0 + b'V + a'b'\,E m^2;\quad"
    r" E m_\infty^2 = \frac{s_0}{N(1 - b'^2) + b'^2}\ (c = N)"
)
_GILLMAN = "the correction of Gillman et al., 2024, arXiv:2402.07087; " + OWN
_C10 = tuple(
    _mitigated("C10", name, _A_PRIME + _IID, OWN, cases.DETECTED)
    for name in ("variance", "mean_error_squared")
)
_C11 = tuple(
    _mitigated("C11", name, _B_PRIME + _IID, _GILLMAN, cases.CORRECTED)
    for name in ("variance", "mean_error_squared")
)


def _infinite(
    entry: str,
    observable: str,
    statement: str,
    listed: tuple[Case, ...],
    source: str = OWN,
    validity: str = "replace, n -> inf at fixed t",
) -> Claim:
    at_infinity, at_finite_n, error = (
        partial(function, observable=observable)
        for function in (selection_limits.expected, selection_limits.at_finite_n, selection_limits.error)
    )
    return Claim(
        f"gaussian.{entry}",
        observable,
        "asymptotic",
        statement,
        source,
        validity,
        "limit",
        listed,
        expected=at_infinity,
        exact=at_finite_n,
        error=error,
        order=1,
        grown=larger,
    )


_BESIDE = "fresh, N -> inf at fixed shares a, b and fixed t"
_POPULATION = (
    _infinite(
        "C1",
        "mean_error",
        r"\mu_t = \mu_0 + h\sigma_0\,\frac{1 - v^{t/2}}{1 - \sqrt v} \to \mu_0 + h\sigma_0/(1 - \sqrt v)",
        cases.SCORED_AT_INFINITY,
    ),
    _infinite(
        "C1",
        "variance",
        r"\sigma_t^2 = v^t\sigma_0^2",
        cases.SCORED_AT_INFINITY,
    ),
    _infinite(
        "C5",
        "variance",
        r"\sigma_t^2 = \frac{1}{1/\sigma_0^2 + t\beta}",
        cases.QUADRATIC_TILT,
        FERBACH,
    ),
    _infinite(
        "C5",
        "mean_error",
        r"\mu_t - c = \frac{\mu_0 - c}{1 + t\beta\sigma_0^2}",
        cases.QUADRATIC_TILT,
        FERBACH,
    ),
    _infinite(
        "C12",
        "variance",
        r"s' = s - h^2\ (K = 2),\quad s_t \sim \frac{K^2}{(K-1)\,\beta^2\,t}",
        cases.PREFERRED,
        "the model of Bradley and Terry, 1952; " + OWN,
    ),
    _infinite(
        "C12",
        "mean_error",
        r"\mu' = \mu + h,\quad h = E\bigl[\tfrac D2 \tanh \tfrac{\beta D}{2}\bigr],\ D \sim N(0, 2s);\quad"
        r" h = \beta s\,\tfrac{K-1}{K}\,(1 + O(\beta^2 s)) \text{ among } K",
        cases.PREFERRED,
        "the model of Bradley and Terry, 1952; " + OWN,
    ),
    _infinite(
        "V1",
        "mean_error",
        r"\mu' = E[x \mid |x - \theta_c| \le r],\ \sigma'^2 = \mathrm{Var}[x \mid |x - \theta_c| \le r];\quad"
        r" \mu_t \to \theta_c \text{ at rate } v(r/\sigma) \text{ if } \sigma \text{ is known},"
        r" \text{ else it stops short of } \theta_c",
        cases.VERIFIED,
        "the mechanism of Yi et al., 2025, arXiv:2510.16657 (a secondary text); " + OWN,
    ),
    _infinite(
        "V1",
        "variance",
        r"\sigma_t^2 \sim \frac{r^2}{2\log t}\ (\mu_0 = \theta_c,\ t \to \infty)",
        cases.VERIFIED,
    ),
    _infinite(
        "C6",
        "variance",
        r"s^* = \Bigl[1 - \sqrt{1 - 4b\beta^2 s_0/a^2}\Bigr] \frac{a^2}{2b\beta^2},\quad"
        r" \text{iff } \beta\sigma_0 \le \frac{a}{2\sqrt b}",
        cases.TILTED_BESIDE_REAL,
        FERBACH,
        _BESIDE,
    ),
    _infinite(
        "C6",
        "mean_error",
        r"m^* = b\beta s^*/a",
        cases.TILTED_BESIDE_REAL,
        FERBACH,
        _BESIDE,
    ),
    _infinite(
        "C7",
        "variance",
        r"\beta s^2 + s\,(1 - a\beta s_0 - b) - a s_0 = 0",
        cases.CURVED_BESIDE_REAL,
        FERBACH,
        _BESIDE + "; the centre is the source's mean",
    ),
    _infinite(
        "C14",
        "variance",
        r"s^* = \frac{a s_0}{1 - b v - b h^2/a},\quad \text{iff } b\,(v + h^2/a) < 1",
        cases.SCORED_BESIDE_REAL,
        OWN,
        _BESIDE,
    ),
    _infinite(
        "C14",
        "mean_error",
        r"m^* = b h \sqrt{s^*}/a",
        cases.SCORED_BESIDE_REAL,
        OWN,
        _BESIDE,
    ),
)

GAUSSIAN_SELECTION = (*_C2, *_C3, *_C8, *_C10, *_C11, *_POPULATION)
"""What is known of selection and mitigation. C4 is C8 at n = inf; C9 is about labels (`selected_mixture`)."""
