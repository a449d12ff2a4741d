"""
``test``: every gate and every test, with one closing line.

Without arguments: the tests, in parts side by side, and beside them the gates: ruff, mypy, the import
contracts, the compiled contracts, the scan for secrets; then 100 % branch coverage of all that decides.
With ``--quick``: the gates, and beside them the unit and contract tests that need no server; the loop
of a contributor. With other arguments: pytest alone, with them.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from devstack import paths, suite
from devstack.console import Console
from devstack.tally import tally

COVERED = "distributor/*,payflow/*,foundation/*"
"""Whose every branch is tested: all that decides, not the adapters that talk to the outside or the command line."""
QUICK = ("tests/unit", "tests/contract", "--no-servers", "--numprocesses", "auto", "--dist", "loadfile", "-q")
"""The tests of the short loop: on each core a process of its own, and no server started."""
NOT_COVERED = (
    # The command line, and adapters: what only carries bytes to a service and back, tried on the real one.
    "distributor/__main__.py,distributor/adapters/*,distributor/chain/*,distributor/cli/*,distributor/signing/*,"
    "payflow/__main__.py,payflow/adapters/*,payflow/cli/*,payflow/mail/smtp.py,payflow/mail/wire.py,"
    "foundation/blobs.py,foundation/queues.py,foundation/secrets/*,foundation/tablestore/azure_tables.py,"
    # PayFlow's functions and its composition root, which the tests on real servers run in processes of their own.
    "payflow/functions/bounces.py,payflow/functions/connect.py,payflow/functions/console.py,"
    "payflow/functions/health.py,payflow/functions/mail_events.py,payflow/functions/metrics.py,"
    "payflow/functions/office.py,payflow/functions/workers.py,payflow/resources.py,payflow/wiring.py"
)


@dataclass(frozen=True, slots=True)
class Gate:
    """A check that is passed or not."""

    name: str
    command: Sequence[str]


def run(console: Console, arguments: Sequence[str]) -> int:
    """Return 0 when everything passed."""
    if list(arguments) == ["--quick"]:
        return _quick(console)
    if arguments:
        return _call(_python("pytest", *arguments))
    with ThreadPoolExecutor(1) as beside:
        checking = beside.submit(_broken, console, gates())
        ended = suite.run(console)
        broken = checking.result()
    suite.combine_coverage()
    broken += _broken(console, [coverage_gate()])
    return _close(console, broken, ended)


def _quick(console: Console) -> int:
    """Run the gates beside the tests that need no server; return 0 when everything passed."""
    begun = time.monotonic()
    with ThreadPoolExecutor(1) as beside:
        checking = beside.submit(_broken, console, gates())
        code = _call(_python("pytest", *QUICK))
        broken = checking.result()
    if broken:
        console.say(f"Gates not passed: {', '.join(broken)}", "red")
    good = code == 0 and not broken
    console.say(
        f"{'All passed' if good else 'Not all passed'} in {time.monotonic() - begun:.0f} s", "green" if good else "red"
    )
    return 0 if good else 1


def _broken(console: Console, wanted: Sequence[Gate]) -> list[str]:
    """Return the names of the gates that are not passed."""
    return [gate.name for gate in wanted if not _passes(console, gate)]


def gates() -> list[Gate]:
    """Return the checks that come before the tests."""
    node = paths.node().binary
    return [
        Gate("ruff check", _python("ruff", "check")),
        Gate("ruff format", _python("ruff", "format", "--check")),
        Gate("mypy --strict", _python("mypy")),
        Gate("lint-imports", _script("lint-imports")),
        Gate("secrets", _python("devstack.secret_scan")),
        Gate("contracts", [str(node), str(paths.ROOT / "contracts" / "build.mjs"), "--check"]),
    ]


def coverage_gate() -> Gate:
    """Return the check that no branch of the deciding modules is untested."""
    wanted = [f"--include={COVERED}", f"--omit={NOT_COVERED}", "--fail-under=100"]
    return Gate("coverage 100 %", _python("coverage", "report", *wanted))


def _close(console: Console, broken: Sequence[str], ended: Sequence[suite.Ended]) -> int:
    counted = tally(each.part.report for each in ended)
    console.say("\nTests by kind and app", "bold")
    for line in counted.lines():
        console.say(line)
    failed = [each.part.name for each in ended if not each.good]
    if failed:
        console.say(f"Parts not passed: {', '.join(failed)}", "red")
    if broken:
        console.say(f"Gates not passed: {', '.join(broken)}", "red")
    good = not failed and not broken and not counted.failed.total()
    console.say(f"\n{counted.closing()}", "green" if good else "red")
    return 0 if good else 1


def _passes(console: Console, gate: Gate) -> bool:
    """Run a gate; its output is shown only when it fails."""
    ended = subprocess.run(gate.command, cwd=paths.ROOT, capture_output=True, text=True, check=False, errors="replace")
    console.say(f"  {gate.name:<16} {'passed' if ended.returncode == 0 else 'FAILED'}")
    if ended.returncode:
        console.say(ended.stdout + ended.stderr)
    return ended.returncode == 0


def _call(command: Sequence[str]) -> int:
    sys.stdout.flush()
    return subprocess.run(command, cwd=paths.ROOT, check=False).returncode


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _script(name: str) -> list[str]:
    beside = Path(sys.executable).parent
    return [str(next(path for path in (beside / name, beside / f"{name}.exe") if path.exists()))]
