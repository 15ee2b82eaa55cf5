"""The command line as a person and a script meet it."""

import io
import json
import subprocess
import sys

import pytest

from autophagy.__main__ import main
from autophagy.output import plain
from theory.discrete_source import Categorical
from theory.loop import Gaussian, Loop, Replace, Unbiased
from theory.loop_file import from_mapping, to_json, to_toml
from theory.selection import Verifier

LOOP = Loop(Gaussian(0, 1), Replace(10))
TEXT = to_json(LOOP)
PLANE = to_json(Loop(Gaussian([0, 0], [[3, 0], [0, 0.5]]), Replace(12)))

PROSE = '{"source":{"family":"markov"},"data":{"policy":"replace","n":200}}'
BREEDS = to_json(Loop(Categorical([0.55, 0.2, 0.12, 0.08, 0.03, 0.02]), Replace(20)))
VERIFIED = to_json(Loop(Gaussian(0.1, 0.7), Replace(10), selection=Verifier(0.1, 1)))
DIGITS = '{"source":{"family":"images","dataset":"digits"},"data":{"policy":"replace","n":100}}'


def run(capsys, *arguments):
    """Exit code, standard output, standard error of one command."""
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_json(capsys, *arguments):
    code, out, _ = run(capsys, *arguments, "--json")
    assert code == 0
    return json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


