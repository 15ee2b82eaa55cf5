"""Categories and counts: Wright-Fisher chains, urns, sharpening."""
