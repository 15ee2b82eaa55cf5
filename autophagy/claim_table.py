"""The README's table of claims, generated from the claims: `python -m autophagy.claim_table README.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from autophagy.files import write

BEGIN, END = "<!-- claims: begin -->", "<!-- claims: end -->"


def claim_table() -> str:
    """A Markdown table: a row for each claim."""
    from theory.claims import CLAIMS

    rows = ["| claim | observable | status | statement | source |", "|---|---|---|---|---|"]
    for claim in CLAIMS:
        statement = claim.statement.strip().strip("$").replace(r"\|", r"\Vert ").replace("|", r"\vert ")
        rows.append(
            f"| {claim.id} | `{claim.observable}` | {claim.status} | ${statement}$ | {claim.source} |"
        )
    return "\n".join(rows)


def table_in(text: str) -> str:
    """The table as it stands in `text`."""
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def with_table(text: str, table: str) -> str:
    """`text` with its table replaced."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    document = Path(sys.argv[1])
    updated = with_table(document.read_text(), claim_table())
    write(str(document), lambda draft: draft.write_text(updated))
