"""Factorisations of matrices, one after the other under `vmap`.

On processors XLA hands a batch of them to the pool of threads that runs the program, and waits inside that
pool: two such programs at once never end (seen with jax 0.10.2, two threads). One at a time there is no
batch, and small matrices take no longer.
"""

import jax.numpy as jnp
from jax.custom_batching import sequential_vmap
from jaxtyping import Array


@sequential_vmap
def eigh(matrix: Array) -> tuple[Array, Array]:
    """Eigenvalues [d], increasing, and eigenvectors [d, d] of a symmetric matrix."""
    return tuple(jnp.linalg.eigh(matrix))


@sequential_vmap
def eigenvalues(matrix: Array) -> Array:
    """Those of a symmetric matrix [d], increasing."""
    return jnp.linalg.eigvalsh(matrix)


@sequential_vmap
def singular_values(matrix: Array) -> Array:
    """Those of a matrix, decreasing."""
    return jnp.linalg.svd(matrix, compute_uv=False)


@sequential_vmap
def triangle(matrix: Array) -> Array:
    """R of the QR decomposition of [n, d]: R' R = X' X."""
    return jnp.linalg.qr(matrix, mode="r")