BAD = [
    (
        ["predict", '{"source":{"family":"gaussian","mean":0,"variance":1,"skew":1},"data":{}}', "-t", "5"],
        "skew",
    ),
    (["predict", TEXT, "--set", "data.n=1", "-t", "5"], "data.n is 1"),
    (["predict", TEXT, "--set", "source.variance=-1", "-t", "5"], "source.variance is -1.0"),
    (["predict", PLANE, "--set", "source.variance=[[1,2],[3,1]]", "-t", "5"], "not symmetric"),
    (["predict", PLANE, "--set", "source.variance=[[1,2],[2,1]]", "-t", "5"], "positive definite"),
    (["predict", TEXT, "--set", "data.n=__import__('os')", "-t", "5"], "__import__"),
    (["predict", TEXT, "--set", "data.n=[10, 10]", "-t", "5"], "generation 5"),
    (["predict", TEXT, "--set", "data.policy=peers", "-t", "5"], "data.n"),
    (["predict", TEXT, "--set", "nonsense", "-t", "5"], "table.key=value"),
    (["predict", TEXT, "-t", "0"], "generation 0"),
    (["predict", TEXT, "-t", "5:1"], "5:1"),
    (["predict", TEXT, "-t", "3,2"], "increase"),
    (["predict", TEXT, "-t", "soon"], "soon"),
    (["predict", TEXT, "-t", "1:9999999999"], "at a time"),
    (["predict", TEXT, "-t", "5", "--observable", "temper"], "temper"),
    (["predict", TEXT, "-t", "5", "--quantiles", "0.5,1.5"], "1.5"),
    (["predict", TEXT, "-t", "5", "--cdf", "variance"], "variance"),
    (["predict", TEXT, "-t", "inf", "--quantiles", "0.5"], "inf"),
    (["predict", TEXT, "-t", "5", "--cdf", "kl_to_source=1"], "kl_to_source"),
    (["predict", TEXT, "-t", "5", "-o", "result.xls"], "result.xls"),
    (["predict", TEXT, "-t", "5", "-o", "/proc/absent/result.json"], "/proc/absent"),
    (["predict", TEXT, "-t", "5", "-o", "absent/result.csv"], "the folder 'absent' does not exist"),
    (["report", "-o", "absent/report.html"], "the folder 'absent' does not exist"),
    (["figures", "-o", "absent/figures"], "the folder 'absent' does not exist"),
    (["train", TEXT, "-t", "1", "-o", "absent/run"], "the folder 'absent' does not exist"),
    (["sweep", TEXT, "-o", "absent/store"], "the folder 'absent' does not exist"),
    (["predict", PROSE, "--set", "source.text=absent.txt", "-t", "1"], "source.text is 'absent.txt'"),
    (["predict", TEXT, "--set", "data=3000000000", "-t", "5"], "data.n=3000000000"),
    (["data", "check", "nothing"], "'nothing' is unknown"),
    (["predict", "absent.toml", "-t", "5"], "absent.toml"),
    (["predict", TEXT], "-t"),
    (["simulate", TEXT, "-t", "5", "--seeds", "0"], "'0'"),
    (["simulate", TEXT, "-t", "5", "--seeds", "10", "--seed", "-1"], "'-1'"),
    (["simulate", TEXT, "-t", "inf", "--seeds", "10"], "inf"),
    (["compare", TEXT, "-t", "inf", "--seeds", "10"], "inf"),
    (
        ["simulate", TEXT, "-t", "5", "--seeds", "10", "--engine", "exact", "--set", "sampler.truncate=2"],
        "truncate",
    ),
    (["verify", "gausian.R10", "--quick"], "did you mean gaussian.R10"),
    (["figures", "figure99"], "figure99"),
    (["figures", "-o", "/proc/absent"], "/proc/absent"),
    (["dance"], "dance"),
    ([], "COMMAND"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD)
def test_bad_input_is_one_sentence_and_exit_code_2(capsys, arguments, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert named in err
    assert not list(tmp_path.iterdir())


def test_predict_speaks_the_interface(capsys):
    content = run_json(capsys, "predict", TEXT, "-t", "7")
    assert from_mapping(content["loop"]) == LOOP
    assert content["generation"] == 7
    variance = content["observables"]["variance"]
    # E sigma_t^2 = (1 - 1/n)^t (the maximum-likelihood divisor loses 1/n of it at each fit).
    assert variance["mean"] == pytest.approx(0.9**7, rel=1e-12)
    assert (variance["status"], variance["claim"]) == ("exact", "gaussian.R1")
    several = run_json(capsys, "predict", TEXT, "-t", "1:7", "--observable", "variance")
    assert several["generation"] == list(range(1, 8))
    assert list(several["observables"]) == ["variance"]
    assert several["observables"]["variance"]["mean"][6] == variance["mean"]


def test_predict_in_the_limit(capsys):
    content = run_json(capsys, "predict", TEXT, "--set", "estimator.name=unbiased", "-t", "inf")
    variance = content["observables"]["variance"]
    assert content["generation"] == "inf"
    assert variance["mean"] == 1
    assert variance["almost_surely"] == 0
    assert content["observables"]["mean_error_squared"]["mean"] == "inf"
    assert content["observables"]["log_variance"]["mean"] == "-inf"


def test_predict_adds_laws_where_asked(capsys):
    content = run_json(
        capsys, "predict", TEXT, "-t", "3", "--cdf", "variance=0.4", "--quantiles", "0.05,0.5,0.95"
    )
    variance = content["observables"]["variance"]
    assert 0 < variance["cdf"]["0.4"] < 1
    low, middle, high = (variance["quantiles"][p] for p in ("0.05", "0.5", "0.95"))
    assert low < middle < high
    back = run_json(capsys, "predict", TEXT, "-t", "3", "--cdf", f"variance={middle!r}")
    assert list(back["observables"]["variance"]["cdf"].values()) == [pytest.approx(0.5, abs=1e-9)]


def test_statements_in_latex_beside_or_instead(capsys):
    arguments = ("predict", TEXT, "-t", "3", "--observable", "variance", "--latex")
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert "\\sigma" in out
    assert run_json(capsys, *arguments)["observables"]["variance"]["latex"] == out.strip()


def test_laws_at_several_generations(capsys):
    content = run_json(capsys, "predict", TEXT, "-t", "2,4", "--quantiles", "0.5", "--cdf", "std=1")
    alone = run_json(capsys, "predict", TEXT, "-t", "4", "--quantiles", "0.5", "--cdf", "std=1")
    for name, key in (("variance", "quantiles"), ("std", "cdf")):
        several = next(iter(content["observables"][name][key].values()))
        assert several[1] == pytest.approx(next(iter(alone["observables"][name][key].values())), rel=1e-12)


def test_asking_by_name_for_what_has_no_closed_form_exits_3(capsys):
    arguments = ("predict", PLANE, "-t", "5")
    assert run_json(capsys, *arguments)["observables"]["effective_rank"]["status"] == "none"
    code, out, err = run(capsys, *arguments, "--observable", "effective_rank")
    assert (code, out, err.count("\n")) == (3, "", 1)
    code, _, err = run(
        capsys, "predict", TEXT, "--set", "data.n=3", "-t", "5", "--observable", "kl_from_source"
    )
    assert code == 3
    assert "n" in err


def test_simulate_speaks_the_interface(capsys):
    content = run_json(capsys, "simulate", TEXT, "-t", "1,5", "--seeds", "300", "--seed", "4")
    assert (content["seeds"], content["seed"], content["engine"]) == (300, 4, "exact")
    variance = content["observables"]["variance"]
    assert len(variance["mean"]) == len(variance["standard_error"]) == 2
    assert all(error > 0 for error in variance["standard_error"])
    again = run_json(capsys, "simulate", TEXT, "-t", "1,5", "--seeds", "300", "--seed", "4")
    assert again == content
    other = run_json(capsys, "simulate", TEXT, "-t", "1,5", "--seeds", "300", "--seed", "5")
    assert other["observables"] != content["observables"]


def test_simulate_measures_first_passages(capsys):
    content = run_json(capsys, "simulate", TEXT, "-t", "1", "--seeds", "300", "--observable", "half_life")
    assert content["observables"]["half_life"]["mean"] > 1
    assert content["observables"]["half_life"]["censored"] == 0


def test_compare_agrees_and_disagrees(capsys, monkeypatch):
    arguments = (
        "compare",
        TEXT,
        "-t",
        "1,5",
        "--seeds",
        "4000",
        "--observable",
        "log_variance",
        "mean_error",
    )
    content = run_json(capsys, *arguments)
    verdicts = content["observables"]["log_variance"]["verdict"]
    assert set(verdicts) == {"agrees"}

    import theory.predict

    right = theory.predict.predict

    def wrong(loop, *rest):
        return right(Loop(loop.source, loop.data, Unbiased()), *rest)

    monkeypatch.setattr("theory.predict.predict", wrong)
    monkeypatch.setattr("autophagy.comparison.predict", wrong, raising=False)
    code, out, _ = run(capsys, *arguments, "--json")
    assert code == 1
    assert "disagrees" in json.loads(out)["observables"]["log_variance"]["verdict"]


def test_derive_shows_the_recursion(capsys):
    code, out, _ = run(capsys, "derive", TEXT)
    assert code == 0
    assert out.strip()
    code, out, _ = run(capsys, "derive", TEXT, "--latex")
    assert code == 0
    assert "\\" in out


@pytest.mark.parametrize("ending", ["csv", "json", "nc"])
@pytest.mark.parametrize(
    "command", [["predict"], ["simulate", "--seeds", "20"], ["compare", "--seeds", "20"]]
)
def test_results_are_written_to_files(capsys, tmp_path, command, ending):
    path = tmp_path / f"result.{ending}"
    code, _, err = run(capsys, command[0], TEXT, "-t", "1:3", *command[1:], "-o", path)
    assert (code, err) == (0, "")
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_size > 100


@pytest.mark.parametrize("ending", ["pdf", "png"])
def test_a_comparison_is_drawn(capsys, tmp_path, ending):
    path = tmp_path / f"picture.{ending}"
    assert run(capsys, "compare", TEXT, "-t", "1:5", "--seeds", "50", "-o", path)[0] == 0
    assert path.stat().st_size > 1000


def test_loops_come_from_files_and_standard_input(capsys, tmp_path, monkeypatch):
    path = tmp_path / "loop.toml"
    path.write_text(to_toml(LOOP))
    expected = run_json(capsys, "predict", TEXT, "-t", "2")
    assert run_json(capsys, "predict", path, "-t", "2") == expected

    class Input:
        buffer = io.BytesIO(TEXT.encode())

    monkeypatch.setattr(sys, "stdin", Input)
    assert run_json(capsys, "predict", "-", "-t", "2") == expected


def test_digits_are_a_source(capsys):
    content = run_json(capsys, "predict", DIGITS, "-t", "3", "--observable", "trace", "log_det")
    assert content["loop"]["source"] == {"family": "images", "dataset": "digits"}
    assert content["observables"]["trace"]["status"] == "exact"


def test_a_refusal_of_generations_names_its_option_once(capsys):
    assert run(capsys, "predict", TEXT, "-t", "3,2")[2].count("-t") == 1


def test_finite_generations_and_the_limit_in_one_table(capsys):
    content = run_json(capsys, "predict", TEXT, "-t", "1,3,inf", "--observable", "variance")
    assert content["generation"] == [1, 3, "inf"]
    assert content["observables"]["variance"]["mean"] == pytest.approx([0.9, 0.729, 0], rel=1e-12)


def test_tables_are_no_wider_than_a_screen(capsys):
    """Vectors that would make them so are taken apart, components numbered from 1 as in files."""
    out = run(capsys, "predict", BREEDS, "-t", "1,4")[1]
    assert max(map(len, out.splitlines())) <= 120
    assert "extinct[6]" in out
    assert "extinct[0]" not in out


def test_dust_is_zero_in_tables_alone(capsys):
    """A mean of 0.1 and a spread of 0.8 leave an error of 2e-16; what is smaller in a table is 0."""
    arguments = ("predict", VERIFIED, "-t", "1,7", "--observable", "mean_error", "mean_error_fourth")
    content = run_json(capsys, *arguments)
    assert 0 < abs(content["observables"]["mean_error"]["mean"][1]) < 2**-52
    out = run(capsys, *arguments)[1]
    assert "e-" not in out
    beside = 'data={"policy":"fixed","real":100,"synthetic":1}'
    small = run(capsys, "predict", BREEDS, "-t", "1", "--observable", "extinct", "--set", beside)[1]
    assert "e-35" in small  # a probability of 0.45^100 is no dust


def test_what_is_asymptotic_is_marked_and_its_error_said(capsys):
    out = run(capsys, "predict", VERIFIED, "-t", "7")[1]
    assert "~0.132432" in out
    assert "the error is of order 1/n" in " ".join(out.split())


def test_rows_say_how_a_value_is_known(capsys, tmp_path):
    path = tmp_path / "rows.csv"
    run(capsys, "predict", TEXT, "-t", "1,2", "-o", path)
    heading, *rows = path.read_text().splitlines()
    assert heading.split(",")[-2:] == ["status", "claim"]
    assert all(row.split(",")[-2] in ("exact", "recursion", "none", "infinite") for row in rows)


def test_a_simulation_says_where_it_grows_without_bound(capsys):
    arguments = (TEXT, "-t", "2", "--set", "sampler.bias=1.3")
    told = run_json(capsys, "predict", *arguments)["threshold"]
    for command in ("simulate", "compare"):
        assert run_json(capsys, command, *arguments, "--seeds", "20")["threshold"] == told


def test_what_is_known_of_one_generation_is_shown_beside_those_that_are_not(capsys):
    chain = 'source={"family":"markov","transition":[[0.9,0.1],[0.5,0.5]]}'
    out = run(capsys, "predict", TEXT, "-t", "1,2", "--set", chain)[1]
    rows = [line.split()[:2] for line in out.splitlines()]
    assert ["1", "entropy"] in rows
    assert ["2", "entropy"] not in rows


def test_replicates_that_never_passed_are_counted(capsys):
    out = run(capsys, "simulate", TEXT, "-t", "1", "--seeds", "20", "--observable", "half_life",
              "--max-generations", "1")[1]  # fmt: skip
    assert "of 20 replicates had not passed" in out


def test_a_note_names_the_categories_it_is_about(capsys):
    loop = to_json(Loop(Categorical([0.9, 0.08, 0.02]), Replace(100)))
    out = run(capsys, "compare", loop, "-t", "1", "--seeds", "100", "--observable", "extinct")[1]
    assert "no replicate showed it" in out
    assert "category 2: no replicate" in " ".join(out.split())


def test_infinities_are_words_and_nan_is_nothing():
    assert plain([float("inf"), float("-inf"), float("nan"), 1.0]) == ["inf", "-inf", None, 1.0]


def test_a_reader_may_leave(tmp_path):
    command = f"{sys.executable} -m autophagy predict '{TEXT}' -t 1:2000 --observable variance | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
