"""The replace loop of Gaussians on the device: both engines, on the line and in space."""
