"""Verification: what it says of the claims as they stand, and of theories with a planted error."""

import csv
import json
import math
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import theory.bounds
import theory.law
import theory.predict
import theory.replace.first_passage
from autophagy import bounds_table
from autophagy.arguments import UsageError
from autophagy.asymptotics import is_of_order
from autophagy.comparison import compare
from autophagy.confrontation import OfBound, OfLaw, OfMoments
from autophagy.formula import Formulas
from autophagy.shared_runs import plan, shared
from autophagy.verification import Verification, check_claims, verify
from theory.claim import Case, Claim
from theory.claims import CLAIMS
from theory.loop import Gaussian, Loop, MaximumLikelihood, Replace, Sampler, Unbiased

LOOP = Loop(Gaussian(0.0, 1.0), Replace(10))
PLANE = Loop(Gaussian((0.0, 1.0), ((2.0, 0.5), (0.5, 1.0))), Replace(40))


def claim(observable, check="moments", *cases, status="exact", id="gaussian.X"):
    return Claim(id, observable, status, r"x = \frac12", "own derivation", "everywhere", check, cases)


MEANS = claim("variance", "moments", Case(LOOP, (1, 2)))
ERRORS = claim("mean_error_squared", "moments", Case(LOOP, (1, 2)))
LOGS = claim("log_variance", "moments", Case(LOOP, (1, 10)))
LAW = claim("variance", "law", Case(LOOP, (2,)))
PASSAGE = claim("half_life", "passage", Case(LOOP, ()))
BOUND = claim("std", "bound", Case(LOOP.with_(estimator=Unbiased()), (2, 20)))
LIMIT = replace(
    next(one for one in CLAIMS if one.id == "gaussian.R15"),
    cases=(Case(Loop(LOOP.source, Replace(100)), (50,)),),
)
MEDIAN = claim("log_variance", "law", Case(LOOP, (10,)), status="asymptotic")
SPACE = claim("log_det", "moments", Case(PLANE, (1, 3)))
BIASED = claim("mean_error_squared", "moments", Case(LOOP.with_(sampler=Sampler(bias=0.5)), (2, 3)))
FAMILIES = (MEANS, ERRORS, LOGS, LAW, PASSAGE, BOUND, LIMIT, MEDIAN, SPACE, BIASED)


def verdicts(monkeypatch, *claims):
    monkeypatch.setattr("theory.claims.CLAIMS", claims)
    return [row.verdict for row in verify(quick=True).rows]


