"""What the tests came to, of both apps in one table: a line for each kind, a column for each app."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

APPS = ("distributor", "payflow", "foundation")
"""Whose code a test is about: a folder of that name below the kind says so; without one it is the distributor's."""


@dataclass(slots=True)
class Tally:
    """What ran, by kind (the folder of ``tests/`` a test is in, and Foundry's own tests) and app."""

    passed: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)

    def lines(self) -> list[str]:
        """Return the table: of each kind what passed for each app, then all of it."""
        kinds = sorted({kind for kind, _ in self.passed | self.failed | self.skipped})
        heads = [*APPS, "passed", "failed", "skipped"]
        table = [("", heads), *((kind, self._row([kind])) for kind in kinds), ("all", self._row(kinds))]
        return [f"  {name:<12}" + "".join(f"{cell:>12}" for cell in cells) for name, cells in table]

    def closing(self) -> str:
        skipped = f", {self.skipped.total()} skipped" if self.skipped.total() else ""
        return f"{self.passed.total()} passed, {self.failed.total()} failed{skipped}"

    def _row(self, kinds: Sequence[str]) -> list[str]:
        by_app = [
            [sum(count[kind, app] for kind in kinds) for app in APPS]
            for count in (self.passed, self.failed, self.skipped)
        ]
        return [str(number) for number in (*by_app[0], *map(sum, by_app))]


def tally(reports: Iterable[Path]) -> Tally:
    """Count the tests in pytest's reports; a test may add Foundry's count as the property ``forge_passed``."""
    found = Tally()
    for report in reports:
        if report.exists():
            _count(found, report)
    return found


def _count(found: Tally, report: Path) -> None:
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 -- pytest wrote it a moment ago
        folders = case.get("classname", "").split(".")[1:]
        app = next((app for app in APPS if app in folders), APPS[0])
        outcome = found.passed
        if case.find("failure") is not None or case.find("error") is not None:
            outcome = found.failed
        elif case.find("skipped") is not None:
            outcome = found.skipped
        outcome[folders[0] if folders else "other", app] += 1
        for extra in case.iter("property"):
            if extra.get("name") == "forge_passed":
                found.passed["forge", app] += int(extra.get("value", "0"))
