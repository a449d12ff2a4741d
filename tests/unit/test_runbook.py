"""The runbook has a heading for every alarm that can be raised, and for nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from distributor.model import HoldReason
from distributor.payout.catalogue import CATALOGUE
from distributor.state import WaitingReason
from tests.runbook import RUNBOOK

ROOT = Path(__file__).parents[2]
ENTRIES = re.findall(r"^### (\S+)$", RUNBOOK, re.MULTILINE)
REASONS = {f"waiting_{reason}" for reason in WaitingReason} | {f"held_{reason}" for reason in HoldReason}


def alarm_codes() -> set[str]:
    """Return a pattern for the code of every ``Alarm(code=…)`` in the app."""
    sources = [*ROOT.glob("*.py"), *(ROOT / "distributor").rglob("*.py"), *(ROOT / "foundation").rglob("*.py")]
    return {code for source in sources for code in _codes(ast.parse(source.read_text(encoding="utf-8")))}


def _codes(tree: ast.AST) -> Iterator[str]:
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    for call in calls:
        if isinstance(call.func, ast.Name) and call.func.id == "Alarm":
            yield from (_pattern(word.value) for word in call.keywords if word.arg == "code")


def _pattern(code: ast.expr) -> str:
    """Return the text of a constant; an f-string with ``.+`` for each of its values."""
    parts = code.values if isinstance(code, ast.JoinedStr) else [code]
    return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in parts)


def _headings() -> list[str]:
    return re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)


def test_every_reason_has_a_heading() -> None:
    """An operator who is woken by a reason finds it by searching for its code."""
    assert set(ENTRIES) >= REASONS


def test_every_alarm_of_the_code_has_a_heading() -> None:
    """An alarm nobody has written about is not raised."""
    codes = alarm_codes()

    assert codes
    assert [code for code in codes if not any(re.fullmatch(code, entry) for entry in ENTRIES)] == []


def test_no_heading_outlives_its_alarm() -> None:
    """A heading for something that is never raised would send the reader astray."""
    codes = alarm_codes()

    known = codes | REASONS | CATALOGUE.codes
    assert [entry for entry in ENTRIES if not any(re.fullmatch(code, entry) for code in known)] == []


def test_a_code_leads_to_one_place() -> None:
    """Two headings of one name would leave the second unread."""
    assert len(ENTRIES) == len(set(ENTRIES))


def test_every_entry_says_what_to_do() -> None:
    """At three in the morning a description is not enough."""
    bodies = re.split(r"^#+ .*$", RUNBOOK, flags=re.MULTILINE)[1:]
    entries = dict(zip(_headings(), bodies, strict=True))

    assert [entry for entry in ENTRIES if "**Do**:" not in entries[entry]] == []


def test_links_inside_the_runbook_lead_somewhere() -> None:
    """A link to a heading that was renamed is found here."""
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in _headings()}

    assert set(re.findall(r"\(#([\w-]+)\)", RUNBOOK)) <= anchors
