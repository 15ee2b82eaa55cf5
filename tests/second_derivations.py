"""Second derivations for the Gaussian loop under replacement, sharing no code with the first.

Generation t draws n_t samples from N(mu_{t-1}, lambda_t v_{t-1}) and fits mu_t and v_t (divisor c_t):

    v_t = g_t v_{t-1},    mu_t = mu_{t-1} + sqrt(a_t v_{t-1}) Z_t,
    g_t = lambda_t chi2_{n_t - 1} / c_t,    a_t = lambda_t / n_t,

all g and Z independent. Given the variances, m_t = mu_t - mu_0 is N(0, Q_t), and read from the last
generation back Q_t is a perpetuity: Q_t = v_0 R_1, R_s = a_s + g_s R_{s+1}, R_{t+1} = 0.

Conventions: `sizes` lists n_1, ..., n_t; `bias` is lambda, which the first draw has only if `first_biased`;
`start` and `reference` are (mean, variance). A moment that does not exist is `inf`, a variance whose mean
does not exist `nan`. No gamma or polygamma function enters the moments in one dimension: those of the
chi-square are integrated on a log scale, in 40 digits.
"""

import itertools
from collections import Counter, defaultdict
from functools import cache
from math import comb, inf, log, nan, pi, prod, sqrt

import mpmath
import numpy as np
from scipy.linalg import solve_banded
from scipy.optimize import brentq
from scipy.signal import fftconvolve
from scipy.special import digamma, gammaln, loggamma, polygamma

mp = mpmath.mp.clone()
mp.dps = 40
ORDERS = 5  # jets hold E[X log^l Y], l = 0, ..., 4


def divisor(n, estimator):
    """What the scatter of n samples is divided by."""
    return {"maximum-likelihood": n, "unbiased": n - 1}[estimator]


def steps(sizes, *, estimator, bias, first_biased):
    """List (n, c, lambda) of every generation."""
    if any(n < 2 for n in sizes):
        raise ValueError(f"sizes are {list(sizes)}: a variance needs at least two samples")
    biases = [bias if first_biased or s > 0 else 1 for s in range(len(sizes))]
    return [(n, divisor(n, estimator), lam) for n, lam in zip(sizes, biases, strict=True)]


# One dimension: moments


@cache
def chi_square_jet(nu, power):
    """E[X^b log^l X] for X chi-square with nu degrees of freedom, l = 0, ..., 4.

    With X = e^y the density is exp(nu y / 2 - e^y / 2) up to a constant: analytic in |Im y| < pi / 2 and
    decaying both ways, so the trapezoidal rule converges exponentially; the rule also normalises.
    """
    if nu + 2 * power <= 0:
        return (mp.inf,) * ORDERS
    totals = []
    for beta in (mp.mpf(nu) / 2, mp.mpf(nu) / 2 + power):
        h = min(mp.mpf("0.1"), mp.mpf("0.4") / mp.sqrt(beta))
        peak = mp.log(2 * beta)
        sums = [mp.mpf(0)] * ORDERS
        for points in (itertools.count(0), itertools.count(-1, -1)):
            for j in points:
                # exp(beta y - e^y / 2) relative to its peak at e^y = 2 beta
                exponent = beta * (j * h - mp.expm1(j * h))
                if exponent < -105:
                    break
                weight, y = mp.exp(exponent), peak + j * h
                for order in range(ORDERS):
                    sums[order] += weight * y**order
        scale = h * mp.exp(beta * peak - beta)
        totals.append([scale * s for s in sums])
    (norm, *_), jet = totals
    return tuple(j / norm for j in jet)


def times(f, g):
    """Derivatives of a product."""
    return [sum(comb(k, i) * f[i] * g[k - i] for i in range(k + 1)) for k in range(ORDERS)]


def power_jet(base, power):
    """b^x log^l b."""
    value, slope = mp.power(base, power), mp.log(base)
    return [value * slope**order for order in range(ORDERS)]


def joint_moments(loop, k, power, v0):
    """E[m_t^(2k) v_t^b log^l v_t] for l = 0, ..., 4; loop is what `steps` returns.

    Backwards over generations, R_s^k V_s^b = sum_j C(k, j) a_s^(k-j) g_s^(j+b) R_{s+1}^j V_{s+1}^b with g_s
    independent of what follows; log^l is the l-th derivative in b; then E[m^(2k) | Q] = (2k-1)!! Q^k.
    """
    power = mp.mpf(power)
    tail = [[mp.mpf(j == 0)] + [mp.mpf(0)] * (ORDERS - 1) for j in range(k + 1)]
    if any(n - 1 + 2 * power <= 0 for n, _, _ in loop):
        return [mp.inf] * ORDERS
    tail[0][0] = mp.mpf(1)
    for n, c, lam in reversed(loop):
        a, scale = mp.mpf(lam) / n, mp.mpf(lam) / c
        grown = [
            times(times(chi_square_jet(n - 1, power + j), power_jet(scale, power + j)), tail[j])
            for j in range(k + 1)
        ]
        tail = [
            [
                sum(comb(i, j) * a ** (i - j) * grown[j][order] for j in range(i + 1))
                for order in range(ORDERS)
            ]
            for i in range(k + 1)
        ]
    jet = times(tail[k], power_jet(mp.mpf(v0), power))
    v0k = mp.mpf(v0) ** k * prod(range(1, 2 * k, 2))
    return [v0k * x for x in jet]


