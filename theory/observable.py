"""The names of what is measured on a model; both theory and simulator use exactly these words.

Errors and divergences compare the model of generation g with the source. In one dimension every
observable is a number; for vectors some have a trailing axis.
"""

LINE = (
    "mean_error",
    "mean_error_squared",
    "mean_error_fourth",
    "variance",
    "std",
    "log_variance",
    "variance_squared",
    "mean_variance_product",
    "w2_squared",
    "kl_to_source",
    "kl_from_source",
)
"""Observables of a Gaussian on the line."""

SPACE = (
    "mean_error",
    "mean_error_squared",
    "mean_error_fourth",
    "variance",
    "covariance",
    "log_det",
    "log_pseudo_det",
    "trace",
    "trace_of_square",
    "square_of_trace",
    "effective_rank",
    "eigenvalues",
    "lyapunov",
    "w2_squared",
    "kl_to_source",
    "kl_from_source",
)
"""Observables of a Gaussian in d dimensions: `log_pseudo_det` stands for `log_det` where some n <= d."""

AXES = {
    "mean_error": ("component",),
    "variance": ("component",),
    "covariance": ("component", "other_component"),
    "eigenvalues": ("order",),
    "lyapunov": ("order",),
}
"""Trailing axes in d dimensions, each of length d; everything else is a number."""

PASSAGES = ("half_life",)
"""First passages: generations at which something first happens; they do not depend on a generation."""
