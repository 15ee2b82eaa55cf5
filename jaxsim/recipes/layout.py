"""A recipe walked through, generation by generation: the forms its meals take, and their numbers.

A form says, with nothing that changes from one generation to the next of its kind, what is drawn, where it
is stored, and which stored or drawn pieces every fit takes. Models and batches are named by their lag: the
model of lag 1 is the one before, the batch of lag 0 what this generation adds. Counts, weights and
addresses are numbers in a table, a row a generation, so that one compiled program serves them all.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from jaxsim.selected.points import Rule
from theory.loop import Loop, LoopError
from theory.meal import Draw, Meal, Mixed, Moments, Pool, Portion, Real, RealSet, Recipe, Sample, Stored

Place = tuple[Any, ...]  # ("set", number), ("batch", lag, peer, part), ("draw", number), ("pool", peer) ...


class DrawForm(NamedTuple):
    """A draw.

    Attributes:
        kind: "real", "model" or "mixed".
        target: whose source real points come from.
        lag, peer: the model others come from.
        into: the set or batch it becomes; None: eaten once.
        pool: the peer whose pool it joins; None: no pool.
        selected: whether a rule acts on its real points, and on the others.
    """

    kind: str
    target: int
    lag: int
    peer: int
    into: Place | None
    pool: int | None
    selected: tuple[bool, bool] = (False, False)

    @property
    def becomes_set(self) -> bool:
        """Whether its points are a set's."""
        return self.into is not None and self.into[0] == "set"


class PortionForm(NamedTuple):
    """A portion: its pieces, and whether a uniform subset of them is taken."""

    pieces: tuple[Place, ...]
    subset: bool


class FitForm(NamedTuple):
    """A fit: its portions, and whether they have weights."""

    portions: tuple[PortionForm, ...]
    weighted: bool


class Form(NamedTuple):
    """What one generation does: draws, then one fit a peer."""

    draws: tuple[DrawForm, ...]
    fits: tuple[FitForm, ...]


class Table(NamedTuple):
    """Numbers, [generation, place in the form].

    Attributes:
        form: number of the form, [generation].
        count: points of each draw.
        before: points in the pool it joins.
        base: address at which its points are stored.
        real_factor, model_factor: the sampler's factor on the variance of real and of generated points.
        real_cut, model_cut: whether they are truncated.
        share: probability of a real point in a mixed draw.
        piece_count, piece_base: points and address of each piece of a fit.
        taken: points that each portion takes.
        weight: of each portion.
        divisor: of each portion's sum of squares about its own mean; 1 for a model's moments.
        total, fit_divisor: points of each fit, and the divisor of a fit without weights.
    """

    form: np.ndarray
    count: np.ndarray
    before: np.ndarray
    base: np.ndarray
    real_factor: np.ndarray
    model_factor: np.ndarray
    real_cut: np.ndarray
    model_cut: np.ndarray
    share: np.ndarray
    piece_count: np.ndarray
    piece_base: np.ndarray
    taken: np.ndarray
    weight: np.ndarray
    divisor: np.ndarray
    total: np.ndarray
    fit_divisor: np.ndarray


