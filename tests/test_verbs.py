"""The verbs from Python: lazy, stable under repetition, and refusing in one sentence."""

from importlib.util import find_spec

import pytest

import autophagy
from autophagy import Gaussian, Images, Loop, LoopError, Replace

LOOP = Loop(Gaussian(0, 1), Replace(10))


def test_no_name_is_hidden_by_a_module():
    """A submodule of the same name would replace a function once somebody imports it."""
    for name in autophagy.__all__:
        assert find_spec(f"autophagy.{name}") is None, name


def test_every_verb_works_twice():
    for _ in range(2):
        assert autophagy.predict(LOOP, 3).variance.shape == (2, 1)
        assert autophagy.simulate(LOOP, 3, seeds=8).sizes["generation"] == 1
        assert autophagy.compare(LOOP, [3], seeds=8, observables=["log_variance"]).table()
        assert autophagy.derive(LOOP).text()
    for name in autophagy.__all__:
        assert callable(getattr(autophagy, name)), name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="colapse"):
        autophagy.colapse  # noqa: B018 - the attribute access is the test


def test_loops_are_loaded_from_files_mappings_and_text(tmp_path):
    from theory.loop_file import to_json, to_mapping, to_toml

    path = tmp_path / "loop.toml"
    path.write_text(to_toml(LOOP))
    assert autophagy.load(path) == autophagy.load(str(path)) == LOOP
    assert autophagy.load(to_mapping(LOOP)) == autophagy.load(to_json(LOOP)) == LOOP
    assert autophagy.load(path, ["data.n=20"]).data.n == 20
    with pytest.raises(LoopError):
        autophagy.load({"source": {}})


def test_images_are_resolved():
    digits = Loop(Images("digits"), Replace(100))
    assert autophagy.predict(digits, 1, ["trace"]).trace.shape == (2, 1)
    assert digits.source == Images("digits")
