"""``chaos`` at the command line."""

from __future__ import annotations

import pytest

from devstack import command, setup
from devstack.chaos import run as chaos
from devstack.console import Console


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["chaos"], (3.0, 1, 20)),
        (["chaos", "--minutes", "0.5", "--seed", "7", "--burst", "150"], (0.5, 7, 150)),
    ],
)
def test_chaos_is_told_how_long_and_with_which_seed(
    arguments: list[str], asked: tuple[float, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three minutes when nobody says; its exit code is the command's."""
    found: list[tuple[float, int, int]] = []

    def run(_console: Console, *, minutes: float, seed: int, burst: int) -> int:
        found.append((minutes, seed, burst))
        return 1

    monkeypatch.setattr(chaos, "run", run)
    monkeypatch.setattr(setup, "in_venv", lambda: True)
    monkeypatch.setattr(setup, "prepare_python", lambda _console: None)
    monkeypatch.setattr(setup, "prepare_rest", lambda _console: None)

    assert command.main(arguments) == 1
    assert found == [asked]
