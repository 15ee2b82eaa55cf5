"""A small classifier for each data set: what it sees in images, and how sure it is.

It is trained once on the images a loop may train on, and kept in a file named by a hash of all that decides
its weights. Its last hidden layer is the feature space; a Frechet distance there is no FID, which is another
network's. A data set without classes, and points, are their own features, images by their principal axes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float, Int

from models.datasets import DataSet

FEATURES = 64
SMALL_SIDE = 8
"""Images up to this side are seen by a perceptron, larger ones through convolutions."""

BATCH = 64
SEEN_AT_ONCE = 1000


class Recipe(NamedTuple):
    """How a classifier is trained.

    Attributes:
        epochs: passes over the images.
        rate: of Adam with decoupled decay, at its highest; it falls to zero along a half cosine.
        noise: standard deviation of noise on the pixels, in units of white.
        smoothing: of the labels.
        shift: largest shift of an image, in pixels.
    """

    epochs: int
    rate: float
    noise: float
    smoothing: float
    shift: int


PERCEPTRON = Recipe(epochs=60, rate=2e-3, noise=0.1, smoothing=0.03, shift=0)
CONVOLUTIONS = Recipe(epochs=4, rate=2e-3, noise=0.05, smoothing=0.05, shift=2)


class Seen(NamedTuple):
    """What a classifier makes of images.

    Attributes:
        features: of the last hidden layer.
        probabilities: of the classes; none where there are no classes.
    """

    features: Float[np.ndarray, "image feature"]
    probabilities: Float[np.ndarray, "image classes"]

    @property
    def confidence(self) -> Float[np.ndarray, " image"]:
        """The probability of the likeliest class."""
        return self.probabilities.max(axis=1)

    @property
    def classes(self) -> Int[np.ndarray, " image"]:
        """The likeliest class."""
        return self.probabilities.argmax(axis=1)


class Classifier(NamedTuple):
    """A trained classifier.

    Attributes:
        see: images [image, height, width, channel] -> what it makes of them.
        accuracy: on held-out images; nan where there are no classes.
        confidence: on held-out images; nan where there are no classes.
    """

    see: Callable[[np.ndarray], Seen]
    accuracy: float
    confidence: float


class Perceptron(nnx.Module):
    """Two hidden layers."""

    def __init__(self, shape: tuple[int, ...], classes: int, rngs: nnx.Rngs):
        self.first = nnx.Linear(int(np.prod(shape)), 256, rngs=rngs)
        self.second = nnx.Linear(256, FEATURES, rngs=rngs)
        self.last = nnx.Linear(FEATURES, classes, rngs=rngs)

    def __call__(self, images: Array) -> tuple[Array, Array]:
        """(features, logits) of a batch."""
        hidden = nnx.relu(self.first(images.reshape(len(images), -1)))
        features = nnx.relu(self.second(hidden))
        return features, self.last(features)


class Convolutions(nnx.Module):
    """Three convolutions, two poolings, one hidden layer."""

    def __init__(self, shape: tuple[int, ...], classes: int, rngs: nnx.Rngs):
        kernel = (3, 3)
        self.first = nnx.Conv(shape[-1], 16, kernel, rngs=rngs)
        self.second = nnx.Conv(16, 32, kernel, rngs=rngs)
        self.third = nnx.Conv(32, 32, kernel, rngs=rngs)
        flat = 32 * (shape[0] // 4) * (shape[1] // 4)
        self.hidden = nnx.Linear(flat, FEATURES, rngs=rngs)
        self.last = nnx.Linear(FEATURES, classes, rngs=rngs)

    def __call__(self, images: Array) -> tuple[Array, Array]:
        """(features, logits) of a batch."""
        h = nnx.max_pool(nnx.relu(self.first(images)), (2, 2), strides=(2, 2))
        h = nnx.max_pool(nnx.relu(self.third(nnx.relu(self.second(h)))), (2, 2), strides=(2, 2))
        features = nnx.relu(self.hidden(h.reshape(len(h), -1)))
        return features, self.last(features)


def classifier(data: DataSet, cache: Path | None = None) -> Classifier:
    """The classifier of a data set, from its file if it has been trained before.

    Args:
        data: the data set.
        cache: where classifiers are kept; None: a folder in the user's cache.
    """
    if not data.classes:
        return _principal_axes(data)
    shape = data.values.shape[1:]
    small = max(shape[:2]) <= SMALL_SIDE
    kind, recipe = (Perceptron, PERCEPTRON) if small else (Convolutions, CONVOLUTIONS)
    graph = nnx.graphdef(nnx.eval_shape(lambda: kind(shape, data.classes, nnx.Rngs(0))))

    def apply(parameters: Any, images: Array) -> tuple[Array, Array]:
        return nnx.merge(graph, nnx.State(parameters))(images)

    start = nnx.to_pure_dict(nnx.state(kind(shape, data.classes, nnx.Rngs(0)), nnx.Param))
    leaves, tree = jax.tree.flatten(start)
    path = (
        cache or _default_cache()
    ) / f"{data.name.replace('/', '_')[-40:]}-{_name(data, kind, recipe)}.npz"
    known = _read(path, leaves)
    if known is None:
        parameters = _trained(apply, start, data, recipe)
        _write(path, jax.tree.leaves(parameters))
    else:
        parameters = jax.tree.unflatten(tree, known)
    see = partial(_see, jax.jit(apply), parameters, data.white)
    held = see(data.values[data.held_out])
    right = (held.classes == data.labels[data.held_out]).mean()
    return Classifier(see, float(right), float(held.confidence.mean()))


def _trained(apply: Callable[..., Any], start: Any, data: DataSet, recipe: Recipe) -> Any:
    images = jnp.asarray(data.values[data.training] / data.white)
    labels = jnp.asarray(data.labels[data.training])
    batches = len(images) // BATCH
    transform = optax.adamw(
        optax.cosine_decay_schedule(recipe.rate, recipe.epochs * batches), weight_decay=1e-2
    )

    def objective(parameters, key, seen, named):
        noise_key, shift_key = jax.random.split(key)
        if recipe.shift:
            shifts = jax.random.randint(shift_key, (len(seen), 2), -recipe.shift, recipe.shift + 1)
            seen = jax.vmap(lambda image, by: jnp.roll(image, by, (0, 1)))(seen, shifts)
        seen = seen + recipe.noise * jax.random.normal(noise_key, seen.shape)
        wanted = optax.smooth_labels(jax.nn.one_hot(named, data.classes), recipe.smoothing)
        return optax.softmax_cross_entropy(apply(parameters, seen)[1], wanted).mean()

    @jax.jit
    def step(parameters, state, images, labels, key, taken):
        gradient = jax.grad(objective)(parameters, key, images[taken], labels[taken])
        updates, state = transform.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state

    parameters, state, count = start, transform.init(start), 0
    for epoch in range(recipe.epochs):
        order = np.random.default_rng([0, epoch]).permutation(len(images))
        for batch in range(batches):
            key = jax.random.fold_in(jax.random.key(0), count)
            taken = order[batch * BATCH : (batch + 1) * BATCH]
            parameters, state = step(parameters, state, images, labels, key, taken)
            count += 1
    return parameters


def _see(apply: Callable[..., Any], parameters: Any, white: float, images: np.ndarray) -> Seen:
    """In blocks of one size, so that one program serves."""
    features, probabilities = [], []
    for start in range(0, len(images), SEEN_AT_ONCE):
        block = np.asarray(images[start : start + SEEN_AT_ONCE], np.float32) / white
        missing = SEEN_AT_ONCE - len(block)
        padded = np.pad(block, [(0, missing)] + [(0, 0)] * (block.ndim - 1))
        found, logits = apply(parameters, padded)
        features.append(np.asarray(found)[: len(block)])
        probabilities.append(np.asarray(jax.nn.softmax(logits))[: len(block)])
    return Seen(np.concatenate(features), np.concatenate(probabilities))


def _principal_axes(data: DataSet) -> Classifier:
    flat = data.values[data.training].reshape(len(data.training), -1) / data.white
    mean = flat.mean(0)
    values, vectors = np.linalg.eigh(np.cov(flat, rowvar=False))
    axes = vectors[:, ::-1][:, : min(FEATURES, len(values))]

    def see(images: np.ndarray) -> Seen:
        points = (np.reshape(images, (len(images), -1)) / data.white - mean) @ axes
        return Seen(points.astype(np.float32), np.zeros((len(images), 0), np.float32))

    return Classifier(see, float("nan"), float("nan"))


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autophagy" / "classifiers"


def _name(data: DataSet, kind: type, recipe: Recipe) -> str:
    """A hash of all that decides the weights."""
    hashed = hashlib.sha256()
    for array in (data.values, data.labels, data.training):
        hashed.update(np.ascontiguousarray(array).tobytes())
    code = Path(__file__).read_text()
    told = [kind.__name__, *recipe, BATCH, FEATURES, code, version("jax"), version("optax"), version("flax")]
    hashed.update(json.dumps(told).encode())
    return hashed.hexdigest()[:16]


def _read(path: Path, like: list[Any]) -> list[np.ndarray] | None:
    """The weights in a file; None if there is none that can be read."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            found = [archive[f"leaf_{k}"] for k in range(len(like))]
    except (OSError, ValueError, KeyError, EOFError):
        return None
    fits = all(a.shape == b.shape for a, b in zip(found, like, strict=True))
    return found if fits else None


def _write(path: Path, leaves: list[Any]) -> None:
    """Keep weights, where the disk lets us."""
    draft = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(draft, **{f"leaf_{k}": np.asarray(leaf) for k, leaf in enumerate(leaves)})
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
