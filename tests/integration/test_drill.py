"""
The drills on a real stack: each trouble raises its alarm, and what waited is paid once it is healed.

Every run plays the first drill, one whose page has a command, and another; ``DRILLS=all`` plays them all.
"""

from __future__ import annotations

import io
import os
import random
import re
from pathlib import Path

import pytest

from devstack.console import Console, StepFailed
from devstack.drill import run as drills
from devstack.drill.troubles import TROUBLES

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"

TYPED = "held_simulation"
"""Healed by the command of its page."""
DRAWN = 1
DRILLS = os.environ.get("DRILLS")
"""Read at once: a test runs without what was set around it."""

pytestmark = pytest.mark.usefixtures("azurite")


def test_every_drill_is_a_heading_of_the_runbook() -> None:
    """By its name an alarm leads to the page, and the page to its drill."""
    assert set(TROUBLES) <= set(re.findall(r"^### (\S+)$", RUNBOOK.read_text("utf-8"), re.MULTILINE))


def test_the_runbook_counts_the_drills_there_are() -> None:
    """And ``drill --list`` names each with its trouble."""
    out = io.StringIO()

    assert drills.names(Console(out)) == 0
    assert [line.partition(":")[0] for line in out.getvalue().splitlines()] == list(TROUBLES)
    assert f"There is a drill for {len(TROUBLES)} of the headings" in RUNBOOK.read_text("utf-8")


def test_each_trouble_is_told_and_healed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One stack for all; Enter heals, and so does an input that has ended. /ready and the commands show the alarm."""
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    first, *others = TROUBLES
    names = [first, *(others if DRILLS == "all" else [TYPED, *random.sample([*set(others) - {TYPED}], DRAWN)])]
    out = io.StringIO()

    assert drills.run(Console(out), names, once=False) == 0

    said = out.getvalue()
    assert all(f'"{name}"' in said for name in names)
    assert said.count("healed: its orders are ") == said.count("/console    (personal token: ") == len(names)
    assert re.search(r"^  typed: python -m distributor retry drill-\d+ --why drill --apply$", said, re.MULTILINE)


def test_an_unknown_drill_names_those_there_are() -> None:
    """Before anything is started."""
    with pytest.raises(StepFailed, match=r"no such drill: coffee\. There are: transaction_open_long"):
        drills.run(Console(io.StringIO()), ["coffee"], once=True)
