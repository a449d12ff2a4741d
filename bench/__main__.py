"""
``python3 -m bench``: measure, and write ``docs/benchmarks.md`` from what was found.

Run it alone on the machine; it takes about twenty minutes. ``--quick`` takes less than three, writes nothing, and is
what the build runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from devstack import setup
from devstack.console import Console, Ended, StepFailed


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return 0 when every order was paid exactly once."""
    asked = argparse.ArgumentParser(prog="python3 -m bench", description=__doc__.splitlines()[1])
    asked.add_argument("--quick", action="store_true", help="a few orders, under three minutes; writes no page")
    asked.add_argument("--out", type=Path, metavar="JSON", help="write the figures there as well")
    chosen = asked.parse_args(arguments)
    console = Console()
    try:
        if not setup.in_venv():
            python = str(setup.prepare_python(console))
            os.execv(python, [python, "-m", "bench", *(sys.argv[1:] if arguments is None else arguments)])  # noqa: S606 -- this command
        setup.prepare_rest(console)
        return _run(console, quick=chosen.quick, out=chosen.out)
    except StepFailed as why:
        console.failed(why)
    except Ended:
        console.say("\nEnded before its time: nothing was measured.")
    return 1


def _run(console: Console, *, quick: bool, out: Path | None) -> int:
    from bench import report
    from bench.run import QUICK, Sizes, measure
    from devstack import runs

    with runs.begin() as this:
        console.say(f"Measuring, one thing after the other. Logs: {this.folder}", "bold")
        result = measure(console, this, QUICK if quick else Sizes())
    if out:
        result.write(out)
    if quick:
        console.say(report.summary(result))
    else:
        report.write(result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
