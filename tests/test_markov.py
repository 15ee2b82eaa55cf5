"""Text loops: the law of a retrained model enumerated, observables by plain Python, real text, refusals."""

import gzip
from collections import Counter
from fractions import Fraction
from itertools import pairwise
from math import exp, log
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from enumerated_text import retrained, runs, texts
from scipy import stats

from jaxsim.agreement import Sample, Theory, agree
from jaxsim.random import draw_key, generation_key
from jaxsim.simulate import simulate
from jaxsim.text import setting as markov
from jaxsim.text import statistics as text_statistics
from jaxsim.text.corpus import corpus
from models.catalogue import data_folder
from theory.discrete_source import Markov
from theory.estimator import MaximumLikelihood, Smoothed
from theory.loop import Loop, LoopError, Replace, Sampler
from theory.policy import Accumulate
from theory.text import paths

RATE = 1e-6
MATRIX = ((0.9, 0.1), (0.3, 0.7))


def key():
    return jnp.uint32(0x7E87), jnp.uint32(0x1057)


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def written(training, length, order, symbols, count):
    """Texts of a model fitted to `training`, [replicate, token]."""
    made = markov.model(jnp.asarray(training, jnp.int32), symbols=symbols, order=order)

    def one(replicate):
        return markov.generate(draw_key(key(), 0, replicate), made, length, symbols, order)

    return np.asarray(jax.jit(jax.vmap(one))(jnp.arange(count, dtype=jnp.uint32)))


def agrees(found, law):
    """Chi-square of whole texts, those of an expectation below 10 joined."""
    observed = Counter(map(tuple, found.tolist()))
    if set(observed) - set(law):
        return False
    expected = np.array([float(p) for p in law.values()]) * len(found)
    counts = np.array([observed[t] for t in law])
    common = expected >= 10
    if not common.all():
        counts = np.append(counts[common], counts[~common].sum())
        expected = np.append(expected[common], expected[~common].sum())
    kept = expected > 0
    return stats.chi2.sf(((counts - expected)[kept] ** 2 / expected[kept]).sum(), kept.sum() - 1) > RATE


TRAINING = {
    "bigram": ((0, 1, 1, 0, 0, 1, 0), 1),
    "bigram with a last symbol never seen before": ((0, 1, 1, 0, 1, 2), 1),
    "trigram": ((0, 1, 0, 0, 1, 1, 0, 1, 0), 2),
    "trigram with a last context never seen before": ((0, 1, 0, 1, 1, 0, 0), 2),
}


@pytest.mark.parametrize("name", TRAINING)
def test_a_retrained_model_writes_every_text_with_its_probability(name):
    training, order = TRAINING[name]
    length = 6
    law = retrained(training, length, order)
    assert sum(law.values()) == 1
    found = written(training, length, order, 3, 60_000)
    assert agrees(found, law)
    # the same text closed to a ring has other frequencies: at least one of 60,000 draws by 0.05 in some text
    ring = retrained((*training, training[0]), length, order)
    assert max(abs(float(ring.get(t, 0) - law[t])) for t in law) > 0.02
    assert not agrees(found, {t: ring.get(t, Fraction(0)) for t in set(law) | set(ring)})


@pytest.mark.parametrize("order", [1, 2])
def test_sorting_and_counting_make_the_same_model(order, monkeypatch):
    training = np.random.default_rng(3).integers(0, 5, 400)
    counted = written(training, 50, order, 5, 8)
    monkeypatch.setattr(text_statistics, "DENSE", 0)
    np.testing.assert_array_equal(written(training, 50, order, 5, 8), counted)


def test_a_source_writes_every_text_with_its_probability():
    length = 5
    law = np.array(markov.stationary(np.array(MATRIX)))
    np.testing.assert_allclose(law, [0.75, 0.25], rtol=1e-12)
    expected = dict(texts(MATRIX, law, length))
    fixed = markov.Fixed(np.cumsum(law), np.cumsum(MATRIX, axis=1), None, np.float64(1))

    def one(replicate):
        return markov.from_matrix(draw_key(key(), 0, replicate), fixed, length)

    found = np.asarray(jax.jit(jax.vmap(one))(jnp.arange(60_000, dtype=jnp.uint32)))
    assert agrees(found, expected)
    assert not agrees(found, dict(texts(MATRIX, (0.5, 0.5), length)))


