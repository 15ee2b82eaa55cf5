"""Loop files: what is written is what is read, and nonsense is refused in one sentence."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from theory.discrete_source import Categorical
from theory.generator import Diffusion, Training
from theory.loop import Gaussian, Images, Loop, LoopError, Replace, Sampler, Unbiased
from theory.loop_file import (
    TABLES,
    from_json,
    from_mapping,
    from_toml,
    load,
    loop_hash,
    to_json,
    to_mapping,
    to_settings,
    to_toml,
)

AFFINE = Diffusion("affine", "cosine", 20, "ddim", eta=0.5)
NETWORK = Diffusion("mlp", "edm", 20, "heun", width=64, depth=2)
TRAINING = Training("adamw", 1e-3, 100, 64, 0.99, context_dropout=0.1)

LOOPS = [
    Loop(Gaussian(0, 1), Replace(100)),
    Loop(Gaussian(1.5, 2), Replace((10, 20, 30)), Unbiased(), Sampler(bias=0.9, applies_to_source=True)),
    Loop(Gaussian([0, 1], [[2, 0.5], [0.5, 1]]), Replace("4 * t**2"), Unbiased(), Sampler(truncate=2)),
    Loop(Gaussian([0, 1], [2, 3]), Replace(5), start=Gaussian([1, 1], 1)),
    Loop(Gaussian(0, 1), Replace(50), sampler=Sampler(temperature=0.5), start=Gaussian(0, 4)),
    Loop(Images("digits"), Replace(100)),
    Loop(Images("mnist"), Replace(100), generator=AFFINE),
    Loop(Images("digits"), Replace(100), sampler=Sampler(guidance=1), generator=NETWORK, training=TRAINING),
]


@pytest.mark.parametrize("loop", LOOPS)
def test_every_form_gives_the_loop_back(loop):
    assert from_toml(to_toml(loop)) == loop
    assert from_json(to_json(loop)) == loop
    assert load("{}", to_settings(loop)) == loop
    assert load(to_json(loop)) == loop


def test_defaults_are_filled_in():
    loop = from_json(
        '{"source":{"family":"gaussian","mean":0,"variance":1},"data":{"policy":"replace","n":9}}'
    )
    assert to_mapping(loop) == {
        "source": {"family": "gaussian", "mean": 0.0, "variance": 1.0},
        "data": {"policy": "replace", "n": 9},
        "estimator": {"name": "maximum-likelihood"},
        "sampler": {"bias": 1.0, "applies_to_source": False},
    }


def test_a_start_needs_only_what_differs():
    tables = to_mapping(LOOPS[0]) | {"start": {"variance": 4}}
    assert from_mapping(tables).start == Gaussian(0, 4)


def test_hashes_name_loops():
    assert len({loop_hash(loop) for loop in LOOPS}) == len(LOOPS)
    assert loop_hash(LOOPS[0]) == loop_hash(from_toml(to_toml(LOOPS[0])))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"source.family": "cauchy"}, "source.family"),
        ({"source.famly": "gaussian"}, "source.famly"),
        ({"source.variance": -1}, "source.variance"),
        ({"source.variance": None}, "source.variance"),
        ({"data.n": 1}, "data.n"),
        ({"data.n": "__import__('os')"}, "data.n"),
        ({"data.policy": 3}, "data.policy"),
        ({"data.width": 3}, "data.width"),
        ({"estimator.name": "median"}, "estimator.name"),
        ({"sampler.bias": "NaN"}, "sampler.bias"),
        ({"sampler.gain": 1}, "sampler.gain"),
        ({"sauce.family": "gaussian"}, "sauce"),
        ({"start.family": "mixture"}, "start.family"),
        ({"start.variance": 0}, "start.variance"),
        ({"generator.kind": "oracle"}, "generator.kind"),
        ({"training.rate": 0.1}, "training.optimiser"),
    ],
)
def test_a_refusal_names_the_key(change, key):
    tables = to_mapping(LOOPS[0])
    for path, value in change.items():
        table, name = path.split(".")
        tables.setdefault(table, {})[name] = value
    with pytest.raises(LoopError) as refusal:
        from_mapping(tables)
    assert refusal.value.key == key


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "null", "[source", '{"source": 1}', '{"source": {}, "source": {}}', "\0",
     "{" * 5000, '{"data":' * 5000, '{"source":{"family":"gaussian","mean":0,"variance":NaN}}', "1" * 5000],
)  # fmt: skip
def test_text_that_is_no_loop_is_refused(text, tmp_path):
    path = tmp_path / "loop"
    path.write_text(text)
    with pytest.raises(LoopError):
        load(str(path))


def test_files_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "latin").write_bytes(b"\xff\xfe\xff")
    for name in ("absent", "latin", "."):
        with pytest.raises(LoopError, match="the loop is"):
            load(str(tmp_path / name))


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**30), max_value=10**30)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["gaussian", "replace", "unbiased", "images", "digits", "100", "t", "4*t**2", "peers"])
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["family", "mean", "variance", "policy", "n", "name", "bias", "truncate", "temperature",
     "applies_to_source", "dataset", "source", "start", "data", "estimator", "sampler", "selection"]
) | st.text(max_size=8)  # fmt: skip


@st.composite
def corruptions(draw):
    tables = copy.deepcopy(to_mapping(draw(st.sampled_from(LOOPS))))
    for _ in range(draw(st.integers(1, 3))):
        where = tables
        if draw(st.booleans()):
            inner = [content for content in tables.values() if isinstance(content, dict)]
            where = draw(st.sampled_from(inner)) if inner else tables
        key = draw(st.sampled_from(sorted(where)) if where and draw(st.booleans()) else KEYS)
        if draw(st.integers(0, 3)) == 0:
            where.pop(key, None)
        else:
            where[key] = draw(JUNK)
    return tables


@given(corruptions())
@settings(max_examples=2500, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_corrupted_loop_is_refused_or_makes_sense(tables):
    """Whatever is accepted survives a round trip and obeys the ranges; everything else is one sentence."""
    try:
        loop = from_mapping(tables)
    except LoopError as refusal:
        assert str(refusal).isprintable()  # noqa: PT017 - a refusal is one of two right outcomes
        return
    assert from_json(to_json(loop)) == loop
    assert set(tables) <= set(TABLES)
    n = json.loads(to_json(loop))["data"]["n"]
    assert isinstance(n, str) or min(n if isinstance(n, list) else [n]) >= 2
    assert loop.sampler.bias > 0
    for model in (loop.source, loop.first_model):
        if isinstance(model, Gaussian) and not isinstance(model.variance, tuple):
            assert 0 < model.variance < float("inf")


@given(st.text(max_size=60) | st.text(alphabet="t0123456789+-*/(). sqrtlogfloceil", max_size=40))
@settings(max_examples=1500, deadline=None, derandomize=True)
def test_any_text_as_a_sample_size_is_a_schedule_or_a_sentence(text):
    tables = to_mapping(LOOPS[0])
    tables["data"]["n"] = text
    try:
        loop = from_mapping(tables)
    except LoopError:
        return
    assert loop.data.n.at(1) >= 2


BREEDS = to_json(Loop(Categorical(zipf={"exponent": 1.2, "categories": 5}), Replace(9)))


def test_a_setting_reaches_inside_a_table():
    assert load(BREEDS, ["source.zipf.exponent=2"]).source.zipf == (2.0, 5)
    heal = '{"policy":"heal","contaminated":{"policy":"replace","n":9},"generations":2,"real":9,"weight":1}'
    loop = load(to_json(LOOPS[0]), [f"data={heal}", "data.contaminated.n=7"])
    assert loop.data.contaminated.n == 7


@pytest.mark.parametrize(
    ("text", "setting", "said"),
    [
        (to_json(LOOPS[0]), "data=3000000000", "data.n=3000000000"),
        (to_json(LOOPS[0]), "n=50", "data.n=50"),
        (to_json(LOOPS[0]), "data.n.size=50", "n is 100, which holds no size"),
        (to_json(LOOPS[0]), "data.replace.n=50", "there are: n"),
        (to_json(LOOPS[0]), "estimator.gain=2", "there are: none"),
        (to_json(LOOPS[0]), "estimator.name=ridge", "maximum-likelihood, unbiased, weighted, kernel-density"),
        (to_json(LOOPS[0]), "estimator.name=nothing", "available: maximum-likelihood, unbiased, weighted"),
        (to_json(LOOPS[0]), "sampler.gain=2", "there are: bias, truncate, temperature, applies_to_source"),
        (to_json(LOOPS[0]), 'selection={"rule":"tilt","strength":1}', "one of linear, quadratic"),
        (to_json(LOOPS[0]), 'selection={"rule":"top-fraction","fraction":0.1}', "one of linear, typicality"),
        (to_json(LOOPS[6]), 'generator={"kind":"diffusion"}', "one of affine, mlp, unet"),
        (BREEDS, 'selection={"rule":"best-of","candidates":2}', "direction: a list of 5 rewards"),
        (to_json(LOOPS[0]), 'start={"mean":[1,2]}', "start is 'gaussian': it must have the dimension"),
    ],
)
def test_a_refusal_says_what_would_do(text, setting, said):
    with pytest.raises(LoopError) as refusal:
        load(text, [setting])
    assert said in str(refusal.value)
    assert "(" not in str(refusal.value).replace("(data", "")  # no object as Python writes it