def expect(polynomial, loop, v0):
    """Mean of sum c m^i v^b log^l v, given as {(i, b, l): c}; odd powers of m vanish."""
    total = mp.mpf(0)
    for (i, power, order), coefficient in polynomial.items():
        if i % 2 == 0 and coefficient != 0:
            total += coefficient * joint_moments(loop, i // 2, power, v0)[order]
    return total


def multiply(p, q):
    """Product of two polynomials."""
    out = defaultdict(lambda: mp.mpf(0))
    for (x, c), (y, e) in itertools.product(p.items(), q.items()):
        out[tuple(a + b for a, b in zip(x, y, strict=True))] += c * e
    return dict(out)


def mean_and_variance(polynomial, loop, v0):
    """Mean and variance; the lowest power of v decides which exist."""
    lowest = min(power for _, power, _ in polynomial)
    smallest = min((n - 1 for n, _, _ in loop), default=inf)
    if smallest + 2 * lowest <= 0:
        return inf, nan
    mean = expect(polynomial, loop, v0)
    if smallest + 4 * lowest <= 0:
        return float(mean), inf
    return float(mean), float(expect(multiply(polynomial, polynomial), loop, v0) - mean**2)


def variance_moments(sizes, *, estimator, bias, first_biased, variance):
    """Mean and variance of functions of v_t = sigma_t^2, and central moments of v_t and log v_t.

    Powers of v_t are products of independent chi-square powers; the moment of order b exists when every
    n_s - 1 > -2 b.
    """
    loop = steps(sizes, estimator=estimator, bias=bias, first_biased=first_biased)
    half = mp.mpf(1) / 2
    quantities = {
        "variance": {(0, 1, 0): 1},
        "deviation": {(0, half, 0): 1},
        "log_variance": {(0, 0, 1): 1},
        "variance_squared": {(0, 2, 0): 1},
        "precision": {(0, -1, 0): 1},
    }
    out = {name: mean_and_variance(p, loop, variance) for name, p in quantities.items()}
    raw_v = [joint_moments(loop, 0, j, variance)[0] for j in range(5)]
    raw_log = joint_moments(loop, 0, 0, variance)
    out["variance_central"] = tuple(float(central(raw_v, k)) for k in (3, 4))
    out["log_variance_central"] = tuple(float(central(raw_log, k)) for k in (3, 4))
    return out


def central(raw, k):
    """Central moment k from raw moments 0, 1, ..."""
    return sum(comb(k, j) * raw[j] * (-raw[1]) ** (k - j) for j in range(k + 1))


def location_moments(sizes, *, estimator, bias, first_biased, variance):
    """E m^2, E m^4, E m^6, E m^2 v and Var m^2, m measured from model 0; all exist for n >= 2."""
    loop = steps(sizes, estimator=estimator, bias=bias, first_biased=first_biased)
    second, fourth, sixth = (joint_moments(loop, k, 0, variance)[0] for k in (1, 2, 3))
    cross = joint_moments(loop, 1, 1, variance)[0]
    return {
        "second": float(second),
        "fourth": float(fourth),
        "sixth": float(sixth),
        "cross": float(cross),
        "variance_of_square": float(fourth - second**2),
    }


def offset_square(start, reference):
    """(m + d)^2 as a polynomial, d the distance from the reference mean to the start."""
    d = mp.mpf(start[0]) - mp.mpf(reference[0])
    return {(2, 0, 0): mp.mpf(1), (1, 0, 0): 2 * d, (0, 0, 0): d**2}


def wasserstein(sizes, *, estimator, bias, first_biased, start, reference):
    """Mean and variance of W2^2 = (mu_t - mu_ref)^2 + (sigma_t - sigma_ref)^2, polynomial in m and sigma."""
    loop = steps(sizes, estimator=estimator, bias=bias, first_biased=first_biased)
    s = mp.mpf(reference[1])
    p = Counter(offset_square(start, reference))
    p.update({(0, 1, 0): 1, (0, mp.mpf(1) / 2, 0): -2 * mp.sqrt(s)})
    p[0, 0, 0] += s
    return mean_and_variance(dict(p), loop, start[1])


def kl_from_loop(sizes, *, estimator, bias, first_biased, start, reference):
    """Mean and variance of KL(N_t || reference) = (v/s + (m+d)^2/s - 1 - log(v/s)) / 2, for every n >= 2."""
    loop = steps(sizes, estimator=estimator, bias=bias, first_biased=first_biased)
    s = mp.mpf(reference[1])
    p = Counter({key: value / (2 * s) for key, value in offset_square(start, reference).items()})
    p.update({(0, 1, 0): 1 / (2 * s), (0, 0, 1): -mp.mpf(1) / 2})
    p[0, 0, 0] += (mp.log(s) - 1) / 2
    return mean_and_variance(dict(p), loop, start[1])


def kl_to_loop(sizes, *, estimator, bias, first_biased, start, reference):
    """Mean and variance of KL(reference || N_t) = (s/v + (m+d)^2/v - 1 + log(v/s)) / 2.

    The mean exists when every n_s >= 4, the variance when every n_s >= 6 (moments -1 and -2 of v_t).
    """
    loop = steps(sizes, estimator=estimator, bias=bias, first_biased=first_biased)
    s = mp.mpf(reference[1])
    p = Counter({(i, -1, 0): value / 2 for (i, _, _), value in offset_square(start, reference).items()})
    p[0, -1, 0] += s / 2
    p.update({(0, 0, 1): mp.mpf(1) / 2, (0, 0, 0): -(mp.log(s) + 1) / 2})
    return mean_and_variance(dict(p), loop, start[1])


# One dimension: limits


def factor_moment(n, *, estimator, bias, power):
    """E g^b, one generation; exp of it is convex in b, 1 at b = 0."""
    scale = mp.mpf(bias) / divisor(n, estimator)
    return chi_square_jet(n - 1, mp.mpf(power))[0] * scale**power


def thresholds(n, *, estimator):
    """Largest lambda with E v_t bounded, c / (n-1), and lambda below which v_t -> 0 almost surely.

    The second is exp(-E log(chi2/c)): log v_t is a random walk. Between the two the mean explodes while
    almost every path collapses; at the second the walk oscillates (limsup infinite, liminf 0).
    """
    c = divisor(n, estimator)
    return c / (n - 1), float(c * mp.exp(-chi_square_jet(n - 1, mp.mpf(0))[1]))


def drift(n, *, estimator, bias):
    """E log g: the almost sure limit of log(v_t) / t. Of n = 2, 3, ... all collapse at lambda = 1."""
    return float(chi_square_jet(n - 1, mp.mpf(0))[1] + mp.log(mp.mpf(bias) / divisor(n, estimator)))


def tail_index(n, *, estimator, bias):
    """alpha with P(|m_infinity| > x) ~ C x^-alpha: alpha = 2 kappa, E g^kappa = 1 (Kesten, Goldie).

    Q_infinity solves R = a + g R, whose tail index is kappa > 0; a normal of variance Q has twice that.
    It exists when log v_t drifts down; the first generation rescales R and cannot change the index.
    """
    if drift(n, estimator=estimator, bias=bias) >= 0:
        return nan
    c, nu = divisor(n, estimator), n - 1

    def log_moment(k):
        k = mp.mpf(k)
        return float(
            k * mp.log(2 * mp.mpf(bias) / c) + mp.loggamma(mp.mpf(nu) / 2 + k) - mp.loggamma(mp.mpf(nu) / 2)
        )

    high = 1.0
    while log_moment(high) <= 0:
        high *= 2
    low = high
    while log_moment(low) >= 0:
        low /= 2
    return 2 * brentq(log_moment, low, high, xtol=1e-15, rtol=1e-14)


def limits(n, *, estimator, bias, first_biased, variance):
    """Limits as t -> infinity, constant n: E v, E v^2, E 1/v, E log v, E m^2, E m^4, E m^6 and v itself.

    E v_t^b is geometric. E m^(2k) converges when E g^k < 1, to (2k-1)!! E R^k with
    E R^k (1 - E g^k) = sum over j < k of C(k, j) a^(k-j) E g^j E R^j; generation 1 is prepended.
    """

    def geometric(power):
        ratio = factor_moment(n, estimator=estimator, bias=bias, power=power)
        first = factor_moment(n, estimator=estimator, bias=bias if first_biased else 1, power=power)
        if first == mp.inf or ratio > 1 + mp.mpf(10) ** -30:
            return inf
        if ratio < 1 - mp.mpf(10) ** -30:
            return 0.0
        return float(mp.mpf(variance) ** power * first)

    a, a1 = mp.mpf(bias) / n, mp.mpf(bias if first_biased else 1) / n
    moments, location = [mp.mpf(1)], {}
    for k in (1, 2, 3):
        rate = factor_moment(n, estimator=estimator, bias=bias, power=k)
        if rate >= 1 - mp.mpf(10) ** -30:
            location |= {f"location_{2 * j}": inf for j in range(k, 4)}
            break
        inner = [
            comb(k, j) * a ** (k - j) * factor_moment(n, estimator=estimator, bias=bias, power=j) * moments[j]
            for j in range(k)
        ]
        moments.append(sum(inner) / (1 - rate))
        outer = [
            comb(k, j)
            * a1 ** (k - j)
            * factor_moment(n, estimator=estimator, bias=bias if first_biased else 1, power=j)
            * moments[j]
            for j in range(k + 1)
        ]
        odd = prod(range(1, 2 * k, 2))
        location[f"location_{2 * k}"] = float(odd * mp.mpf(variance) ** k * sum(outer))
    slope = drift(n, estimator=estimator, bias=bias)
    return {
        "variance": geometric(1),
        "variance_squared": geometric(2),
        "precision": geometric(-1),
        "log_variance": -inf if slope < 0 else inf,
        "path": 0.0 if slope < 0 else inf,
        **location,
    }


def wander(growth, scale, ratio, estimator, bias, first_biased):
    """Sum over t of lambda_t E v_{t-1} / (v_0 n_t), by adding its terms."""
    if bias >= (ratio if growth == "geometric" else 1):
        return mp.inf
    n_of = {"square": lambda t: t**2, "linear": lambda t: t, "geometric": lambda t: mp.mpf(ratio) ** (t - 1)}
    total, v = mp.mpf(0), mp.mpf(1)
    for t in itertools.count(1):
        n = mp.mpf(scale) * n_of[growth](t)
        v *= mp.mpf(bias if t > 1 or first_biased else 1)  # the variance the samples have
        total += v / n
        if v / n < total * mp.mpf(10) ** -30:
            return total
        v *= 1 - 1 / n if estimator == "maximum-likelihood" else 1


def wasserstein_limits(n, *, estimator, bias, first_biased, start, reference):
    """Limits of the mean and variance of W2^2 at constant n; both KL means grow without bound for any lambda.

    If E m^2 converges, E v -> 0 and W2^2 -> (m_infinity + d)^2 + s, in mean square if E m^4 converges.
    """
    end = limits(n, estimator=estimator, bias=bias, first_biased=first_biased, variance=start[1])
    d, second, fourth = start[0] - reference[0], end["location_2"], end["location_4"]
    mean = second + d**2 + reference[1]
    return mean, nan if mean == inf else fourth + 4 * d**2 * second - second**2


def growing_limits(growth, *, scale, ratio, estimator, bias, first_biased, variance):
    """Limits of E v, E v^2, E m^2 when the sizes grow.

    "square" is n_t = a t^2, "linear" a t, "geometric" a r^(t-1), a the scale and r the ratio. At lambda = 1
    each limit is a product over t of (1 - 1/n)^p (1 + 1/n)^q, so its logarithm is a series in the power sums
    sum_t n_t^-k, zeta values or geometric sums; one that diverges with a positive (negative) factor makes
    the product infinite (zero). With the divisor n, E v_t + E m_t^2 = v_0 at every t; unbiased,
    E m_t^2 = v_0 sum 1/n. Any other lambda sends E v and E v^2 to zero or infinity, and E m^2 is a series
    whose terms fall like lambda^t, or (lambda / r)^t.
    """
    if scale <= 1:
        raise ValueError(f"scale is {scale}: a variance needs at least two samples")
    if bias != 1:
        end = 0.0 if bias < 1 else inf
        location = wander(growth, scale, ratio, estimator, bias, first_biased)
        return {"variance": end, "variance_squared": end, "location_2": float(variance * location)}
    a = mp.mpf(scale)

    def power_sum(k):  # without the term t = 1, which converges slowest and is taken apart
        if growth == "square":
            return (mp.zeta(2 * k) - 1) / a**k
        if growth == "linear":
            return (mp.zeta(k) - 1) / a**k if k > 1 else mp.inf
        q = mp.mpf(ratio) ** -k
        return q / (1 - q) / a**k

    def product(p, q):
        total = p * mp.log(1 - 1 / a) + q * mp.log(1 + 1 / a)
        for k in itertools.count(1):
            coefficient = mp.mpf(-p - q * (-1) ** k) / k
            term = coefficient * power_sum(k) if coefficient else mp.mpf(0)
            total += term
            if not mp.isfinite(total):
                return mp.exp(total)
            if k > 4 and coefficient and abs(term) < mp.mpf(10) ** -35:
                return mp.exp(total)

    v0 = mp.mpf(variance)
    if estimator == "maximum-likelihood":  # E g = 1 - 1/n, E g^2 = (1 - 1/n)(1 + 1/n)
        first, second = v0 * product(1, 0), v0**2 * product(1, 1)
        location = v0 - first
    else:  # E g = 1, E g^2 = (1 + 1/n) / (1 - 1/n)
        first, second = v0, v0**2 * product(-1, 1)
        location = v0 * (1 / a + power_sum(1))
    return {"variance": float(first), "variance_squared": float(second), "location_2": float(location)}


# One dimension: distribution functions


def variance_cdf(x, sizes, *, estimator, bias, first_biased, variance):
    """P(v_t <= x) by the Mellin-Barnes integral of E v_t^z on a vertical line, trapezoidal rule.

    P(Y > y) = (1 / 2 pi i) int exp(K(z) - z y) / z dz right of the pole at 0, minus P(Y <= y) left of it, for
    Y = log(v_t / v_0). The line passes the saddle point, or one standard deviation right of the pole, so
    either tail keeps its relative precision; the rule converges exponentially.
    """
    loop = steps(sizes, estimator=estimator, bias=bias, first_biased=first_biased)
    if x <= 0:
        return 0.0
    y = log(x / variance)
    nu = np.array([n - 1 for n, _, _ in loop], float)
    shift = sum(log(2 * lam / c) for _, c, lam in loop)

    def slope(z):
        return np.sum(digamma(nu / 2 + z)) + shift - y

    edge = -min(nu) / 2
    low, high = edge / 2, 1.0
    while slope(low) > 0:
        low = (low + edge) / 2
    while slope(high) < 0:
        high *= 2
    saddle = brentq(slope, low, high)
    width = 1 / sqrt(np.sum(polygamma(1, nu / 2)))
    line = saddle if abs(saddle) >= width else width

    def exponent(z):
        return np.sum(loggamma(nu / 2 + z[:, None]) - gammaln(nu / 2), axis=1) + z * (shift - y)

    room = min(abs(line), line - edge)
    h = min(2 * pi * room / 40, 0.7 / sqrt(np.sum(polygamma(1, nu / 2 + line))), 0.1 * max(1, line))
    top = exponent(np.array([line + 0j]))[0].real
    reach = h
    while exponent(np.array([line + 1j * reach]))[0].real > top - 42:
        reach *= 1.5
    z = line + 1j * h * np.arange(int(reach / h) + 1)
    values = (np.exp(exponent(z)) / z).real
    integral = h / pi * (np.sum(values) - values[0] / 2)
    return float(1 - integral if line > 0 else -integral)


def log_chi_density(y, nu, scale):
    """Density of log(scale * chi2_nu)."""
    x = y - log(scale)
    return np.exp(nu / 2 * x - np.exp(x) / 2 - nu / 2 * log(2) - gammaln(nu / 2))


def log_chi_support(nu, scale):
    """Where that density exceeds about 1e-19 of its peak."""
    grid = (
        np.linspace(-90 / min(nu, 90) * 1.2 - 3, 6, 4000)
        if nu < 90
        else np.linspace(-1, 1, 4000) * 14 / sqrt(nu)
    )
    inside = grid[nu / 2 * (grid - np.expm1(grid)) > -44]
    centre = log(nu * scale)
    return centre + inside[0], centre + inside[-1]


def mean_cdf(x, sizes, *, estimator, bias, first_biased, variance):
    """P(m_t <= x), inverting the characteristic function phi of m_t.

    Backwards, phi_s(u) = exp(-a_s u^2 / 2) E phi_{s+1}(u sqrt(g_s)): in w = log u a convolution, done by the
    trapezoidal rule on one uniform grid, so nothing is interpolated. Then
    P = 1/2 + (1/pi) int sin(x e^w) phi(e^w) dw.
    """
    loop = steps(sizes, estimator=estimator, bias=bias, first_biased=first_biased)
    x = x / sqrt(variance)
    if x == 0:
        return 0.5
    location = float(joint_moments(loop, 1, 0, 1)[0])
    smallest = min(lam / n for n, _, lam in loop)
    high = 0.5 * log(2 * 45 / smallest)
    low = min(log(1e-9 / sqrt(location)), log(1e-18 / abs(x)))
    spread = min(0.5 * sqrt(polygamma(1, (n - 1) / 2)) for n, _, _ in loop)
    reach = sqrt(2 * 45 * loop[0][0] / loop[0][2])  # phi is below 1e-19 beyond, by generation 1
    delta = min(0.04, spread / 1.7, 1.5 / (abs(x) * reach))
    w = low + delta * np.arange(int((high - low) / delta) + 2)
    square = np.exp(2 * w)
    phi = np.ones_like(w)
    for s in range(len(loop) - 1, -1, -1):
        n, c, lam = loop[s]
        if s < len(loop) - 1:
            left, right = (0.5 * edge for edge in log_chi_support(n - 1, lam / c))
            first, last = int(left / delta) - 1, int(right / delta) + 1
            j = np.arange(min(first, 0), max(last, 0) + 1)
            weights = 2 * delta * log_chi_density(2 * delta * j, n - 1, lam / c)
            # result_i = sum_j weights_j phi_{i+j}; phi is 1 left of the grid and 0 right of it
            padded = np.concatenate([np.ones(-j[0]), phi, np.zeros(j[-1])])
            phi = fftconvolve(padded, weights[::-1], mode="valid")
        phi = phi * np.exp(-lam / n * square / 2)
    return float(0.5 + delta / pi * np.sum(np.sin(x * np.exp(w)) * phi))


# One dimension: first passage


def halving_time(n, *, estimator, bias, first_biased, fraction, refinement=1):
    """Mean and variance of the first T with v_T <= fraction * v_0; both infinite unless log v_t drifts down.

    Let y be the height of log v above the barrier, u(y) the expected time to go below it, w(y) its second
    moment. The renewal equations u = 1 + K u, w = 1 + 2 K u + K w live on y > 0 with K the density of log g;
    Nystrom on Gauss-Legendre panels. A path reaches height L with probability below e^(-kappa (L - y)),
    E g^kappa = 1, so cutting there costs less than 1e-14. The first step has its own density.
    """
    if drift(n, estimator=estimator, bias=bias) >= 0:
        return inf, inf
    nu, c = n - 1, divisor(n, estimator)
    barrier = -log(fraction)
    kappa = tail_index(n, estimator=estimator, bias=bias) / 2
    slow = abs(drift(n, estimator=estimator, bias=bias))
    top = barrier
    for _ in range(20):
        top = barrier + (34 + 2 * log(1 + top / slow)) / kappa
    width = 1.2 * sqrt(polygamma(1, nu / 2)) / refinement
    panels = int(top / width) + 1
    nodes, weights = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(0, top, panels + 1)
    half = edges[1] / 2
    z = (edges[:-1, None] + half * (1 + nodes)).ravel()
    weight = np.tile(half * weights, panels)

    left, right = log_chi_support(nu, bias / c)
    size = len(z)
    # row i, column j holds the density at z_j - z_i
    upper = min(size - 1, int(np.max(np.searchsorted(z, z + right) - np.arange(size))))
    lower = min(size - 1, int(np.max(np.arange(size) - np.searchsorted(z, z + left))))
    band = np.zeros((upper + lower + 1, size))
    kernel = np.zeros_like(band)
    for offset in range(-lower, upper + 1):
        rows = np.arange(max(0, -offset), min(size, size - offset))
        columns = rows + offset
        kernel[upper - offset, columns] = weight[columns] * log_chi_density(
            z[columns] - z[rows], nu, bias / c
        )
    band[:] = -kernel
    band[upper] += 1
    ones = np.ones(size)
    first = solve_banded((lower, upper), band, ones)
    # K u = u - 1
    second = solve_banded((lower, upper), band, ones + 2 * (first - 1))
    start = weight * log_chi_density(z - barrier, nu, (bias if first_biased else 1) / c)
    mean = 1 + start @ first
    return float(mean), float(1 + 2 * start @ first + start @ second - mean**2)


# One dimension: truncated draws


def truncated_raw_moments(cutoff, count):
    """E z^k, k = 0, ..., count - 1, for a standard normal restricted to |z| < cutoff; Gauss-Legendre."""
    if cutoff == inf:
        return [mp.mpf(0 if k % 2 else prod(range(1, k, 2))) for k in range(count)]
    nodes, weights = np.polynomial.legendre.leggauss(120)
    z = min(cutoff, 12.0) * nodes
    density = weights * np.exp(-(z**2) / 2)
    density /= density.sum()
    return [mp.mpf(0 if k % 2 else float(density @ z**k)) for k in range(count)]


def sample_moments(n, c, raw, highest):
    """E[zbar^a (S/c)^b] of n iid draws, 2 max(b) + a <= highest, adding one sample at a time.

    With P1 = sum z and P2 = sum z^2, a new sample gives
    E[P1^a P2^b] -> sum C(a,i) C(b,j) raw[i+2j] E[P1^(a-i) P2^(b-j)]; then S = P2 - P1^2 / n.
    """
    orders = [(a, b) for a in range(highest + 1) for b in range(highest // 2 + 1) if a + 2 * b <= highest]
    power = {key: mp.mpf(key == (0, 0)) for key in orders}
    for _ in range(n):
        power = {
            (a, b): sum(
                comb(a, i) * comb(b, j) * raw[i + 2 * j] * power[a - i, b - j]
                for i in range(a + 1)
                for j in range(b + 1)
                if raw[i + 2 * j] != 0
            )
            for a, b in orders
        }
    return {
        (a, b): sum(
            comb(b, j) * (-mp.mpf(1) / n) ** j * power[a + 2 * j, b - j] for j in range(b + 1)
        ) / (mp.mpf(n) ** a * mp.mpf(c) ** b)
        for a, b in orders
    }  # fmt: skip


def truncated_loop(sizes, *, estimator, bias, first_biased, variance, cutoff):
    """E v, E v^2, E m^2, E m^4, E m^2 v; from generation 2 on x = mu + sqrt(lambda v) z keeps |z| < cutoff.

    Mean and scatter of a truncated sample depend on each other, so the step moments E[zbar^a S^b] are found
    by adding samples one at a time; the joint moments of (m, v) of weight 4 then close.
    """
    m2 = m4 = cross = mp.mpf(0)
    v, v2 = mp.mpf(variance), mp.mpf(variance) ** 2
    for s, (n, c, lam) in enumerate(steps(sizes, estimator=estimator, bias=bias, first_biased=first_biased)):
        e = _cached_sample_moments(n, c, inf if s == 0 else float(cutoff))
        lam = mp.mpf(lam)
        m4 += 6 * lam * e[2, 0] * cross + lam**2 * e[4, 0] * v2
        cross = lam * e[0, 1] * cross + lam**2 * e[2, 1] * v2
        m2 += lam * e[2, 0] * v
        v, v2 = lam * e[0, 1] * v, lam**2 * e[0, 2] * v2
    names = ("variance", "variance_squared", "location_2", "location_4", "cross")
    return dict(zip(names, map(float, (v, v2, m2, m4, cross)), strict=True))


@cache
def _cached_sample_moments(n, c, cutoff):
    return sample_moments(n, c, truncated_raw_moments(cutoff, 5), 4)


# Several dimensions


def wishart_step(loop):
    """Ratio E Sigma_s / Sigma_{s-1} of every generation."""
    return [mp.mpf(lam) * (n - 1) / c for n, c, lam in loop]


def covariance_moments(sizes, *, estimator, bias, first_biased, covariance):
    """E Sigma_t and the variance of each entry, for every n >= 2.

    E[S_ij S_kl] maps the three pairings of ijkl into themselves; their symmetric sum has eigenvalue
    nu (nu + 2), the rest nu (nu - 1).
    """
    loop = steps(sizes, estimator=estimator, bias=bias, first_biased=first_biased)
    mean = float(mp.fprod(wishart_step(loop)))
    p = mp.fprod((mp.mpf(lam) / c) ** 2 * (n - 1) * (n + 1) for n, c, lam in loop)
    q = mp.fprod((mp.mpf(lam) / c) ** 2 * (n - 1) * (n - 2) for n, c, lam in loop)
    own, other = (p + 2 * q) / 3, (p - q) / 3
    square = float(own + other - mp.fprod(wishart_step(loop)) ** 2) * covariance**2
    return mean * covariance, square + float(other) * np.outer(np.diag(covariance), np.diag(covariance))


def matchings(points):
    """All perfect matchings of a tuple of points."""
    if not points:
        yield ()
        return
    head, *rest = points
    for i, partner in enumerate(rest):
        for others in matchings(tuple(rest[:i] + rest[i + 1 :])):
            yield ((head, partner), *others)


def loops(first, second):
    """Half-lengths of the loops two matchings form, decreasing."""
    a, b = ({x: y for pair in m for x, y in (pair, pair[::-1])} for m in (first, second))
    seen, lengths = set(), []
    for start in a:
        length, x = 0, start
        while x not in seen:
            seen |= {x, a[x]}
            x = b[a[x]]
            length += 1
        if length:
            lengths.append(length)
    return tuple(sorted(lengths, reverse=True))


def partitions(k, largest=None):
    """Partitions of k, decreasing parts."""
    if k == 0:
        yield ()
    for part in range(min(k, largest or k), 0, -1):
        for rest in partitions(k - part, part):
            yield (part, *rest)


@cache
def wishart_invariants(degree):
    """{(mu, rho): Counter of powers of nu} with E p_mu(S) = sum nu^l p_rho(A), S Wishart(A, nu).

    Wick: sum over all matchings of the 2k indices of S_{i1 i2} S_{i3 i4} ...; a loop with the sample labels
    is a factor nu, a loop of length l with the trace contraction a factor tr A^l.
    """
    points = tuple(range(2 * degree))
    labels = tuple(zip(points[::2], points[1::2], strict=True))
    table = defaultdict(Counter)
    for mu in partitions(degree):
        contraction, base = [], 0
        for part in mu:
            block = [base + i for i in range(2 * part)]
            contraction += [(block[2 * i + 1], block[(2 * i + 2) % (2 * part)]) for i in range(part)]
            base += 2 * part
        for m in matchings(points):
            table[mu, loops(m, contraction)][len(loops(m, labels))] += 1
    return dict(table)


def invariants(loop, degree, covariance):
    """{mu: E prod tr(Sigma_t^part)} for every partition of the degree."""
    powers = [mp.mpf(float(np.trace(np.linalg.matrix_power(covariance, k)))) for k in range(degree + 1)]
    values = {mu: mp.fprod(powers[part] for part in mu) for mu in partitions(degree)}
    table = wishart_invariants(degree)
    for n, c, lam in loop:
        out = dict.fromkeys(values, mp.mpf(0))
        for (mu, rho), counts in table.items():
            out[mu] += values[rho] * sum(count * (n - 1) ** power for power, count in counts.items())
        values = {mu: value * (mp.mpf(lam) / c) ** degree for mu, value in out.items()}
    return values


def trace_moments(sizes, *, estimator, bias, first_biased, covariance):
    """Mean and variance of tr Sigma_t, tr(Sigma_t^2) and (tr Sigma_t)^2, for every n >= 2 and any rank."""
    loop = steps(sizes, estimator=estimator, bias=bias, first_biased=first_biased)
    first, second, fourth = (invariants(loop, k, covariance) for k in (1, 2, 4))

    def pair(mean, square):
        return float(mean), float(square - mean**2)

    return {
        "trace": pair(first[1,], second[1, 1]),
        "trace_of_square": pair(second[2,], fourth[2, 2]),
        "square_of_trace": pair(second[1, 1], fourth[1, 1, 1, 1]),
    }


def vector_location_moments(sizes, *, estimator, bias, first_biased, covariance):
    """E m m', E |m|^2 and Var |m|^2, m measured from model 0.

    Given the covariances m is N(0, Q), Q = sum a_s Sigma_{s-1}, so E |m|^4 = E (tr Q)^2 + 2 E tr Q^2: double
    sums over generations, where of two the later follows from the earlier by E Sigma_u | Sigma_s.
    """
    loop = steps(sizes, estimator=estimator, bias=bias, first_biased=first_biased)
    a = [mp.mpf(lam) / n for n, _, lam in loop]
    ratio = wishart_step(loop)
    total, fourth = mp.mpf(0), mp.mpf(0)
    for s in range(len(loop)):
        total += a[s] * mp.fprod(ratio[:s])
        values = invariants(loop[:s], 2, covariance)
        square = values[1, 1] + 2 * values[2,]
        later = sum(a[u] * mp.fprod(ratio[s:u]) for u in range(s + 1, len(loop)))
        fourth += square * a[s] * (a[s] + 2 * later)
    mean = total * mp.mpf(float(np.trace(covariance)))
    return float(total) * covariance, float(mean), float(fourth - mean**2)


def log_chi_square(nu):
    """Mean and variance of log chi2_nu."""
    jet = chi_square_jet(nu, mp.mpf(0))
    return jet[1], jet[2] - jet[1] ** 2


def log_determinant(sizes, *, estimator, bias, first_biased, covariance):
    """Mean and variance of log det Sigma_t, a sum of independent log chi2_{nu - i}; -inf if some n <= d."""
    d = len(covariance)
    if any(n <= d for n in sizes):
        return -inf, nan
    rows = [principal_ratio_sum(sizes, i, estimator, bias, first_biased) for i in range(1, d + 1)]
    logdet = float(np.linalg.slogdet(covariance)[1])
    return logdet + float(sum(m for m, _ in rows)), float(sum(v for _, v in rows))


def principal_ratio_sum(sizes, index, estimator, bias, first_biased):
    """Mean and variance of log D_i(Sigma_t) - log D_i(Sigma_0), in mpmath.

    Bartlett: a Wishart matrix is T T' with T lower triangular, T_ii^2 = chi2_{nu - i + 1}; the factors of
    successive generations multiply to a triangular matrix, so the D_i multiply.
    """
    mean = variance = mp.mpf(0)
    for n, c, lam in steps(sizes, estimator=estimator, bias=bias, first_biased=first_biased):
        if n <= index:
            raise ValueError(f"n is {n}: leading minor {index} is singular")
        m, v = log_chi_square(n - index)
        mean += m + mp.log(mp.mpf(lam) / c)
        variance += v
    return mean, variance


def principal_ratio_rates(sizes, *, estimator, bias, first_biased, dimension):
    """Means and variances of (1/t) log(D_i(Sigma_t) / D_i(Sigma_0)), i = 1, ..., d, which are independent.

    The law does not depend on Sigma_0. The means decrease in i; at constant n they are twice the Lyapunov
    exponents of a product of Bartlett factors.
    """
    rows = [principal_ratio_sum(sizes, i, estimator, bias, first_biased) for i in range(1, dimension + 1)]
    t = len(sizes)
    return np.array([float(m / t) for m, _ in rows]), np.array([float(v / t**2) for _, v in rows])


def log_pseudo_determinant(sizes, *, estimator, bias, first_biased, dimension, variance):
    """Mean and variance of the log of the product of nonzero eigenvalues of Sigma_t, Sigma_0 = variance * I.

    If n_1 <= d, the nonzero eigenvalues of the first scatter X X' are those of X' X, Wishart in n_1 - 1
    dimensions with d degrees of freedom; every later generation is an ordinary loop inside that space. A rank
    that falls again later depends on the eigenvalues and is refused.
    """
    loop = steps(sizes, estimator=estimator, bias=bias, first_biased=first_biased)
    rank, freedoms, mean = dimension, [], mp.mpf(0)
    for s, (n, c, lam) in enumerate(loop):
        nu = n - 1
        if nu >= rank:
            freedoms += [nu - i for i in range(rank)]
        elif s == 0:
            freedoms += [rank - i for i in range(nu)]
            rank = nu
        else:
            raise ValueError(f"n is {n}: the rank falls below {rank} from a model that is not isotropic")
        mean += rank * mp.log(mp.mpf(lam) / c)
    cumulants = [log_chi_square(nu) for nu in freedoms]
    mean += rank * mp.log(mp.mpf(variance)) + sum(m for m, _ in cumulants)
    return float(mean), float(sum(v for _, v in cumulants))


def vector_kl_means(sizes, *, estimator, bias, first_biased, start, reference):
    """E KL(N_t || reference), finite if every n_s >= d + 1, and E KL(reference || N_t), every n_s >= d + 3.

    The second needs E Sigma_t^-1 = prod k_s Sigma_0^-1, k = c / (lambda (nu - d - 1)), and, the step of m at
    s being N(0, a_s Sigma_{s-1}) and independent of Sigma_s, E m' Sigma_t^-1 m = d sum_s a_s k_s ... k_t.
    """
    loop = steps(sizes, estimator=estimator, bias=bias, first_biased=first_biased)
    settings = {"estimator": estimator, "bias": bias, "first_biased": first_biased}
    offset = np.asarray(start[0], float) - np.asarray(reference[0], float)
    covariance, target = np.asarray(start[1], float), np.asarray(reference[1], float)
    d = len(covariance)
    if any(n <= d for n in sizes):
        return inf, inf
    gap = log_determinant(sizes, covariance=covariance, **settings)[0] - np.linalg.slogdet(target)[1]
    total = covariance_moments(sizes, covariance=covariance, **settings)[0]
    total = total + vector_location_moments(sizes, covariance=covariance, **settings)[0]
    forward = (
        np.trace(np.linalg.solve(target, total)) + offset @ np.linalg.solve(target, offset) - d - gap
    ) / 2
    if any(n < d + 3 for n in sizes):
        return float(forward), inf
    k = [c / (lam * (n - d - 2)) for n, c, lam in loop]
    wander = d * sum(lam / n * prod(k[s:]) for s, (n, _, lam) in enumerate(loop))
    inverse = np.trace(np.linalg.solve(covariance, target)) + offset @ np.linalg.solve(covariance, offset)
    return float(forward), float((prod(k) * inverse + wander - d + gap) / 2)


def wasserstein_first_order(sizes, *, estimator, bias, first_biased, start, reference):
    """E W2^2 = zeroth + first + O(1/n^2), returned as a pair; Sigma_0 and the reference positive definite.

    W2^2 = |m + d|^2 + tr Sigma + tr R - 2 tr sqrt(A), A = R^1/2 Sigma R^1/2. Expand about
    Sigma = lambda_1 ... lambda_t Sigma_0, with A_i the eigenvalues of A there and H = sum 1/n_s. The variance
    of A_ij is H A_i A_j (1 + delta_ij), the second derivative of tr sqrt the divided difference of its
    derivative; the divisor n also shifts Sigma by -H Sigma.
    """
    loop = steps(sizes, estimator=estimator, bias=bias, first_biased=first_biased)
    offset = np.asarray(start[0], float) - np.asarray(reference[0], float)
    covariance, target = np.asarray(start[1], float), np.asarray(reference[1], float)
    growth = np.cumprod([1.0, *(lam for _, _, lam in loop)])
    centre = growth[-1] * covariance
    values, vectors = np.linalg.eigh(target)
    root = vectors * np.sqrt(values) @ vectors.T
    q = np.sqrt(np.linalg.eigvalsh(root @ centre @ root))
    zeroth = offset @ offset + np.trace(centre) + np.trace(target) - 2 * q.sum()
    h = sum(1 / n for n, _, _ in loop)
    wander = np.trace(covariance) * sum(lam * growth[s] / n for s, (n, _, lam) in enumerate(loop))
    pairs = np.outer(q, q) * (1 + np.eye(len(q))) / np.add.outer(q, q)
    shift = np.trace(centre) - q.sum() if estimator == "maximum-likelihood" else 0.0
    return float(zeroth), float(wander + h * pairs.sum() / 2 - h * shift)
