"""Every alarm is in the catalogue, in both languages, and in the runbook."""

from __future__ import annotations

import re

from distributor.payout.catalogue import CATALOGUE, OTHERS, PORTUGUESE
from foundation.alarms.catalogue import SHARED, Severity
from tests.unit.test_runbook import ENTRIES, REASONS, alarm_codes


def test_every_code_that_can_be_raised_is_in_the_catalogue() -> None:
    """Also those an f-string makes."""
    raised = alarm_codes()

    assert [code for code in raised if not any(re.fullmatch(code, known) for known in CATALOGUE.codes)] == []
    assert CATALOGUE.codes >= REASONS


def test_every_code_of_the_catalogue_is_in_the_runbook() -> None:
    """Its anchor is a heading there; and no heading is about something else."""
    assert {CATALOGUE.find(code).anchor for code in CATALOGUE.codes} == set(ENTRIES)


def test_every_code_is_written_in_portuguese() -> None:
    """And no other one."""
    assert (
        set(PORTUGUESE) | {kind.code for kind in SHARED}
        == CATALOGUE.codes
        == REASONS | set(OTHERS) | {kind.code for kind in SHARED}
    )
    assert all(text.summary.endswith(".") and text.action.endswith((".", ").")) for text in PORTUGUESE.values())


def test_what_endangers_money_is_critical() -> None:
    """The worst comes first in a post."""
    critical = {code for code in CATALOGUE.codes if CATALOGUE.find(code).severity is Severity.CRITICAL}

    assert {"nonce_lost", "held_no_transfer", "waiting_ledger_foreign", "invariant_broken"} <= critical
    assert "low_gas" not in critical
