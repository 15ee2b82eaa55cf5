"""What a forecast of a generator found, in sentences."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.forecast import SURE


def told(found: dict[str, Any]) -> list[str]:
    """The forecast in sentences."""
    bias, network = (
        (np.array(found[key]["value"]), np.array(found[key]["error"])) for key in ("log_bias", "log_network")
    )
    size = found["inverse_effective_size"]
    where = " of the feature space" if found["space"] == "features" else ""
    lines = [
        f"forecast from generation 1, {found['directions']} directions{where}: effective bias "
        f"{np.exp(bias[0].mean()):.3f} (from {np.exp(bias[0].min()):.3f} to {np.exp(bias[0].max()):.3f}), "
        f"1/n_eff {size['value']:.2g} +- {size['error']:.1g}, useful for about "
        f"{found['useful_horizon']:.0f} generations"
    ]
    shaped, constant = found["forecast"], found["constant"]
    if shaped["coverage"] is not None:
        lines += [
            f"its {found['level']:.0%} intervals, {shaped['width']:.2f} wide on average, held "
            f"{shaped['coverage']:.0%} of the later log variances (with a constant bias "
            f"{constant['coverage']:.0%} in {constant['width']:.2f})",
            f"interval score {shaped['interval_score']:.2f} (with a constant bias "
            f"{constant['interval_score']:.2f}; less is better), ranked probability score "
            f"{shaped['ranked_score']:.3f} ({constant['ranked_score']:.3f}), error at the last generation "
            f"{shaped['by_generation']['error'][-1]:.3f} ({constant['by_generation']['error'][-1]:.3f})",
        ]
    apart = np.abs(network[0]) > SURE * network[1]
    if apart.mean() > 0.5:
        lines.append(
            f"the bias is in the network: in {apart.sum()} of {len(apart)} directions the sampler does not "
            f"explain it (network's share {np.exp(network[0].mean()):.3f})"
        )
    else:
        lines.append(
            f"the bias is in the sampler: what it does not explain is within {SURE:.0f} standard errors in "
            f"{(~apart).sum()} of {len(apart)} directions"
        )
    expanding = bias[0] + SURE * bias[1] > 0
    if expanding.any():
        lines.append(
            f"generation 1 cannot certify stability: in {expanding.sum()} directions the bias may exceed 1"
        )
    return lines
