"""The figures of the soak, printed at the end of the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

FIGURES = pytest.StashKey[str]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the soak said when it ended."""
    if FIGURES in config.stash:
        terminalreporter.section("soak")
        terminalreporter.line(config.stash[FIGURES])


@pytest.fixture
def soak_figures(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Where the test leaves what is to be printed."""
    figures: list[str] = []
    yield figures
    request.config.stash[FIGURES] = "\n".join(figures)
