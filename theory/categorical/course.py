"""Categorical loops generation by generation: how many points of which kind, and what model they make.

The state is x, the shares of the data that a model is fitted to; y are the shares of an inflow (the source, a
fixed real set, what smoothing shrinks towards). One generation keeps M old points, adds r real ones and s
synthetic ones,

    x' = (M x + R + S) / (M + r + s),    R ~ Mult(r, y),    S ~ Mult(s, (1 - c) x + c y),

and its model is (1 - m) x' + m y. So iid mixing is c = the real share, smoothing with A pseudo-counts is
m = A / (n + A) and c = m of the generation before, and a fixed real set of N points is smoothing with A = N
towards that set (own derivation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from theory.counts import is_constant, points
from theory.estimator import Smoothed
from theory.loop import Loop
from theory.policy import Accumulate, Fixed, Fresh, Replace, Web

Shares = tuple[Any, ...]


class Step(NamedTuple):
    """One generation's points.

    Attributes:
        kept: M, old points that stay.
        real: r, fresh ones drawn from the inflow.
        synthetic: s, drawn from the model before.
        shrink: c, the weight of the inflow in what synthetic points are drawn from.
    """

    kept: Any
    real: Any
    synthetic: Any
    shrink: Any = 0

    @property
    def total(self) -> Any:
        """Points after this generation."""
        return self.kept + self.real + self.synthetic


@dataclass(frozen=True)
class Course:
    """A loop as steps.

    Attributes:
        step: generation t -> how its state follows from that of t - 1.
        shrink: generation t -> m, the weight of the inflow in its model.
        source: shares that errors are measured from.
        start: shares of model 0.
        inflow: y.
        anchor: N if y is a fixed random set of N real points, to which generation 1 is fitted; else None.
        constant_from: the generation from which on steps do not differ; None if they always may.
    """

    step: Callable[[int], Step]
    shrink: Callable[[int], Any]
    source: Shares
    start: Shares
    inflow: Shares
    anchor: int | None = None
    constant_from: int | None = 1

    @property
    def initial(self) -> int:
        """The generation whose state needs no step: 1 with an anchor, else 0."""
        return 0 if self.anchor is None else 1


def course(loop: Loop) -> Course | str:
    """The steps of a categorical loop without a sampler's bias; else a sentence saying why there are none."""
    policy, estimator = loop.data, loop.estimator
    source, start = loop.source.shares, loop.first_model.shares
    smoothing = estimator if isinstance(estimator, Smoothed) else None
    towards = source if smoothing is None else _towards(smoothing, source)
    if smoothing is not None and towards != source and not isinstance(policy, Replace | Accumulate):
        return "smoothing is solved towards the source, or where no other real points flow in"
    made = _plain(policy)
    if isinstance(made, str):
        return made
    step, constant_from, anchor = made
    if smoothing is None:
        shrink = _anchored(policy) if anchor else _never
        return Course(step, shrink, source, start, source, anchor, constant_from)
    if anchor:
        return "smoothing beside a fixed real set pulls two ways: no closed form is known"
    pseudo = Fraction(str(smoothing.pseudo_count))

    def weight(t: int) -> Any:
        return 0 if t == 0 else pseudo / (step(t).total + pseudo)

    def smoothed(t: int) -> Step:
        plain, before = step(t), weight(t - 1)
        return plain._replace(shrink=plain.shrink + (1 - plain.shrink) * before)

    later = None if constant_from is None else constant_from + 1
    return Course(smoothed, weight, source, start, towards, None, later)


def _towards(smoothing: Smoothed, source: Shares) -> Shares:
    if isinstance(smoothing.towards, tuple):
        return smoothing.towards
    return source if smoothing.towards == "source" else (1 / len(source),) * len(source)


def _never(_: int) -> Any:
    return 0


def _anchored(policy: Fixed) -> Callable[[int], Any]:
    share = Fraction(policy.real, policy.real + policy.synthetic)
    return lambda t: 1 if t <= 1 else share


def _plain(policy: Any) -> tuple[Callable[[int], Step], int | None, int | None] | str:
    """The step, from when on it is constant, and the size of a fixed real set."""
    match policy:
        case Replace():
            return (
                lambda t: Step(0, 0, points("n", policy.n, t, 1)),
                1 if is_constant(policy.n) else None,
                None,
            )
        case Accumulate():
            pool = _Pool(lambda t: points("n", policy.n, t, 1))
            return lambda t: Step(pool.before(t), 0, points("n", policy.n, t, 1)), None, None
        case Fresh() if policy.weight is None:
            constant = is_constant(policy.real) and is_constant(policy.synthetic)
            return _fresh(policy), 1 if constant else None, None
        case Fixed():
            share = Fraction(policy.real, policy.real + policy.synthetic)
            return lambda t: Step(0, 0, policy.synthetic, share), 2, policy.real
        case Web() if policy.n is None:
            pool = _Pool(lambda t: policy.start if t == 1 else policy.real + policy.synthetic)

            def web(t: int) -> Step:
                if t == 1:
                    return Step(0, policy.start, 0)
                return Step(pool.before(t), policy.real, policy.synthetic)

            return web, None, None
    return f"with the policy {policy.policy} as given, only means of second moments are known"


def _fresh(policy: Fresh) -> Callable[[int], Step]:
    def stratified(t: int) -> Step:
        return Step(0, points("real", policy.real, t), points("synthetic", policy.synthetic, t))

    def iid(t: int) -> Step:
        _, real, synthetic, _ = stratified(t)
        return Step(0, 0, real + synthetic, Fraction(real, real + synthetic))

    return iid if policy.composition == "iid" else stratified


class _Pool:
    """Running sizes of a pool."""

    def __init__(self, added: Callable[[int], int]):
        self.added = added
        self.sizes = [0]

    def before(self, t: int) -> int:
        """Points in the pool before generation `t` adds its own."""
        while len(self.sizes) < t:
            self.sizes.append(self.sizes[-1] + self.added(len(self.sizes)))
        return self.sizes[t - 1]