def test_three_generations_of_short_texts():
    """The mean number of different pairs, every text of every generation enumerated."""
    length, law = 5, {}
    for text, p in texts(MATRIX, (0.75, 0.25), length):
        law[text] = p
    levels = []
    for _ in range(3):
        levels.append([sum(p * len(set(runs(t, 2))) ** r for t, p in law.items()) for r in range(1, 5)])
        following = Counter()
        for text, p in law.items():
            for after, q in retrained(text, length, 1).items():
                following[after] += p * float(q)
        law = following
    raw = np.array(levels).T / (length - 1.0) ** np.arange(1, 5)[:, None]
    central = Theory(
        raw[0], raw[1] - raw[0] ** 2, raw[2] - 3 * raw[0] * raw[1] + 2 * raw[0] ** 3,
        raw[3] - 4 * raw[0] * raw[2] + 6 * raw[0] ** 2 * raw[1] - 3 * raw[0] ** 4,
    )  # fmt: skip
    loop = Loop(Markov(transition=MATRIX), Replace(length))
    found = simulate(loop, [1, 2, 3], 100_000, observables=["distinct_2"], keep="replicates")
    sample = Sample.of(found.distinct_2.values)
    assert agree(sample, central).holds
    stale = Theory(*(np.roll(part, 1) for part in central))
    assert agree(sample, stale).disagrees


def plainly(name, text, order):
    """The observables in plain Python."""
    if name == "duplicate_fraction":
        windows = runs(text, text_statistics.WINDOW)
        return 1 - len(set(windows)) / len(windows)
    if name.startswith("distinct"):
        size = int(name[-1])
        return len(set(runs(text, size))) / len(runs(text, size))
    if name == "support":
        return len(set(text))
    counts = Counter(text)
    if name == "heterozygosity":
        return 1 - sum((c / len(text)) ** 2 for c in counts.values())
    if name == "entropy":
        return -sum(c / len(text) * log(c / len(text)) for c in counts.values())
    grams = Counter(runs(text, order + 1))
    heads = Counter(gram[:-1] for gram in grams.elements())
    rate = -sum(c * log(c / heads[gram[:-1]]) for gram, c in grams.items()) / sum(grams.values())
    return rate if name == "entropy_rate" else exp(rate)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("symbols", [3, 4000])
def test_observables_in_plain_python(order, symbols):
    rng = np.random.default_rng(8)
    text = np.concatenate([rng.integers(0, symbols, 150), np.tile(rng.integers(0, symbols, 30), 3)])
    for name in markov.TEXT:
        found = float(text_statistics.observe(name, jnp.asarray(text, jnp.int32), symbols, order))
        # a difference of logarithms of 240, each summed over as many terms
        assert found == pytest.approx(plainly(name, tuple(text.tolist()), order), abs=240 * 10 * 2.0**-52)


def expected_support(text, symbols):
    """Mean and variance of the next text's vocabulary, given the text its model was fitted to: exact."""
    counts = np.zeros((symbols, symbols))
    np.add.at(counts, (text[:-1], text[1:]), 1)
    first = counts.sum(0) / counts.sum()
    seen = np.unique(text)
    counts, first = counts[np.ix_(seen, seen)], first[seen]
    visits = counts.sum(1, keepdims=True)
    rows = np.where(visits > 0, counts / np.maximum(visits, 1), counts.sum(0) / counts.sum())
    return paths.support(rows, first, len(text))


def generations(path, kind, length, count, replicates):
    """The texts of some generations of a bigram loop on a real text, [generation, replicate, token]."""
    source = corpus(path, kind)
    symbols = len(source.symbols)
    fitted = markov.model(jnp.asarray(source.tokens), symbols=symbols, order=1)

    @jax.jit
    def first():
        each = jnp.arange(replicates, dtype=jnp.uint32)
        return jax.vmap(lambda r: markov.generate(draw_key(key(), 0, r), fitted, length, symbols, 1))(each)

    @jax.jit
    def later(g, now):
        def one(r, tokens):
            own = draw_key(generation_key(jnp.stack(key()), g), 0, r)
            made = markov.model(tokens, symbols=symbols, order=1)
            return markov.generate(own, made, length, symbols, 1)

        return jax.vmap(one)(jnp.arange(replicates, dtype=jnp.uint32), now)

    found = [first()]
    for g in range(1, count):
        found.append(later(jnp.uint32(g), found[-1]))
    return np.stack(found), symbols