class Layout:
    """Walks over the generations: sizes, addresses and forms so far."""

    def __init__(self, loop: Loop, made: Recipe, rule: Rule | None = None):
        self.loop, self.made, self.rule = loop, made, rule
        self.forms: dict[Form, int] = {}
        self.sizes: dict[tuple[int, int], list[int]] = {}
        self.bases: dict[tuple[int, int], list[int]] = {}
        self.parts = 1
        self.pool = [0] * made.peers
        self.sets = {name: number for number, name in enumerate(made.sets)}
        self.set_bases = np.cumsum([0, *(int(size) for size in made.sets.values())]).tolist()
        self.end = self.set_bases[-1]
        self.free: list[tuple[int, int]] = []  # regions (length, base) of batches no longer read

    def row(self, t: int) -> dict[str, list]:
        """The numbers of generation `t`; its form joins `forms`."""
        made, peers = self.made, range(self.made.peers)
        meals = [made.at(t, peer) for peer in peers]
        self._draws: list[DrawForm] = []
        self._row: dict[str, list] = {name: [] for name in Table._fields}
        if t == 1:
            for number, size in enumerate(made.sets.values()):
                self._draw(t, Real(size), ("set", number), None, self.set_bases[number])
            for place, draws in enumerate(made.initial):
                for peer in peers:
                    self._store(t, place + 1 - len(made.initial), peer, draws)
        for peer, meal in zip(peers, meals, strict=True):
            self._store(t, t, peer, meal.adds)
        fits = tuple(self._fit(t, meal) for meal in meals)
        form = Form(tuple(self._draws), fits)
        self._row["form"] = [self.forms.setdefault(form, len(self.forms))]
        self._drop(t + 1 - made.batches_back)
        return self._row

    def _store(self, t: int, batch: int, peer: int, draws: tuple[Draw, ...]) -> None:
        sizes = [int(draw.n) for draw in draws]
        self.parts = max(self.parts, len(sizes))
        base = self._room(sum(sizes))
        starts = (base + np.cumsum([0, *sizes[:-1]])).tolist() if sizes else []
        self.sizes[batch, peer], self.bases[batch, peer] = sizes, starts
        for part, (draw, start) in enumerate(zip(draws, starts, strict=True)):
            place = ("batch", t - batch, peer, part)
            self._draw(t, draw, place, peer if self.made.pooled else None, start)

    def _room(self, length: int) -> int:
        """An address for so many points."""
        if not self.made.pooled:
            for region in self.free:
                if region[0] >= length > 0:
                    self.free.remove(region)
                    if region[0] > length:
                        self.free.append((region[0] - length, region[1] + length))
                    return region[1]
        self.end += length
        return self.end - length

    def _drop(self, oldest: int) -> None:
        """Forget the addresses of batches before number `oldest`."""
        for key in [key for key in self.sizes if key[0] < oldest]:
            sizes, bases = self.sizes.pop(key), self.bases.pop(key)
            if sizes:
                self.free.append((sum(sizes), bases[0]))

    def _draw(self, t: int, draw: Draw, into: Place | None, pool: int | None, base: int) -> Place:
        kind = "real" if isinstance(draw, Real) else "model" if isinstance(draw, Sample) else "mixed"
        target, lag, peer = 0, 1, 0
        synthetic = False
        if not isinstance(draw, Sample):
            target = draw.target
        if not isinstance(draw, Real):
            lag, peer, synthetic = t - draw.model, draw.peer, draw.synthetic
        if self.made.targets is None:
            target = 0
        always = self.rule is not None and self.rule.real
        selected = always and kind != "model", always or (self.rule is not None and synthetic)
        self._draws.append(DrawForm(kind, target, lag, peer, into, pool, selected))
        sampler = self.loop.sampler
        factor = float(sampler.bias if sampler.temperature is None else sampler.temperature)
        cut = sampler.truncate is not None
        numbers = {
            "count": int(draw.n),
            "before": 0 if pool is None else self.pool[pool],
            "base": base,
            "real_factor": factor if sampler.applies_to_source else 1.0,
            "model_factor": factor if synthetic or sampler.applies_to_source else 1.0,
            "real_cut": cut and sampler.applies_to_source,
            "model_cut": cut and (synthetic or sampler.applies_to_source),
            "share": float(draw.real_share) if isinstance(draw, Mixed) else 0.0,
        }
        for name, value in numbers.items():
            self._row[name].append(value)
        if pool is not None:
            self.pool[pool] += int(draw.n)
        return ("draw", len(self._draws) - 1)

    def _fit(self, t: int, meal: Meal) -> FitForm:
        weighted = meal.weights is not None
        name = self.loop.estimator.name
        if name == "weighted" and not weighted:
            raise LoopError("estimator.name", name, "it needs a weight")
        portions, total = [], 0
        for place, portion in enumerate(meal.eats):
            form, taken = self._portion(t, portion)
            portions.append(form)
            total += taken
            moments = isinstance(portion, Moments)
            if weighted and name != "maximum-likelihood" and taken == 1 and not moments:
                raise LoopError("estimator.name", name, "it needs 2 points of every kind")
            divisor = taken if name == "maximum-likelihood" else taken - 1
            self._row["taken"].append(taken)
            self._row["weight"].append(1.0 if meal.weights is None else float(meal.weights[place]))
            self._row["divisor"].append(1 if moments else divisor)
        self._row["total"].append(total)
        self._row["fit_divisor"].append(total if name == "maximum-likelihood" else total - 1)
        return FitForm(tuple(portions), weighted)

    def _portion(self, t: int, portion: Portion) -> tuple[PortionForm, int]:
        """The form of a portion, and how many points of it are taken."""
        pieces, counts, bases = zip(*self._pieces(t, portion), strict=True)
        self._row["piece_count"] += counts
        self._row["piece_base"] += bases
        size = sum(counts)
        wanted = getattr(portion, "n", None) if isinstance(portion, Stored | Pool) else None
        taken = size if wanted is None else int(wanted)
        return PortionForm(tuple(pieces), taken < size), taken

    def _pieces(self, t: int, portion: Portion) -> Iterable[tuple[Place, int, int]]:
        match portion:
            case RealSet():
                number = self.sets[portion.name]
                yield ("set", number), int(self.made.sets[portion.name]), self.set_bases[number]
            case Pool():
                yield ("pool", portion.peer), self.pool[portion.peer], self.set_bases[-1]
            case Stored():
                for batch in portion.batches:
                    key = batch, portion.peer
                    for part, (size, base) in enumerate(zip(self.sizes[key], self.bases[key], strict=True)):
                        if portion.part in (None, part):
                            yield ("batch", t - batch, portion.peer, part), size, base
            case Moments():
                yield ("moments", t - portion.model, portion.peer), 0, 0
            case _:
                yield self._draw(t, portion, None, None, -1), int(portion.n), -1
