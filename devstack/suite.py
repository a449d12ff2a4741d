"""
The whole suite in parts: each a process of pytest, several side by side.

Most tests wait for a clock, a node or another process; beside them the others compute. A part keeps its
output, its report and its coverage in files of its own, and starts its own servers: nothing a test does
to them reaches the tests of another part.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from devstack import paths
from devstack.console import Console

FOLDER = paths.STATE / "tests"
"""Output, report and coverage of the parts of the last run."""
SIDE_BY_SIDE = 3
"""Parts at once: one more than the cores of a small machine, because most of them wait."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the tests; *left_out* belong to another part."""

    name: str
    tests: str
    left_out: Sequence[str] = ()
    covered: bool = False
    """Whether the branches it goes through count: it runs in its own process all that decides."""

    @property
    def log(self) -> Path:
        return FOLDER / f"{self.name}.log"

    @property
    def report(self) -> Path:
        return FOLDER / f"{self.name}.xml"

    @property
    def coverage(self) -> Path:
        return FOLDER / f"{self.name}.coverage"

    def command(self) -> list[str]:
        """Return the pytest that runs it."""
        ignored = [f"--ignore={path}" for path in self.left_out]
        covered = ["--cov", "--cov-report="] if self.covered else []
        quiet = ["-p", "no:cacheprovider", f"--junitxml={self.report}", *covered]
        return [sys.executable, "-m", "pytest", self.tests, *ignored, *quiet]


REAL_HOST = "tests/integration/real_host"
PARTS = (
    Part("integration", "tests/integration", [REAL_HOST]),
    Part("unit", "tests/unit", covered=True),
    Part("soak", "tests/soak"),
    Part("properties", "tests/properties"),
    Part("deploy", "tests/deploy"),
    Part("faults", "tests/faults"),
    Part("wordpress", "tests/wordpress"),
    Part("contract", "tests/contract", covered=True),
    Part("real-host", REAL_HOST),
)
"""In the order they start: the long ones first, what waits beside what computes. Every test is in exactly one."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a part came out."""

    part: Part
    code: int
    seconds: float

    @property
    def good(self) -> bool:
        return self.code == 0


def run(console: Console, parts: Sequence[Part] = PARTS) -> list[Ended]:
    """Run *parts* side by side; each one's output is shown when it ends, of those that failed once more last."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    ended = []
    for each in _side_by_side(parts):
        ended.append(each)
        console.say(f"\nTests {each.part.name}: {'passed' if each.good else 'FAILED'} in {each.seconds:.0f} s", "bold")
        if each.good:
            _show(console, each)
    for each in ended:
        if not each.good:
            console.say(f"\nTests {each.part.name} FAILED with code {each.code}", "red")
            _show(console, each)
    return ended


def combine_coverage(parts: Sequence[Part] = PARTS) -> None:
    """Put the coverage of the *parts* that count together, where ``coverage report`` looks for it."""
    found = [str(part.coverage) for part in parts if part.coverage.exists()]
    subprocess.run([sys.executable, "-m", "coverage", "combine", "-q", *found], cwd=paths.ROOT, check=False)


def _side_by_side(parts: Sequence[Part]) -> Iterator[Ended]:
    with ThreadPoolExecutor(SIDE_BY_SIDE) as lanes:
        for each in as_completed([lanes.submit(_run, part) for part in parts]):
            yield each.result()


def _run(part: Part) -> Ended:
    began = time.monotonic()
    environment = {**os.environ, "COVERAGE_FILE": str(part.coverage)}
    with part.log.open("wb") as log:
        ended = subprocess.run(
            part.command(), cwd=paths.ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False
        )
    return Ended(part, ended.returncode, time.monotonic() - began)


def _show(console: Console, ended: Ended) -> None:
    console.say(ended.part.log.read_text("utf-8", errors="replace").rstrip())
