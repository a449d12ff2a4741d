"""The whole suite in parts side by side: every test in one, and a part that fails fails the run."""

import io
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from devstack import paths, run_tests, suite
from devstack.console import Console
from devstack.suite import PARTS, Part
from tests.one_order import refuse_sets


class Script(Part):
    """A part whose process is no pytest but a few lines of Python."""

    def command(self) -> list[str]:
        return [sys.executable, "-c", self.tests]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never the folder of the run that this test is part of."""
    monkeypatch.setattr(suite, "FOLDER", tmp_path / "tests")


def test_every_test_is_in_exactly_one_part() -> None:
    """A new folder of tests cannot be forgotten."""
    for module in (paths.ROOT / "tests").rglob("test_*.py"):
        name = module.relative_to(paths.ROOT).as_posix()
        holding = [
            part.name
            for part in PARTS
            if name.startswith(f"{part.tests}/") and not name.startswith(tuple(f"{path}/" for path in part.left_out))
        ]
        assert len(holding) == 1, (name, holding)


def test_a_part_is_a_pytest_with_files_of_its_own() -> None:
    """Its report, its coverage and its output are no other's."""
    files = [file for part in PARTS for file in (part.report, part.coverage, part.log)]
    command = Part("one", "tests/one", ["tests/one/two"], covered=True).command()

    assert len(set(files)) == 3 * len(PARTS)
    assert command[1:4] == ["-m", "pytest", "tests/one"]
    assert {"--ignore=tests/one/two", "--cov"} <= set(command)
    assert "--cov" not in Part("one", "tests/one").command()


def test_parts_run_side_by_side_and_what_failed_is_shown_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits here for a file of the other; the output of one that failed comes after everything else."""
    monkeypatch.setattr(suite, "SIDE_BY_SIDE", 2)
    folder = suite.FOLDER.parent
    meet = """
from pathlib import Path
import sys, time
Path("{mine}").touch()
while not Path("{other}").exists():
    time.sleep(0.01)
print("report of", "{mine}")
sys.exit({code})
"""
    one = meet.format(mine=folder / "1", other=folder / "2", code=3)
    two = meet.format(mine=folder / "2", other=folder / "1", code=0)
    out = io.StringIO()
    ended = suite.run(Console(out), [Script("one", one), Script("two", two)])

    assert {each.part.name: each.good for each in ended} == {"one": False, "two": True}
    assert out.getvalue().rstrip().endswith(f"report of {folder / '1'}")
    assert out.getvalue().count("report of") == 2


def test_the_coverage_of_the_parts_is_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that left none, because it never ran, is left out."""
    ran: list[Sequence[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: ran.append(command))
    parts = [Part("one", "tests/one", covered=True), Part("two", "tests/two", covered=True)]
    suite.FOLDER.mkdir(parents=True)
    parts[0].coverage.touch()
    suite.combine_coverage(parts)

    assert ran[0][1:] == ["-m", "coverage", "combine", "-q", str(parts[0].coverage)]


@pytest.mark.parametrize(("part", "gate", "code"), [(0, True, 0), (1, True, 1), (0, False, 1)])
def test_a_part_or_a_gate_that_fails_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, part: int, gate: bool, code: int
) -> None:
    """With its name, after the table of counts."""
    ended = [suite.Ended(Part("one", "tests/one"), part, 1.0)]
    monkeypatch.setattr(suite, "run", lambda _console: ended)
    monkeypatch.setattr(suite, "combine_coverage", lambda: None)
    monkeypatch.setattr(run_tests, "gates", lambda: [run_tests.Gate("a gate", [])])
    monkeypatch.setattr(run_tests, "_passes", lambda *_: gate)
    out = io.StringIO()

    assert run_tests.run(Console(out), []) == code
    assert ("Parts not passed: one" in out.getvalue()) is bool(part)
    assert ("Gates not passed: a gate, coverage 100 %" in out.getvalue()) is not gate


@pytest.mark.parametrize("given", [{"a", "b"}, frozenset({"a"})])
def test_parameters_that_are_a_set_are_refused(given: Iterable[str]) -> None:
    """Their order is each process's own, and the processes of the short loop would not begin."""
    for mark in (pytest.mark.parametrize("each", given), pytest.mark.parametrize(argnames="each", argvalues=given)):
        with pytest.raises(pytest.UsageError, match="sorted"):
            refuse_sets(_asked(mark))


def test_parameters_in_an_order_are_taken() -> None:
    """A list is the same in each process."""
    refuse_sets(_asked(pytest.mark.parametrize("each", ["a", "b"])))


def _asked(mark: pytest.MarkDecorator) -> pytest.Metafunc:
    definition = SimpleNamespace(nodeid="test_it", iter_markers=lambda name: [mark.mark] if name == mark.name else [])
    return cast("pytest.Metafunc", SimpleNamespace(definition=definition))
