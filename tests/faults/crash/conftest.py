"""The crash table, filled once, and printed at the end of the run."""

from __future__ import annotations

from itertools import groupby

import pytest

from devstack import servers
from tests.faults.crash.choice import SEED
from tests.faults.crash.table import CrashTable, Meanwhile, Outcome, fill

_FILLED = pytest.StashKey[CrashTable]()


@pytest.fixture(scope="session")
def crash_table(request: pytest.FixtureRequest, azurite: servers.Azurite) -> CrashTable:
    """Run its points on real storage and real chains."""
    return request.config.stash.setdefault(_FILLED, fill(azurite))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print each call, how many processes were killed at it, and what the chain says of their orders."""
    table = config.stash.get(_FILLED, None)
    if table is None:
        return
    terminalreporter.section("crash table: killed before and after a call")
    for number, group in groupby(sorted(table.outcomes, key=_number), key=_number):
        killed = list(group)
        once = sum(len(each.transfers) == 1 for each in killed)
        also = ", ".join(sorted({each.point.meanwhile for each in killed} - {Meanwhile.NOTHING}))
        call = table.calls[number]
        terminalreporter.line(
            f"{number:>3} {call.phase:<12} {len(killed)} killed, {once} paid once  {call.what}"
            + (f"  [and: {also}]" if also else "")
        )
    terminalreporter.line(
        f"{len(table.calls)} calls, {len(table.outcomes)} processes killed (CRASH_SEED={SEED}): "
        f"{table.paid(lambda times: times == 1)} orders paid once, "
        f"{table.paid(lambda times: times > 1)} paid twice, {table.paid(lambda times: times == 0)} lost"
    )


def _number(outcome: Outcome) -> int:
    return outcome.point.trip.at
