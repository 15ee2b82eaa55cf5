"""`--text FILE`: a loop starts from that text, and what is no text is refused in one sentence."""

import json

import pytest
from test_cli import PROSE, run, run_json

from theory.loop import LoopError
from theory.loop_file import from_mapping

RIGHT = "the cat sat on the mat. the dog sat on the log. "
SAMPLED = {
    "simulate": ("-t", "1", "--seeds", "20", "--observable", "support"),
    "compare": ("-t", "1", "--seeds", "20", "--observable", "support"),
    "predict": ("-t", "1"),
}
"""The commands that take a loop, with what else they need."""

BAD = {
    "unknown": (None, "the file cannot be read: No such file or directory"),
    "empty": (b"", "at least 2 characters is needed: it has 0"),
    "one symbol": (b"a", "at least 2 characters is needed: it has 1"),
    "no UTF-8": (b"\xff\xfethe cat", "it is not text in UTF-8"),
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", SAMPLED)
@pytest.mark.parametrize("case", BAD)
def test_what_is_no_text_is_one_sentence_and_nothing_is_written(capsys, place, command, case):
    content, reason = BAD[case]
    if content is not None:
        (place / "text.txt").write_bytes(content)
    before = {path.name for path in place.iterdir()}
    arguments = (*SAMPLED[command], "-o", "found.json")
    code, out, err = run(capsys, command, PROSE, "--text", "text.txt", *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "source.text is 'text.txt'" in err
    assert reason in err
    assert {path.name for path in place.iterdir()} == before


def test_a_loop_starts_from_the_text_that_is_named(capsys, place):
    """The same as in the loop file itself; symbols are those of the text, and a model cannot have more."""
    (place / "text.txt").write_text(RIGHT)
    found = run_json(
        capsys, "simulate", PROSE, "--text", "text.txt", *SAMPLED["simulate"], "-o", "found.json"
    )
    assert found["loop"]["source"]["text"] == "text.txt"
    written = json.loads(PROSE)
    written["source"]["text"] = "text.txt"
    assert run_json(capsys, "simulate", json.dumps(written), *SAMPLED["simulate"]) == found
    assert json.loads((place / "found.json").read_text())["observables"] == found["observables"]
    assert 1 < found["observables"]["support"]["mean"] <= len(set(RIGHT))
    (place / "text.txt").write_text(RIGHT.upper() + RIGHT)  # written again it is another text
    other = run_json(capsys, "simulate", PROSE, "--text", "text.txt", *SAMPLED["simulate"])
    assert other["observables"] != found["observables"]


def test_compare_measures_what_theory_does_not_know_of_a_text(capsys, place):
    (place / "text.txt").write_text(RIGHT)
    found = run_json(capsys, "compare", PROSE, "--text", "text.txt", *SAMPLED["compare"])
    measured = run_json(capsys, "simulate", PROSE, "--text", "text.txt", *SAMPLED["simulate"])
    alone = measured["observables"]["support"]["mean"]
    assert found["observables"]["support"]["mean"] == alone


def test_theory_knows_nothing_of_a_real_text(capsys, place):
    (place / "text.txt").write_text(RIGHT)
    code, out, err = run(capsys, "predict", PROSE, "--text", "text.txt", "-t", "1", "--observable", "support")
    assert (code, out) == (3, "")
    assert "only measurements are known" in err


def test_a_text_of_one_symbol_again_and_again_stays_what_it_is(capsys, place):
    (place / "text.txt").write_text("a" * 9)
    found = run_json(capsys, "simulate", PROSE, "--text", "text.txt", *SAMPLED["simulate"])
    assert found["observables"]["support"] == pytest.approx({"mean": 1, "variance": 0, "standard_error": 0})


def test_only_a_markov_source_has_a_text(capsys, place):
    (place / "text.txt").write_text(RIGHT)
    gaussian = {"source": {"family": "gaussian", "mean": 0, "variance": 1, "text": "text.txt"},
                "data": {"policy": "replace", "n": 10}}  # fmt: skip
    with pytest.raises(LoopError, match=r"source\.text"):
        from_mapping(gaussian)
    del gaussian["source"]["text"]
    code, out, err = run(
        capsys, "simulate", json.dumps(gaussian), "--text", "text.txt", "-t", "1", "--seeds", "2"
    )
    assert (code, out) == (2, "")
    assert (err.count("\n"), "source.text" in err) == (1, True)
