"""Counter-based random numbers: every draw has an address (loop, engine, generation, replicate, draw).

The generator is Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror and Shaw 2011,
doi:10.1145/2063384.2063405). A stream's key is folded from the master seed, the loop's hash and the
engine; the key of generation g is the hash of g under it; the counter is (replicate, pair of draws). Hence
replicate i never depends on how many others there are, on blocks, devices or restarts, and a longer run
extends a shorter one. There is room for 2^32 replicates and 2^33 words in each generation of each.

What "exact" means. A normal pair is a Box-Muller transform of two 32-bit words, the radius from
(w + 1/2) / 2^32 and the angle from w / 2^32 turns: |z| stops at sqrt(66 log 2) = 6.76 (probability
1.3e-11 lies beyond), and nearer the centre the law is that of a normal on a grid of relative width 2^-24
in float32, 2^-32 in float64. Both precisions use the same words: they are one run, rounded differently.
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, UInt32

Words = UInt32[Array, "..."]
Key = tuple[Any, Any]

LARGEST_NORMAL = float(np.sqrt(66 * np.log(2)))
STREAM_VERSION = 1
ELSEWHERE = np.uint32(2**32 - 1)  # a counter that no draw of a Gaussian loop has

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
_ENGINES = {"exact": 1, "literal": 2}


def threefry(key: Key, counter: Key) -> tuple[Any, Any]:
    """Threefry-2x32-20: two words from a two-word key and a two-word counter (arrays broadcast)."""
    schedule = (key[0], key[1], key[0] ^ key[1] ^ _PARITY)
    a, b = counter[0] + schedule[0], counter[1] + schedule[1]
    for block in range(5):
        for distance in _ROTATIONS[block % 2]:
            a = a + b
            b = (b << np.uint32(distance)) | (b >> np.uint32(32 - distance))
            b = b ^ a
        a = a + schedule[(block + 1) % 3]
        b = b + (schedule[(block + 2) % 3] + np.uint32(block + 1))
    return a, b


def stream_key(seed: int, loop_hash: int, engine: str) -> np.ndarray:
    """The two-word key of a run: master seed (64 bits), folded with the loop's hash and the engine."""
    key = _words(seed)
    for label in (loop_hash, (STREAM_VERSION << 32) | _ENGINES[engine]):
        key = threefry(key, _words(label))
    return np.concatenate(key)


def _words(value: int) -> tuple[np.ndarray, np.ndarray]:
    # arrays of one element: NumPy scalars would warn on the intended overflow
    return np.array([value >> 32 & 0xFFFFFFFF], np.uint32), np.array([value & 0xFFFFFFFF], np.uint32)


def generation_key(key: UInt32[Array, "2"], generation: UInt32[Array, "*generations"]) -> Key:
    """The key of one generation."""
    return threefry((key[0], key[1]), (generation, jnp.uint32(0)))


def packed(words: tuple[Words, Words]) -> Complex[Array, "..."]:
    """Two 32-bit words side by side as the bits of one complex number: one array, hence hashed once."""
    a, b = (jax.lax.bitcast_convert_type(word, jnp.float32) for word in words)
    return jax.lax.complex(a, b)


def unpacked(pair: Complex[Array, "..."]) -> tuple[Words, Words]:
    """The words of `packed`."""
    a, b = (jax.lax.bitcast_convert_type(part, jnp.uint32) for part in (pair.real, pair.imag))
    return a, b


def normal_pair(words: tuple[Words, Words], turn: Float[Array, ""] | np.floating) -> tuple[Array, Array]:
    """Two independent standard normals from two words, in the precision of `turn`.

    Args:
        words: uniform 32-bit words.
        turn: 2^32. XLA inlines a producer into each of its consumers unless it ends in an expensive
            operation. Where the pair has several uses, hand it in as an argument of the compiled program: a
            division by a number XLA cannot see keeps it from computing the hash again for each of them.
    """
    dtype = turn.dtype
    uniform = (words[0].astype(dtype) + dtype.type(0.5)) * dtype.type(2.0**-32)
    radius = jnp.sqrt(-2 * jnp.log(uniform))
    half = words[1].view(jnp.int32).astype(dtype) / turn
    square = half * half
    sine, cosine = half * _polynomial("sine", square), _polynomial("cosine", square)
    return radius * (1 - 2 * sine * sine), radius * (2 * sine * cosine)


def truncated_normal(word: Words, mass: Float[Array, ""]) -> Array:
    """A standard normal given |z| < c, by inversion: sqrt(2) erfinv(u erf(c / sqrt 2)), u uniform on (-1, 1).

    Args:
        word: a uniform 32-bit word.
        mass: erf(c / sqrt 2); its dtype is the precision.
    """
    dtype = mass.dtype
    uniform = (word.view(jnp.int32).astype(dtype) + dtype.type(0.5)) * dtype.type(2.0**-31)
    inside = dtype.type(1 - np.finfo(dtype).epsneg)
    return dtype.type(np.sqrt(2)) * jax.lax.erf_inv(jnp.clip(uniform * mass, -inside, inside))


def _polynomial(name: str, square: Array) -> Array:
    """sin(pi a) / a or cos(pi a) as a polynomial in a^2 <= 1/4, to the rounding of its dtype."""
    value = jnp.zeros_like(square)
    for coefficient in _coefficients(name, square.dtype.name):
        value = value * square + coefficient
    return value


@cache
def _coefficients(name: str, dtype: str) -> np.ndarray:
    function = {"sine": lambda y: np.pi * np.sinc(np.sqrt(y)), "cosine": lambda y: np.cos(np.pi * np.sqrt(y))}
    degree = {"float32": 5, "float64": 9}[dtype]
    nodes = (1 + np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))) / 8
    fit = np.polynomial.Chebyshev.fit(nodes, function[name](nodes), degree, domain=[0, 0.25])
    return fit.convert(kind=np.polynomial.Polynomial).coef[::-1].astype(dtype)


def unit(words: tuple[Words, Words]) -> Float[Array, "..."]:
    """A uniform number on the grid k 2^-53 in [0, 1), in float64."""
    return (words[0] >> 5).astype(jnp.float64) * 2.0**-27 + (words[1] >> 6).astype(jnp.float64) * 2.0**-53


def below(word: Words, n: UInt32[Array, "..."] | np.uint32) -> Words:
    """floor(n w / 2^32): uniform on 0, ..., n - 1, every number to within 2^-32, for n up to 2^16."""
    # the high half of a 48-bit product in two 32-bit ones, which vector instructions have
    return ((word >> 16) * n + (((word & 0xFFFF) * n) >> 16)) >> 16


def below_large(words: tuple[Words, Words], n: Any) -> Array:
    """Uniform on 0, ..., n - 1 from 64 bits, every number to within 2^-64, for n up to 2^32; as uint32."""
    n = jnp.asarray(n).astype(jnp.uint64)
    low = (words[1].astype(jnp.uint64) * n) >> np.uint64(32)
    return ((words[0].astype(jnp.uint64) * n + low) >> np.uint64(32)).astype(jnp.uint32)


def draw_key(key: Key, draw: Any, replicate: UInt32[Array, ""]) -> Key:
    """A key of its own for draw number `draw` of a replicate, under the key of its generation."""
    return threefry(threefry(key, (jnp.uint32(draw), ELSEWHERE)), (replicate, ELSEWHERE))
