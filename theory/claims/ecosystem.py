"""Claims about several models, contaminated webs and healing (E, W, H)."""

from __future__ import annotations

import numpy as np

from theory.claim import Case, Experiment
from theory.claims import policy_loops as loops
from theory.claims.larger_cases import larger
from theory.claims.mixed import CHI_SQUARE, CONSERVED, GAIN, OWN, claim, mean_of

VU = "Vu et al. 2025, arXiv:2505.21677"
KANABAR = "the effective sample size of Kanabar and Gastpar; " + OWN

PEERS = (Case(loops.PEERS, (1, 2, 6), quick=False),)
APART = (Case(loops.PEERS, (1, 2, 4), quick=False, least=2**19),)
PEERS_REAL = (Case(loops.PEERS_REAL, (1, 3, 30), quick=False),)
PEERS_MIXED = (Case(loops.PEERS_MIXED, (1, 2, 6)),)
WEB = (Case(loops.WEB, (1, 2, 12)), Case(loops.WEB_SYNTHETIC, (12,), quick=False))
SAMPLED = (Case(loops.WEB_SAMPLED, (1, 2, 8), quick=False, engine="literal", least=CHI_SQUARE),)
CONTAMINATED = (Case(loops.CONTAMINATED, (1, 4, 8), quick=False),)
HEALED = (Case(loops.HEALED, (4, 5, 8)), Case(loops.HEALED_SLOWLY, (3, 12), quick=False))
ONE_SET = (Case(loops.HEALED_BY_ONE_SET, (4, 6, 12), quick=False),)
AFRESH = (Case(loops.HEALED_AFRESH, (3, 4, 6), quick=False),)

E1 = (
    r"A = (D+(K-1)C)/K,\ D' = A + s/n,\ C' = A,\ s' = \sigma_0^2 - D';\quad"
    r" s_{t+2} = (1-\tfrac1n)s_{t+1} + \tfrac{1-1/K}{n}s_t"
)
E2 = (
    r"\mathbb{E}\mu' = W\mathbb{E}\mu + A\theta,\quad \mathbb{E}[\mu\mu^T]' = WCW^T +"
    r" W\mathbb{E}\mu\,\theta^TA"
    r" + A\theta\,\mathbb{E}\mu^TW^T + A\theta\theta^TA +"
    r" \mathrm{diag}_k\tfrac{1}{N_k^2}\Bigl(\sum_jn_{kj}s_j"
    r" + n_{rk}\sigma_0^2\Bigr)"
)


def _pulled(case: Case) -> np.ndarray:
    """The mean a theta_k + b mean(theta)."""
    data = case.loop.data
    total = data.own_real(0) + data.per_model * data.models
    a = data.own_real(0) / total
    theta = np.array(data.targets)
    rest = a * theta + (1 - a) * theta.mean()
    return np.array([rest for _ in case.generations])


def _spread(case: Case) -> np.ndarray:
    """s_0 + a theta_k^2 + b mean(theta^2) - (a theta_k + b mean(theta))^2."""
    data = case.loop.data
    total = data.own_real(0) + data.per_model * data.models
    a = data.own_real(0) / total
    theta = np.array(data.targets)
    mixed = a * theta**2 + (1 - a) * (theta**2).mean()
    found = case.loop.source.variance + mixed - (a * theta + (1 - a) * theta.mean()) ** 2
    return np.array([found for _ in case.generations])


def _filtered(case: Case) -> np.ndarray:
    """The label of a kept point, wrong with probability p psi / (p psi + (1 - p) phi)."""
    from theory.selected.mixture import error_after

    get = case.loop.get
    after = float(error_after(get("error"), get("keep_correct"), get("keep_wrong")))
    return np.array([after, after * (1 - after), after * (1 - after) * (1 - 2 * after),
                     after * (1 - after) * (1 - 3 * after * (1 - after))])  # fmt: skip


def _debiased(case: Case) -> np.ndarray:
    """The square of a normal of variance v = s_0 / (m rho^2 t): central moments 2 v^2, 8 v^3 and 60 v^4."""
    get = case.loop.get
    v = get("variance") / (get("points") * get("share") ** 2 * get("rounds"))
    return np.array([v, 2 * v**2, 8 * v**3, 60 * v**4])


