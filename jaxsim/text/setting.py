"""Text loops: an n-gram model retrained on its own text, many replicates at once.

Generation 1 is fitted to a text of n tokens of the source: a Markov chain with a given transition matrix,
begun in its stationary law, or the n-gram model of a real text. Later ones to n tokens of the model before.

Fitting an n-gram of order m and sampling it is choosing, for every next token, a uniform occurrence of the
current context (the last m tokens) in the training text, and taking what follows it there. The (m + 1)-grams
of that text, sorted, hold the occurrences of a context side by side: no matrix over the vocabulary is ever
made. A text is sequential in its tokens; replicates stand side by side.

Two conventions complete the law. A text begins with the last m tokens of a uniformly chosen (m + 1)-gram of
the training text. A context that stands only at its end has no successor: the text goes on after a uniformly
chosen context.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsim import blocks
from jaxsim.multinomial import category_at, passed
from jaxsim.random import Key, draw_key, threefry, unit
from jaxsim.setting import Engine, Precision, Setting
from jaxsim.text import statistics as text_statistics
from jaxsim.text.corpus import corpus
from jaxsim.text.statistics import countable, grams, occurrences
from theory.loop import Loop, LoopError, MaximumLikelihood, Replace, sample_sizes
from theory.observable import TEXT

LARGEST_TEXT = 2**24
BLOCK_TOKENS = 2**24  # tokens of a block of replicates, at most
TOKEN_COST = 16  # of a token, in generations of a loop on the line
SHORT_TEXT = 2**14
UNROLLED = 4  # steps of the walk compiled together


class Grams(NamedTuple):
    """The (m + 1)-grams of a text as a model, N of them.

    Attributes:
        codes: sorted, [gram].
        begin, count: where those begin whose context the last m tokens of this gram are, and how many they
            are; all of them, where there are none, [gram].
    """

    codes: Any
    begin: Any
    count: Any


class Fixed(NamedTuple):
    """What does not depend on the generation.

    Attributes:
        stationary: law of the first symbol of a source with a transition matrix, cumulative, [symbol].
        rows: its transition matrix, cumulative, [symbol, symbol].
        source: the model of a real text.
        turn: a number of the run's precision.
    """

    stationary: Any
    rows: Any
    source: Any
    turn: Any


class Step(NamedTuple):
    """Whether generation g is the first, [generation]."""

    first: Any


def prepared(
    loop: Loop, generations: int, engine: Engine, precision: Precision | None
) -> tuple[Setting, Precision]:
    """A text loop made ready, and the precision chosen. Both engines draw every token: they are one.

    Raises:
        LoopError: for what cannot be simulated.
    """
    _require_served(loop)
    order = loop.estimator.order or 1
    sizes = set(sample_sizes(loop.data.n, generations))
    if len(sizes) > 1:
        raise LoopError(
            "data.n", loop.data.n, "texts are simulated with the same number of tokens throughout"
        )
    (length,) = sizes
    least = max(order + 1, 3)
    if not least <= length <= LARGEST_TEXT:
        raise LoopError("data.n", length, f"a text of {least} to {LARGEST_TEXT} tokens is needed")
    dtype = np.dtype(precision or "float64")
    fixed, symbols = _fixed(loop, order, dtype)
    kind = "matrix" if loop.source.transition is not None else "text"
    step = stepper(kind, length, symbols, order)
    widest = 256 if length <= SHORT_TEXT else 32
    block = int(np.clip(2 ** (BLOCK_TOKENS // length).bit_length() // 2, 1, widest))
    look, cost = observer(symbols, order), TOKEN_COST * length
    kernel = blocks.Kernel(starter(length), step, look, (), (), block, "summary", cost=cost)
    steps = Step(np.arange(1, generations + 1) == 1)

    def units(name: str) -> tuple[np.ndarray, float]:
        return np.zeros(generations + 1), 1.0

    return Setting(kernel, fixed, steps, TEXT, TEXT, units), dtype.name


def _require_served(loop: Loop) -> None:
    if not isinstance(loop.data, Replace):
        raise LoopError("data.policy", loop.data.policy, "texts are simulated under replace alone")
    if not isinstance(loop.estimator, MaximumLikelihood):
        raise LoopError(
            "estimator.name", loop.estimator.name, "texts are simulated by maximum likelihood alone"
        )
    if loop.sampler.given:
        key = loop.sampler.given[0]
        raise LoopError(f"sampler.{key}", getattr(loop.sampler, key), "texts are simulated unbiased")


def _fixed(loop: Loop, order: int, dtype: np.dtype) -> tuple[Fixed, int]:
    """The arguments of the compiled program, and how many symbols there are."""
    turn = np.asarray(2.0**32, dtype)
    if loop.source.transition is not None:
        if order > 1:
            raise LoopError("estimator.order", order, "a transition matrix is a bigram: its order is 1")
        matrix = np.array(loop.source.transition, float)
        return Fixed(np.cumsum(stationary(matrix)), np.cumsum(matrix, axis=1), None, turn), len(matrix)
    source = corpus(loop.source.text, loop.source.symbols, order + 1)
    if len(source.symbols) ** (order + 1) >= 2**63:
        reason = f"runs of {order + 1} of {len(source.symbols)} symbols exceed 63 bits"
        raise LoopError("estimator.order", order, reason)
    with jax.enable_x64(True):
        made = jax.jit(partial(model, symbols=len(source.symbols), order=order))(jnp.asarray(source.tokens))
    return Fixed(None, None, Grams(*map(np.asarray, made)), turn), len(source.symbols)


def stationary(matrix: np.ndarray) -> np.ndarray:
    """The law that a chain begun anywhere with equal probability visits in the long run."""
    size = len(matrix)
    lazy = (np.eye(size) + matrix) / 2  # the same long run, and no period
    for _ in range(200):
        squared = lazy @ lazy
        squared /= squared.sum(1, keepdims=True)
        if np.allclose(squared, lazy, rtol=0, atol=1e-16):
            break
        lazy = squared
    return lazy.mean(0)


def model(tokens: Any, *, symbols: int, order: int) -> Grams:
    """The model of a text of tokens [token]."""
    numbers, contexts = symbols ** (order + 1), symbols**order
    codes = grams(tokens, order + 1, symbols)
    total = codes.shape[0]
    if countable(numbers, total):
        counts = occurrences(codes, numbers)
        codes = jnp.repeat(jnp.arange(numbers, dtype=codes.dtype), counts, total_repeat_length=total)
    else:
        codes = jnp.sort(codes)
    following = codes % contexts
    if countable(contexts, total):
        held = occurrences(codes // symbols, contexts)
        ends = jnp.cumsum(held)
        begin, count = (ends - held)[following], held[following]
    else:
        begin = passed(following * symbols - 1, codes)
        count = passed(following * symbols + (symbols - 1), codes) - begin
    lost = count == 0
    return Grams(codes, jnp.where(lost, 0, begin), jnp.where(lost, total, count))


def generate(key: Key, made: Grams, length: int, symbols: int, order: int) -> Any:
    """A text of `length` tokens, [token]."""
    total = made.codes.shape[0]
    steps = length - order
    words = threefry(key, (jnp.arange(steps + 1, dtype=jnp.uint32), jnp.uint32(0)))
    packed = (made.begin.astype(jnp.int64) << 32) | made.count.astype(jnp.int64)

    def chosen(begin: Any, count: Any, word: Any) -> Any:
        high, low = (w.astype(jnp.uint64) for w in word)
        size = count.astype(jnp.uint64)
        return begin + ((high * size + ((low * size) >> np.uint64(32))) >> np.uint64(32)).astype(jnp.int64)

    def walk(where: Any, word: Any) -> tuple[Any, Any]:
        place = chosen(where >> 32, where & 0xFFFFFFFF, word)
        return packed.at[place].get(mode="promise_in_bounds"), place.astype(jnp.int32)

    first = chosen(jnp.int64(0), jnp.int64(total), tuple(word[0] for word in words))
    rest = tuple(word[1:] for word in words)
    _, places = lax.scan(walk, packed[first], rest, unroll=UNROLLED)
    begun = made.codes[first]
    opening = [begun // symbols**place % symbols for place in reversed(range(order))]
    return jnp.concatenate([jnp.stack(opening), made.codes[places] % symbols]).astype(jnp.int32)


def from_matrix(key: Key, fixed: Fixed, length: int) -> Any:
    """A text of a Markov chain, [token]."""
    uniform = unit(threefry(key, (jnp.arange(length, dtype=jnp.uint32), jnp.uint32(0))))
    rows = jnp.asarray(fixed.rows)

    def walk(symbol: Any, u: Any) -> tuple[Any, Any]:
        row = rows[symbol]
        # beyond the last symbol with probability only by the rounding of a sum
        last = jnp.sum(row < row[-1])
        following = jnp.minimum(jnp.sum(row <= u * row[-1]), last).astype(jnp.int32)
        return following, following

    first = category_at(uniform[0], jnp.asarray(fixed.stationary))
    return jnp.concatenate([first[None], lax.scan(walk, first, uniform[1:], unroll=UNROLLED)[1]])


@lru_cache(maxsize=64)
def starter(length: int) -> Callable:
    """(fixed) -> no text yet."""
    return lambda fixed: jnp.zeros(length, jnp.int32)


@lru_cache(maxsize=64)
def stepper(kind: str, length: int, symbols: int, order: int) -> Callable:
    """(fixed, step, key, replicate, state) -> state: one generation of one replicate."""

    def real(key: Key, fixed: Fixed) -> Any:
        if kind == "matrix":
            return from_matrix(key, fixed, length)
        return generate(key, jax.tree.map(jnp.asarray, fixed.source), length, symbols, order)

    def step(fixed: Fixed, step: Step, key: Key, replicate: Any, state: Any) -> Any:
        own = draw_key(key, 0, replicate)
        return lax.cond(
            step.first,
            lambda tokens: real(own, fixed),
            lambda tokens: generate(own, model(tokens, symbols=symbols, order=order), length, symbols, order),
            state,
        )

    return step


@lru_cache(maxsize=64)
def observer(symbols: int, order: int) -> Callable:
    """(name, fixed, step, state) -> an observable of the text that a generation is fitted to."""

    def look(name: str, fixed: Fixed, step: Step, state: Any) -> Any:
        return text_statistics.observe(name, state, symbols, order).astype(fixed.turn.dtype)

    return look