def in_the_band(path, length, count, replicates):
    """Whether the vocabulary's sum over generations and replicates lies where the models before put it.

    Given the text before, mean and variance of the vocabulary are exact (N1); the differences are those of a
    martingale, so that their variances add. Against the text two generations before it must not.
    """
    found, symbols = generations(path, "characters", length, count, replicates)
    gap = stale = spread = 0.0
    for before, now, g in zip(found, found[1:], range(count), strict=False):
        for r in range(replicates):
            mean, variance = expected_support(before[r], symbols)
            seen = len(np.unique(now[r]))
            gap, spread = gap + seen - mean, spread + variance
            old = found[g - 1][r] if g else None
            stale += 0.0 if old is None else seen - expected_support(old, symbols)[0]
    cut = stats.norm.isf(RATE / 2)
    return abs(gap) < cut * np.sqrt(spread), abs(stale) > cut * np.sqrt(spread)


@pytest.mark.slow
def test_the_vocabulary_of_embedded_prose_stays_in_the_exact_band():
    assert in_the_band(None, 1000, 5, 12) == (True, True)


def stored(name):
    """A corpus in the data folder; the test is skipped where it is not there."""
    path = data_folder() / name
    if not path.is_file():
        pytest.skip(f"there is no file {path}")
    return str(path)


@pytest.fixture
def shakespeare():
    return stored("tinyshakespeare/input.txt")


@pytest.mark.slow
def test_the_vocabulary_of_shakespeare_stays_in_the_exact_band(shakespeare):
    assert len(corpus(shakespeare, "characters").symbols) == 65
    assert in_the_band(shakespeare, 1000, 5, 12) == (True, True)


@pytest.mark.slow
def test_words_of_wikitext():
    path = stored("wikitext-2/train.shuffled-articles.txt.gz")
    source = corpus(path, "words")
    assert len(source.symbols) == 33_278
    loop = Loop(Markov(text=path, symbols="words"), Replace(2000))
    found = simulate(loop, [1, 2, 3], 20, keep="replicates")
    support = found.support.values
    assert (np.diff(support, axis=1) <= 0).all()
    # a text of words has no more different ones than tokens, and its pairs are at least its words
    assert ((found.distinct_1.values * 2000).round(6) == support).all()
    assert ((found.distinct_2.values * 1999).round(6) >= support - 1).all()


def test_embedded_prose_collapses_and_a_longer_run_extends_a_shorter_one():
    loop = Loop(Markov(), Replace(400))
    few = simulate(loop, [1, 3], 20, keep="replicates", observables=["support", "distinct_3"], devices=1)
    many = simulate(
        loop, [1, 2, 3, 4], 300, keep="replicates", observables=["support", "distinct_3"], devices=1
    )
    shared = many.sel(generation=[1, 3]).isel(replicate=slice(20))
    assert all(np.array_equal(few[name].values, shared[name].values) for name in few)
    assert (np.diff(many.support.values, axis=1) <= 0).all()  # what is lost does not come back


def test_files_packed_or_not_and_words(tmp_path):
    plain, packed = tmp_path / "a.txt", tmp_path / "a.txt.gz"
    plain.write_text("to be or\nnot to be")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    one, other = corpus(str(plain), "words"), corpus(str(packed), "words")
    assert one.symbols == other.symbols == ("<eos>", "be", "not", "or", "to")
    assert one.tokens.tolist() == [4, 1, 3, 0, 2, 4, 1]
    assert one.text(one.tokens) == plain.read_text()
    letters = corpus(str(plain), "characters")
    assert letters.text(letters.tokens) == plain.read_text()
    assert all(a < b for a, b in pairwise(letters.symbols))


@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot be read"), (b"a", "at least 2"), (b"\xff\xfe\x00", "not text")]
)
def test_text_that_is_none_is_one_sentence(tmp_path, content, words):
    path = Path(tmp_path) / "text.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LoopError, match=words):
        simulate(Loop(Markov(text=str(path)), Replace(20)), 1, 2)


PLAIN = Loop(Markov(transition=MATRIX), Replace(20))
REFUSED = [
    (PLAIN.with_(data=Accumulate(20)), "replace alone"),
    (PLAIN.with_(estimator=Smoothed(1.0)), "maximum likelihood alone"),
    (PLAIN.with_(sampler=Sampler(temperature=0.5)), "unbiased"),
    (PLAIN.with_(estimator=MaximumLikelihood(order=2)), "its order is 1"),
    (PLAIN.with_(data=Replace((20, 30, 40))), "the same number"),
    (PLAIN.with_(data=Replace(2)), "3 to"),
    (Loop(Markov(), Replace(20), MaximumLikelihood(order=12)), "63 bits"),
]


@pytest.mark.parametrize(("loop", "words"), REFUSED)
def test_what_is_not_simulated_is_one_sentence(loop, words):
    with pytest.raises(LoopError, match=words):
        simulate(loop, 3, 10)
