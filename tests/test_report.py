"""The report: everything in one file, and nothing fetched."""

import re

import paper_figs
from autophagy.__main__ import main
from theory.claim import Case, Claim
from theory.loop import Gaussian, Loop, Replace

ONE = Claim(
    "gaussian.X", "log_variance", "exact", r"x = \frac12", "own derivation", "everywhere", "moments",
    (Case(Loop(Gaussian(0.0, 1.0), Replace(10)), (1,)),),
)  # fmt: skip


def test_the_report_holds_claims_and_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("theory.claims.CLAIMS", (ONE,))
    monkeypatch.setattr(paper_figs, "FIGURES", {"digits_samples": paper_figs.FIGURES["digits_samples"]})
    target = tmp_path / "report.html"
    assert main(["report", "--quick", "-o", str(target)]) == 0
    text = target.read_text()
    assert "1 of 1 claims agree" in capsys.readouterr().out
    assert text.count("<figure>") == 1
    sources = re.findall(r'(?:src|href)="([^"]{5})', text)
    assert sources
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert not re.search(r"<(script|link)", text)


def test_a_report_elsewhere_is_refused(capsys):
    assert main(["report", "-o", "report.pdf"]) == 2
    assert "report.pdf" in capsys.readouterr().err
