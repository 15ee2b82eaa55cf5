"""The perceptron of `models.network` and its training as a plain PyTorch loop, the peer of ours."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from models.network import CONTEXT_SHARE, FREQUENCIES, LARGEST_LOG_SIGMA
from models.schedule import LOG_SIGMA_MEAN, LOG_SIGMA_STD
from models.training import WARM_UP


class Residual(nn.Module):
    """A block: h + W2 silu(modulated(W1 rms(h)))."""

    def __init__(self, width: int, context: int):
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.first = nn.Linear(width, width)
        self.modulation = nn.Linear(context, 2 * width)
        self.second = nn.Linear(width, width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.second.weight)

    def forward(self, h: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """The block's output."""
        scale, shift = self.modulation(context).chunk(2, dim=-1)
        return h + self.second(nn.functional.silu(self.first(self.norm(h)) * (1 + scale) + shift))


class Perceptron(nn.Module):
    """F of a batch of flat points and noise levels."""

    def __init__(self, size: int, width: int, depth: int):
        super().__init__()
        room = width // CONTEXT_SHARE
        self.level, self.mixed = nn.Linear(2 * FREQUENCIES, room), nn.Linear(room, room)
        self.enter, self.leave = nn.Linear(size, width), nn.Linear(width, size)
        self.blocks = nn.ModuleList(Residual(width, room) for _ in range(depth))
        self.norm = nn.RMSNorm(width)
        nn.init.zeros_(self.leave.weight)
        self.register_buffer("frequencies", 2.0 ** torch.linspace(-1, 4, FREQUENCIES))

    def forward(self, x: torch.Tensor, log_sigma: torch.Tensor) -> torch.Tensor:
        """F at noise levels ln(sigma), one a point."""
        phases = log_sigma.clamp(-LARGEST_LOG_SIGMA, LARGEST_LOG_SIGMA) / 4 * self.frequencies
        told = torch.cat([phases.cos(), phases.sin()], dim=-1)
        silu = nn.functional.silu
        context = silu(self.mixed(silu(self.level(told))))
        h = self.enter(x)
        for block in self.blocks:
            h = block(h, context)
        return self.leave(self.norm(h))


def trained(
    values: np.ndarray, width: int, depth: int, batch: int, steps: int, rate: float, ema: float
) -> Callable[[], None]:
    """A function that takes `steps` more steps: Adam, the same rates, a running average of the weights.

    Args:
        values: training points, flat and standardised.
        width: of the network.
        depth: of the network.
        batch: points of a minibatch.
        steps: minibatches of one call.
        rate: the highest learning rate.
        ema: the decay of the running average.
    """
    points = torch.as_tensor(values, dtype=torch.float32)
    network = Perceptron(points.shape[1], width, depth)
    weights = list(network.parameters())
    average = [weight.detach().clone() for weight in weights]
    optimiser = torch.optim.Adam(weights, rate)

    def run() -> None:
        for count in range(steps):
            done = count / steps
            lifted = min(1.0, (done + 1 / steps) / WARM_UP, (1 + math.cos(math.pi * done)) / 2)
            optimiser.param_groups[0]["lr"] = rate * lifted
            x0 = points[torch.randint(len(points), (batch,))]
            log_sigma = LOG_SIGMA_MEAN + LOG_SIGMA_STD * torch.randn(batch, 1)
            theta, noise = log_sigma.exp().atan(), torch.randn_like(x0)
            cos, sin = theta.cos(), theta.sin()
            found = network(cos * x0 + sin * noise, log_sigma)
            loss = ((found - (sin * x0 - cos * noise)) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            decay = min(ema, (1 + count) / (10 + count))
            with torch.no_grad():
                for kept, weight in zip(average, weights, strict=True):
                    kept.lerp_(weight, 1 - decay)

    return run