@pytest.fixture(scope="module")
def verification():
    """Every kind of confrontation, the theory right."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("theory.claims.CLAIMS", FAMILIES)
        seen = []
        found = verify(quick=True, progress=lambda done, total: seen.append((done, total)))
        assert seen[-1][0] == seen[-1][1] == len(seen)
        return found


def test_right_theories_agree_and_their_controls_are_caught(verification):
    assert [row.verdict for row in verification.rows] == ["agrees"] * len(FAMILIES)
    assert all(row.control and row.largest_z < row.threshold for row in verification.rows)
    assert verification.holds
    assert verification.comparisons == sum(row.comparisons for row in verification.rows)


def _of(loop):
    """A planted error: theory reads another loop than the simulator."""
    return lambda right: lambda given, *rest: right(loop(given), *rest)


def _divisor(loop):
    other = Unbiased() if isinstance(loop.estimator, MaximumLikelihood) else MaximumLikelihood()
    return loop.with_(estimator=other)


def _unbiased_sampling(loop):
    return loop.with_(sampler=Sampler())


def _wrong_start(loop):
    return loop.with_(sampler=replace(loop.sampler, applies_to_source=True))


def _off_by_one(right):
    def wrong(loop, observable, generations):
        return right(loop, observable, [g + 1 for g in generations])

    return wrong


def _no_lambda_in_the_mean(right):
    """E m^2 as if each draw erred by sigma^2/n and not by lambda sigma^2/n."""

    def wrong(loop, observable, generations):
        moments = right(loop, observable, generations).copy()
        moments[0] /= loop.sampler.bias
        return moments

    return wrong


MOMENTS = "theory.predict.central_moments"
PLANTED = [
    (MEANS, MOMENTS, _of(_divisor)),
    (MEANS, MOMENTS, _off_by_one),
    (ERRORS, MOMENTS, _of(_divisor)),
    (ERRORS, MOMENTS, _off_by_one),
    (BIASED, MOMENTS, _of(_unbiased_sampling)),
    (BIASED, MOMENTS, _of(_wrong_start)),
    (BIASED, MOMENTS, _no_lambda_in_the_mean),
    (LOGS, MOMENTS, _of(_divisor)),
    (LOGS, MOMENTS, _off_by_one),
    (SPACE, MOMENTS, _of(_divisor)),
    (SPACE, MOMENTS, _off_by_one),
    (LAW, "theory.law.quantile", _of(_divisor)),
    (LAW, "theory.law.quantile", lambda right: lambda loop, name, g, p: right(loop, name, g + 1, p)),
    (PASSAGE, "theory.replace.first_passage.mean_half_life", _of(_divisor)),
    (BOUND, "theory.law.quantile", _of(_divisor)),
    (
        LIMIT,
        "theory.claims.law.limiting_moment",
        lambda right: lambda loop, *rest: right(_divisor(loop), *rest),
    ),
    (MEDIAN, "autophagy.asymptotics.asymptotic_median", lambda right: lambda loop, g: right(loop, g) + 0.02),
]


@pytest.mark.parametrize(("about", "where", "plant"), PLANTED)
def test_a_planted_error_is_found(monkeypatch, about, where, plant):
    module, name = where.rsplit(".", 1)
    right = getattr(__import__(module, fromlist=[name]), name)
    monkeypatch.setattr(where, plant(right))
    assert verdicts(monkeypatch, about) == ["disagrees"]


def test_a_bound_below_the_truth_is_found(monkeypatch):
    halved = tuple(
        replace(bound, value=lambda *setting, value=bound.value: 0.3 * value(*setting))
        for bound in theory.bounds.BOUNDS
    )
    monkeypatch.setattr("theory.bounds.BOUNDS", halved)
    assert verdicts(monkeypatch, BOUND) == ["disagrees"]


def test_a_case_with_too_heavy_a_tail_is_at_fault(monkeypatch):
    heavy = claim("variance_squared", "moments", Case(LOOP, (50,)))
    assert verdicts(monkeypatch, heavy) == ["not testable"]


def test_a_test_without_power_is_toothless(monkeypatch):
    """Fewer replicates than designed: agreement would mean nothing, and is not called so."""
    monkeypatch.setattr("autophagy.confrontation.OfMoments.replicates", lambda *_: 5_000)
    assert verdicts(monkeypatch, LOGS) == ["toothless"]


def test_the_order_of_an_error_is_measured():
    assert is_of_order(1, np.array([1.0]), np.array([0.25]))
    assert not is_of_order(1, np.array([1.0]), np.array([0.5]))
    assert not is_of_order(1, np.array([1.0]), np.array([1.0]))


def test_claims_are_named():
    assert check_claims(["R1"]) == check_claims(["gaussian.R1"]) != ()
    assert check_claims(()) == CLAIMS
    assert {claim.check for claim in check_claims((), bounds=True)} == {"bound"}
    with pytest.raises(UsageError, match=r"'gaussian.R99'.*gaussian.R1"):
        check_claims(["gaussian.R99"])
    with pytest.raises(UsageError, match=r"verify takes the ids of claims.*compare LOOP"):
        check_claims(["loop.toml"], bounds=True)


def test_the_bounds_of_a_claim_stand_beside_exact_values():
    found = bounds_table.of_claims(check_claims(["R12"], bounds=True), quick=True)
    first = found[0]
    n, t, threshold = (first.point[key] for key in ("n", "t", "threshold"))
    start = math.sqrt(check_claims(["R12"])[0].cases[0].loop.source.variance)
    suresh = start / threshold * math.exp(-t / (4 * n - 1))
    assert first.value == pytest.approx(suresh, rel=1e-3)  # the threshold is shown to four digits
    assert all(reading.holds and reading.tightness > 1 for reading in found)
    shown = bounds_table.table(found)
    assert "arXiv:2412.17646" in shown
    assert "expansion" not in shown


def test_only_what_was_left_out_is_explained(verification):
    partial = [row for row in verification.rows if row.tested < row.comparisons]
    assert ("too heavy" in verification.summary()) == bool(partial)
    full = replace(
        verification, rows=tuple(replace(row, tested=row.comparisons) for row in verification.rows)
    )
    assert "too heavy" not in full.summary()
    some = replace(verification, rows=(replace(verification.rows[0], tested=3, comparisons=5),))
    assert "Tests 3 of 5" in some.summary()


def test_every_claim_has_cases_and_every_letter_quick_ones():
    for about in CLAIMS:
        assert about.cases, (about.id, about.observable)
        timed = {len(case.generations) > 0 for case in about.cases if isinstance(case.loop, Loop)}
        assert timed <= {about.check != "passage"}
    for family in "RSMXACLEWH":
        found = [about for about in CLAIMS if about.id.startswith(f"gaussian.{family}")]
        assert any(case.quick for about in found for case in about.cases), family


def test_claims_about_one_loop_share_its_simulation():
    trials = [plan(about, about.cases[0]) for about in (MEANS, ERRORS, LAW)]
    assert list(map(type, trials)) == [OfMoments, OfMoments, OfLaw]
    assert isinstance(plan(BOUND, BOUND.cases[0]), OfBound)
    runs = [run for batch in shared(trials, 100, 2**20) for run in batch]
    assert [(run.keep, len(run.trials)) for run in runs] == [("summary", 2), ("replicates", 1)]


def test_the_table_is_written(verification, tmp_path):
    for name in ("table.html", "table.csv", "table.json"):
        verification.write(str(tmp_path / name))
    with (tmp_path / "table.csv").open() as file:
        assert [row["observable"] for row in csv.DictReader(file)] == [about.observable for about in FAMILIES]
    content = json.loads((tmp_path / "table.json").read_text())
    assert content["holds"] is True
    assert len(content["claims"]) == len(FAMILIES)
    assert verification.table().count("\n") > len(FAMILIES)


class Page(HTMLParser):
    """Checks that elements close, and that nothing is fetched."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        assert not {"src", "style"} & dict(attrs).keys() or tag == "i"
        assert dict(attrs).get("href", "#").startswith("#")
        assert tag not in ("script", "link")
        self.seen.append(tag)
        if tag not in ("meta", "br", "path", "use"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("path", "use"):
            assert self.open.pop() == tag


def test_the_page_stands_by_itself(verification):
    from autophagy.page import page

    parser = Page()
    parser.feed(page(verification))
    assert parser.open == []
    assert parser.seen.count("tr") == len(FAMILIES) + 1
    rows = [replace(verification.rows[0], verdict="disagrees", largest_z=np.inf), *verification.rows[1:]]
    failed = Verification(verification.claims, tuple(rows), verification.comparisons)
    assert not failed.holds
    assert "✗ disagrees" in page(failed)


def test_formulas_are_drawn():
    formulas = Formulas()
    assert formulas.picture(r"\tfrac12 \le x^{\tfrac1n}").startswith("<svg")
    assert formulas.definitions.count("<path") == 5  # 1, 2, x, n and the sign, each once
    formulas.picture("x = x")
    assert formulas.definitions.count("<path") == 6
    shown = formulas.picture(r"\begin{cases} a < b \end{cases}")
    assert shown == r"<code>\begin{cases} a &lt; b \end{cases}</code>"
    drawn = [formulas.picture(about.statement).startswith("<svg") for about in CLAIMS]
    assert all(drawn), [about.statement for about, good in zip(CLAIMS, drawn, strict=True) if not good]


def test_compare_says_how_many_seeds_would_do():
    comparison = compare(LOOP, [1, 50], 2_000, observables=["variance", "log_variance"])
    variance, logs = comparison.entries()["variance"], comparison.entries()["log_variance"]
    assert variance["verdict"] == ["agrees", "not testable"]
    assert variance["seeds_needed"][1] > 2_000
    assert "log_variance" in variance["advice"]
    assert logs["verdict"] == ["agrees", "agrees"]
    assert not comparison.disagrees
    assert len(comparison.rows()) == 4
    assert "not testable" in comparison.table()
    coded = comparison.dataset.variance.sel(statistic="verdict").values
    assert coded.tolist() == [1, 0]


def test_compare_judges_every_observable_in_space():
    comparison = compare(PLANE, 2, 30_000)
    assert not comparison.disagrees
    entries = comparison.entries()
    assert np.shape(entries["covariance"]["verdict"]) == (2, 2)
    assert entries["effective_rank"].keys() >= {"mean", "standard_error", "status", "reason"}
    assert "verdict" not in entries["effective_rank"]


def test_compare_measures_first_passages():
    comparison = compare(LOOP, 5, 20_000, observables=["half_life", "log_variance"])
    assert comparison.entries()["half_life"]["verdict"] == "agrees"
    assert "half_life" in comparison.table()


@pytest.mark.slow
def test_every_claim_agrees():
    found = verify()
    assert found.holds, found.table()


def test_a_first_order_formula_is_not_judged_as_if_it_were_exact():
    loop = Loop(Gaussian([0.0, 0.0, 0.0], [3.0, 1.0, 0.5]), Replace(50), Unbiased())
    comparison = compare(loop, [10], 100_000, observables=["w2_squared", "trace"])
    assert comparison.entries()["trace"]["verdict"] == "agrees"
    assert comparison.entries()["w2_squared"]["verdict"] == "not testable"
    assert "first order" in comparison.table()


def test_values_below_every_float_agree_with_nothing():
    comparison = compare(Loop(Gaussian(0, 1), Replace(2)), [3000], 100, observables=["variance"])
    assert comparison.entries()["variance"]["verdict"] == "not testable"
