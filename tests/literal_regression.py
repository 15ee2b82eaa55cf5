"""Regression on its own labels, literally: designs and labels are drawn, weights fitted by linear algebra.

Nothing here is shared with the theory; every array has the replicates along its first axis.
"""

import numpy as np


def fit(x, y, penalty):
    """Least squares (of minimum norm if the points are few), or ridge with `penalty` a point."""
    n, d = x.shape[1:]
    turned = x.transpose(0, 2, 1)
    if n < d and not penalty:
        return (turned @ np.linalg.solve(x @ turned, y[:, :, None]))[:, :, 0]
    gram = turned @ x + n * penalty * np.eye(d)
    return np.linalg.solve(gram, turned @ y[:, :, None])[:, :, 0]


class Labels:
    """Covariates and labels of one world: fresh covariates a batch, or the same ones."""

    def __init__(self, random, count, d, n, same, scale=None):
        self.random, self.count, self.d = random, count, d
        self.root = np.eye(d) if scale is None else np.linalg.cholesky(scale).T
        self.kept = self.covariates(n) if same else None

    def covariates(self, n):
        return self.random.standard_normal((self.count, n, self.d)) @ self.root

    def batch(self, n):
        return self.covariates(n) if self.kept is None else self.kept

    def label(self, x, w, noise):
        """y = x.w + noise of variance `noise`, one per replicate."""
        spread = np.sqrt(np.broadcast_to(noise, self.count))[:, None]
        return (x @ w[:, :, None])[:, :, 0] + spread * self.random.standard_normal(x.shape[:2])


def simulate(
    seed, count, generations, *, d, noise, signal, policy, n, same=False, penalty=0.0, weight=None,
    estimate=None, final=None, shift=0.0, iid=False, scale=None, bias=1.0,
):  # fmt: skip
    """|w - w*|^2 (in the norm of `scale`) and the noise variance, [replicate], of the last generation.

    n: points, or a list of them; for `fresh` a pair (real, synthetic). Mixed labels lie on real covariates.
    estimate: None, "maximum-likelihood" or "unbiased"; final: (points, penalty) of the last fit; bias: on
    the noise variance of synthetic labels.
    """
    random = np.random.default_rng(seed)
    first = n[0] if isinstance(n, tuple | list) else n
    world = Labels(random, count, d, first, same, scale)
    truth = np.zeros((count, d))
    truth[:, 0] = np.sqrt(signal)
    direction = random.standard_normal((count, d))
    w = truth + np.sqrt(shift) * direction / np.linalg.norm(direction, axis=1)[:, None]
    v, pool_x, pool_y = np.full(count, noise), [], []
    for t in range(1, generations + 1):
        shrink, spread = penalty, v * (bias if t > 1 or shift else 1.0)
        if policy == "mixed":
            x = world.batch(first)
            real, synthetic = world.label(x, truth, noise), world.label(x, w, spread)
            y = weight * real + (1 - weight) * synthetic
        elif policy == "fresh":
            x = world.batch(sum(n))
            chosen = random.random((count, sum(n))) if iid else np.arange(sum(n))[None] / sum(n)
            is_real = chosen < n[0] / sum(n)
            y = np.where(is_real, world.label(x, truth, noise), world.label(x, w, spread))
        else:
            size = n[t - 1] if isinstance(n, list) else n
            if final and t == generations:
                size, shrink = final
            x = world.batch(size)
            y = world.label(x, w, spread)
            if policy == "accumulate":
                pool_x.append(x)
                pool_y.append(y)
                x, y = np.concatenate(pool_x, 1), np.concatenate(pool_y, 1)
        w = fit(x, y, shrink)
        if estimate:
            residual = y - (x @ w[:, :, None])[:, :, 0]
            squares = (residual**2).sum(1)
            if policy == "mixed":
                squares += weight * (1 - weight) * ((real - synthetic) ** 2).sum(1)
            v = squares / (x.shape[1] - (d if estimate == "unbiased" else 0))
    error = (w - truth) @ world.root.T
    return (error**2).sum(1), v
