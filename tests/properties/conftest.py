"""Profiles of the machine's search, and one closing line that says what it went through."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.properties.machine_tally import TALLY, tallied

settings.register_profile("soak", max_examples=100_000)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many histories there were, and of what."""
    if TALLY["histories"]:
        terminalreporter.write_line(f"payout histories: {tallied()}")
