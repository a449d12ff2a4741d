"""``drill NAME``: make a trouble of the runbook, show what the operator sees, and heal it on Enter."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from devstack import runs, stack
from devstack.console import Console, Ended, StepFailed
from devstack.drill.field import Field
from devstack.drill.troubles import SETTINGS, TROUBLES


def run(console: Console, names: Sequence[str], *, once: bool) -> int:
    """
    Drill each of *names* on one stack, all of them where none is named; *once*: heal without waiting for Enter.

    Raises:
        StepFailed: There is no such drill, a trouble was not told, or its orders were not paid after it was healed.
    """
    unknown = sorted(set(names) - TROUBLES.keys())
    if unknown:
        raise StepFailed(f"no such drill: {', '.join(unknown)}. There are: {', '.join(TROUBLES)}")
    try:
        with runs.begin() as this:
            console.say(f"Starting storage, chain and app on this machine. Logs: {this.folder}", "bold")
            with stack.services(console, this, fixed_ports=False) as services:
                ours = replace(services, settings={**services.settings, **SETTINGS})
                serving = stack.functions_host(this, ours.settings, "devstack")
                with stack.started(console, this, "start the Functions host", serving) as host:
                    for name in names or list(TROUBLES):
                        drill(console, Field(ours, host), name, wait=_nothing if once else _enter)
    except Ended:
        console.say("\nEnded: storage, chain and host are stopped.")
    return 0


def drill(console: Console, field: Field, name: str, *, wait: Callable[[], None]) -> None:
    """Make the trouble, wait until its alarm is sent, show it, heal it, and wait until its orders are paid."""
    trouble = TROUBLES[name]
    console.say(f"\n{name}: {trouble.summary}", "bold")
    try:
        with console.step("make it"):
            trouble.make(field)
        with console.step("wait for its alarm"):
            field.until(f"alarm {name}", lambda: field.told(name))
        console.say("\nGET /ready", "bold")
        console.say(json.dumps(field.seen, indent=2))
        for command in ("alarms", "show"):
            console.say(f"\npython -m distributor {command}", "bold")
            console.say(field.command(command).rstrip())
        console.say(f"\nThe runbook's entry: docs/runbook.md#{name}")
        wait()
    finally:
        trouble.heal(field)
    with console.step("healed: its orders are paid"):
        field.until("paid", field.all_paid)


def _enter() -> None:
    input("Enter heals it. ")


def _nothing() -> None:
    """Heal at once."""
