"""Sweep files: the grid is what is written, and nonsense is refused in one sentence with the key's path."""

import copy
import json

import pytest

from theory.loop import Gaussian, Loop, LoopError, Replace, Unbiased
from theory.loop_file import load as load_loop
from theory.loop_file import loop_hash, to_mapping
from theory.sweep_file import from_mapping, grid, load
from theory.sweep_file import to_mapping as sweep_mapping

TEXT = """
[source]
family = "gaussian"
mean = 0.0
variance = 1.0

[data]
policy = "replace"

[sweep]
seeds = 3000
generations = "1:20"
observables = ["variance", "log_variance"]
"data.n" = [10, 100, "4 * t**2", [5, 6, 7]]
"sampler.bias" = {linear = [0.5, 1, 6]}
histogram = {variance = {log = [0.01, 10, 4]}}

[[sweep.zip]]
"source.variance" = [1, 4]
"estimator.name" = ["maximum-likelihood", "unbiased"]
"""
LOOP = Loop(Gaussian(0, 1), Replace(10))


@pytest.fixture
def sweep(tmp_path):
    (tmp_path / "sweep.toml").write_text(TEXT)
    return load(str(tmp_path / "sweep.toml"))


def test_the_grid_is_the_product_and_the_last_axis_changes_fastest(sweep):
    assert (sweep.shape, len(sweep)) == ((4, 6, 2), 48)
    assert [axis.name for axis in sweep.axes] == ["data.n", "sampler.bias", "source.variance"]
    assert sweep.generations == tuple(range(1, 21))
    assert sweep.loop(0) == LOOP.with_(sampler=sweep.loop(0).sampler)
    assert sweep.loop(1).estimator == Unbiased()
    assert [sweep.loop(2 * k).sampler.bias for k in range(6)] == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert sweep.loop(47).data == Replace((5, 6, 7))
    assert len({loop_hash(loop) for loop in sweep.loops()}) == 48
    assert [sweep.index(p) for p in (0, 1, 2, 12, 47)] == [
        (0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (3, 5, 1)]  # fmt: skip


def test_every_form_gives_the_sweep_back(sweep):
    assert from_mapping(sweep_mapping(sweep)) == sweep
    assert load(json.dumps(sweep_mapping(sweep))) == sweep


def test_labels_are_numbers_or_text(sweep):
    n, bias, zipped = sweep.axes
    assert n.labels("data.n") == ["10", "100", "4 * t**2", "[5, 6, 7]"]
    assert bias.labels("sampler.bias") == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert zipped.labels("source.variance") == [1.0, 4.0]
    assert zipped.labels("estimator.name") == ["maximum-likelihood", "unbiased"]


def test_a_point_is_the_loop_a_person_would_type(sweep):
    typed = load_loop(json.dumps(to_mapping(LOOP)), ["sampler.bias=0.7"])
    assert loop_hash(typed) == loop_hash(sweep.loop(4))


def test_quotes_may_be_left_out():
    quoted = grid(LOOP, {"data.n": [10, 20]}, 5, 100)
    nested = from_mapping(
        {**to_mapping(LOOP), "sweep": {"data": {"n": [10, 20]}, "generations": 5, "seeds": 100}}
    )
    assert quoted == nested


def test_a_sweep_without_axes_is_one_point():
    assert list(grid(LOOP, {}, 5, 100).loops()) == [LOOP]


@pytest.mark.parametrize(
    ("spacing", "values"),
    [
        ({"linear": [10, 50, 5]}, [10, 20, 30, 40, 50]),
        ({"log": [10, 10_000, 4]}, [10, 100, 1000, 10_000]),
        ({"log": [10_000, 10, 4]}, [10_000, 1000, 100, 10]),
        ({"log": [10, 1000, 5], "whole": True}, [10, 32, 100, 316, 1000]),
        ({"linear": [2, 3, 2]}, [2, 3]),
    ],
)
def test_spaced_sample_sizes_are_whole(spacing, values):
    assert [loop.data.n for loop in grid(LOOP, {"data.n": spacing}, 5, 100).loops()] == values


def test_options_replace_keys_of_the_file(tmp_path):
    (tmp_path / "sweep.toml").write_text(TEXT)
    sweep = load(
        str(tmp_path / "sweep.toml"), ["source.mean=2"], {"seeds": 7, "seed": None, "generations": "1,2"}
    )
    assert (sweep.seeds, sweep.seed, sweep.generations) == (7, 0, (1, 2))
    assert sweep.loop(0).source.mean == 2


def changed(**keys):
    """The tables of a small sweep with keys of `[sweep]` changed."""
    tables = copy.deepcopy(sweep_mapping(grid(LOOP, {"data.n": [10, 20]}, 5, 100)))
    tables["sweep"] |= keys
    return tables


BAD = [
    ({"seeds": 0}, "sweep.seeds is 0"),
    ({"seeds": True}, "sweep.seeds is True"),
    ({"seeds": "many"}, "sweep.seeds is 'many'"),
    ({"seed": -1}, "sweep.seed is -1"),
    ({"generations": []}, "sweep.generations is []"),
    ({"generations": [3, 2]}, "increase"),
    ({"generations": "soon"}, "sweep.generations is 'soon'"),
    ({"generations": "1:99999999"}, "at a time"),
    ({"generations": 0}, "sweep.generations is 0"),
    ({"engine": "steam"}, "sweep.engine is 'steam'"),
    ({"keep": "all"}, "sweep.keep is 'all'"),
    ({"observables": ["temper"]}, "temper"),
    ({"histogram": {"half_life": [1, 2]}}, "first passages are not binned"),
    ({"max_generations": 0}, "sweep.max_generations is 0"),
    ({"observables": []}, "sweep.observables"),
    ({"histogram": {"variance": [1]}}, "sweep.histogram.variance"),
    ({"histogram": {"variance": [1, 1]}}, "twice"),
    ({"histogram": {"variance": [2, 1]}}, "increase"),
    ({"histogram": {"temper": [1, 2]}}, "temper"),
    ({"data.n": 10}, "sweep.data.n is 10: an axis is a list"),
    ({"data.n": []}, "the list is empty"),
    ({"data.n": [10, 1]}, "data.n is 1"),
    ({"data.n": [10, 10]}, "twice"),
    ({"sampler.bias": [1, 1.0]}, "sweep.sampler.bias"),
    ({"sampler.bias": [1, float("nan")]}, "sampler.bias is 'nan'"),
    ({"sampler.bias": [1, -1]}, "sampler.bias is -1.0"),
    ({"sampler.bias": [1, None]}, "sampler.bias"),
    ({"sampler.skew": [1, 2]}, "sampler.skew"),
    ({"estimator.name": ["unbiased", "guess"]}, "guess"),
    ({"data.n": {"log": [10, 1000, 4]}}, "a whole number of points is needed"),
    ({"data.n": {"log": [0, 10, 3]}}, "sweep.data.n.log is 0"),
    ({"data.n": {"log": [1, 10]}}, "three numbers"),
    ({"data.n": {"linear": [10, 20, 1]}}, "sweep.data.n.linear is 1"),
    ({"data.n": {"linear": [10, 20, 10**9]}}, "sweep.data.n.linear is 1000000000"),
    ({"data.n": {"linear": [10, float("inf"), 3]}}, "a finite number"),
    ({"data.n": {"linear": [10, 20, 3], "log": [10, 20, 3]}}, "write {linear"),
    ({"data.n": {"linear": [2, 4, 9], "whole": True}}, "twice"),
    ({"data.n": {"cubic": [2, 4, 9]}}, "write {linear"),
    ({"axis": [1, 2]}, 'an axis is written "table.key"'),
    ({"soup.n": [1, 2]}, "sweep.soup.n"),
    ({"zip": {"data.n": [1]}}, "sweep.zip"),
    ({"zip": [{}]}, "sweep.zip[0]"),
    ({"zip": [{"sampler.bias": [1, 2], "source.mean": [1, 2, 3]}]}, "sweep.zip[0].source.mean"),
    ({"zip": [{"data.n": [10, 20]}]}, "it is an axis twice"),
    ({"zip": [{"sampler.bias": [1, 1], "source.mean": [2, 2]}]}, "twice"),
    ({"sampler.bias": list(range(1, 2001)), "source.mean": list(range(2000))}, "the grid has 8000000 points"),
]


@pytest.mark.parametrize(("keys", "named"), BAD)
def test_nonsense_is_refused_with_its_path(keys, named):
    with pytest.raises(LoopError) as refusal:
        from_mapping(changed(**keys))
    assert named in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "tables", [[], {}, {"sweep": 1}, {"source": 1, "sweep": {"seeds": 1, "generations": 1}}]
)
def test_what_is_no_sweep_is_refused(tables):
    with pytest.raises(LoopError):
        from_mapping(tables)


def test_first_passages_alone_need_no_generations():
    tables = changed(observables=["half_life"])
    del tables["sweep"]["generations"]
    assert from_mapping(tables).observables == ("half_life",)
    del tables["sweep"]["observables"]
    with pytest.raises(LoopError, match=r"sweep\.generations: it is missing"):
        from_mapping(tables)


def test_a_sweep_is_no_loop():
    with pytest.raises(LoopError, match="autophagy sweep"):
        load_loop(json.dumps(changed()))
