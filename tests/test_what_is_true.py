"""The generated chapter is what the claims say now."""

from pathlib import Path

from autophagy.what_is_true import main, page
from theory.claims import CLAIMS

PAGE = Path(__file__).parents[1] / "docs" / "what_is_true.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run python -m autophagy.what_is_true docs/what_is_true.md"
    )


def test_every_claim_is_on_it_once():
    text = page()
    for claim in CLAIMS:
        assert claim.statement in text
    for subject in ("gaussian.", "mixture."):
        assert text.count(f"\n**{subject}") == sum(claim.id.startswith(subject) for claim in CLAIMS)


def test_it_writes_where_it_is_told(tmp_path):
    assert main([str(tmp_path / "page.md")]) == 0
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == page()
    assert main([]) == 2