FILTERED = tuple(
    Case(Experiment("kept_label", (("error", p), ("keep_correct", phi), ("keep_wrong", psi))), ())
    for p, phi, psi in ((0.35, 0.9, 0.25), (0.7, 0.6, 0.3))
)
DEBIASED = tuple(
    Case(
        Experiment("debiased_mean", (("points", m), ("share", rho), ("rounds", t), ("variance", 1.0))), (),
        quick=False,
    )
    for m, rho, t in ((5, 0.2, 3), (2, 0.5, 6))
)  # fmt: skip

ECOSYSTEM = (
    claim(
        "C9", "kept_error", r"p' = \frac{p\psi}{p\psi+(1-p)\phi},\quad p^* = \frac{1}{1+\psi/\phi}", FILTERED,
        "Feng et al. 2024, arXiv:2406.07515, Theorem 4.2",
        "a verifier keeps a correct point with probability phi, a"
        " wrong one with psi; exact for every kept point", expected=_filtered,
    ),
    claim("E1", "mean_error_squared", E1, PEERS, validity="K models, n/K new points of each, no real data"),
    claim(
        "E1", "variance", E1 + r";\quad \text{rate } \tfrac{1}{nK}\ (n\to\infty)", PEERS,
        validity="K models, n/K new points of each, no real data; maximum likelihood: K times slower"
        " collapse",
    ),
    claim(
        "E1", "between_models",
        r"\mathbb{E}\,(\mu_k-\mu_l)^2/2 = D - C = s/n \text{ of the generation before}", APART,
        validity="K models, no real data: they stay apart by sampling noise only",
    ),
    claim(
        "E2", "mean_error", E2 + r";\quad \mathbb{E}\mu \to (I-W)^{-1}A\theta", PEERS_MIXED,
        f"{OWN}; {VU} (vectors)",
        "W_kj = n_kj/N_k, A_k = n_rk/N_k; any divisor and lambda by the recursion", "recursion",
    ),
    claim("E2", "mean_error_squared", E2, PEERS_MIXED, f"{OWN}; {VU} (vectors)", "as E2", "recursion"),
    claim(
        "E2", "variance", r"s'_k = \sum_jW_{kj}(s_j+C_{jj}) + A_k(\sigma_0^2+\theta_k^2) - C'_{kk}",
        PEERS_MIXED, OWN,
        "as E2; maximum likelihood", "recursion",
    ),
    claim(
        "E3", "mean_error_squared",
        GAIN + r",\ g = 1 + \frac{b^2}{K(1-b^2)};\quad \mathbb{E}m_km_l = \mathbb{E}m^2 -"
        r" (\sigma_0^2 - b\,\mathbb{E}m^2)/N", PEERS_REAL,
        validity="K symmetric models with n_r fresh real points each, maximum likelihood, in the"
        " stationary state",
    ),
    claim("E3", "variance", CONSERVED, PEERS_REAL, validity="as E3"),
    claim(
        "E4", "mean_error", r"\mathbb{E}\mu_k \to a\theta_k + b\bar\theta",
        (Case(loops.PEERS_EVEN, (1, 3), quick=False),),
        validity="every model takes as much from each, the share a from its own source: exact after one"
        " fit, since"
        " the mean of all means is kept", expected=mean_of(_pulled, "mean_error"),
    ),
    claim(
        "E4", "variance",
        r"s_k \to \sigma_0^2 + a\theta_k^2 + b\,\overline{\theta^2} - (a\theta_k+b\bar\theta)^2",
        (Case(loops.PEERS_LARGE, (1, 3), quick=False),), OWN,
        "as E4, n -> inf, at every t: raw second moments are kept", "asymptotic", "limit",
        expected=mean_of(_spread, "variance"),
        order=1, grown=larger,
    ),
    claim(
        "W1", "mean_error_squared",
        r"p' = (1-r/N')^2p + [r\sigma_0^2 + g(\sigma_0^2-p)]/N'^2,\ p_1 = \sigma_0^2/N_0;\quad"
        r" p_t \sim t^{-\min(1,2\rho)},\ \rho = \tfrac{r}{r+g}", WEB,
        validity="every model is the fit to the whole web; maximum likelihood, lambda = 1; a logarithm at"
        " rho = 1/2",
    ),
    claim("W1", "variance", CONSERVED, WEB, validity="as W1"),
    claim(
        "W2", "variance", r"V' = (1-\tfrac1N)[(1-b_t^2)\sigma_0^2 + b_t^2V]", CONTAMINATED,
        validity="N fresh points a round, each real with probability a_t; collapse once a_t << 1/(2N)",
    ),
    claim("W2", "mean_error_squared", CONSERVED, CONTAMINATED, validity="as W2"),
    claim(
        "W4", "mean_error_squared", CONSERVED, SAMPLED,
        validity="models fitted to n points drawn from the web; by the recursion with merged pools",
        status="recursion",
    ),
    claim("W4", "variance", CONSERVED, SAMPLED, validity="as W4", status="recursion"),
    claim(
        "W5", "debiased_mean_squared",
        r"u_t = \frac{\bar x_t-(1-\rho)\mu_{t-1}}{\rho},\quad \mu_t = \tfrac1t\sum_{j\le t}u_j\colon\quad"
        r" \mathbb{E}(\mu_t-\mu_0)^2 = \frac{\sigma_0^2}{m\rho^2t}", DEBIASED, KANABAR,
        "batches of m points, the share rho of them known to be real, synthetic points of known variance"
        " sigma_0^2:"
        " 1/t for every rho > 0", expected=_debiased,
    ),
    claim(
        "H0", "mean_error_squared", r"\mathbb{E}(\mu-\mu_0)^2 = \sigma_0^2/n", AFRESH,
        validity="w = 1, after any contamination: no memory of it",
    ),
    claim("H0", "variance", r"\mathbb{E}\,\sigma^2 = \sigma_0^2\,\nu/c", AFRESH, validity="w = 1"),
    claim(
        "H1", "variance",
        r"\mathbb{E}\,\sigma_j^2 + \mathbb{E}(\mu_j-\mu_0)^2 = \sigma_0^2 +"
        r" u^j(v_0+m_0^2-\sigma_0^2),\quad u = 1-w",
        (Case(loops.HEALED_FROM_AFAR, (1, 2, 5), quick=False),),
        validity="from any model of variance v_0 off by m_0: the spread of the mixture overshoots where"
        " m_0 is large",
    ),
    claim(
        "H1", "mean_error_squared",
        r"\mathbb{E}(\mu_j-\mu_0)^2 = u^{2j}\,\mathbb{E}m_0^2 + \frac{w}{2-w}\frac{\sigma_0^2}{n}(1-u^{2j})",
        (Case(loops.HEALED_FROM_AFAR, (1, 2, 5), quick=False), *HEALED),
        validity="fresh real batches of n with weight w; below sigma_0^2/n in the end",
    ),
    claim(
        "H2", "mean_error_squared",
        r"\mathbb{E}(\mu_j-\mu_0)^2 = u^{2j}\,\mathbb{E}m_0^2 + (1-u^j)^2\sigma_0^2/n", ONE_SET,
        validity="one fixed real set of n points, weight w",
    ),
    claim("H2", "variance", CONSERVED, ONE_SET, validity="maximum likelihood, lambda = 1"),
    claim(
        "H3", "mean_error_squared",
        r"\mathbb{E}(\mu-\mu_0)^2 = u^{2j}\sigma_0^2[1-(1-\tfrac1{n_c})^t] +"
        r" \frac{w}{2-w}\frac{\sigma_0^2}{n}"
        r"(1-u^{2j})", HEALED, validity="t generations of replace with n_c points, then j rounds of healing",
    ),
    claim("H3", "variance", CONSERVED, HEALED, validity="maximum likelihood, lambda = 1"),
)  # fmt: skip
"""Every claim about ecosystems, webs and healing, and C9, which is about labels."""
