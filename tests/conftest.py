"""Eight CPU devices before JAX is first used, and the shapes in the types executed."""

import jax
from jaxtyping import install_import_hook

jax.config.update("jax_num_cpu_devices", 8)
jax.devices()  # before a test of the command line asks for another number

LINE = ["replace.line", "replace.space", "replace.exact", "replace.literal"]
ARRAY_MODULES = ["random", "chi_square", *LINE, "summary", "triangular"]

with install_import_hook([f"jaxsim.{name}" for name in ARRAY_MODULES], "beartype.beartype"):
    import jaxsim.replace.setting  # noqa: F401
