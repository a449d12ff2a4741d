"""``drill NAME``: make a trouble of the runbook, show what the operator sees, and heal it on Enter."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial

from devstack import paths, runs, stack
from devstack.console import Console, Ended, StepFailed
from devstack.drill.field import Field
from devstack.drill.troubles import SETTINGS, TROUBLES
from devstack.up import settings_file


def names(console: Console) -> int:
    """Name every drill, and what its trouble is."""
    for name, trouble in TROUBLES.items():
        console.say(f"{name}: {trouble.summary}")
    return 0


def run(console: Console, names: Sequence[str], *, once: bool) -> int:
    """
    Drill each of *names* on one stack, all of them where none is named; *once*: heal without waiting for Enter.

    Raises:
        StepFailed: There is no such drill, no alarm named a trouble, or its orders were not paid after it was healed.
    """
    unknown = sorted(set(names) - TROUBLES.keys())
    if unknown:
        raise StepFailed(f"no such drill: {', '.join(unknown)}. There are: {', '.join(TROUBLES)}")
    try:
        with runs.begin() as this:
            console.say(f"Starting storage, chain and app on this machine. Logs: {this.folder}", "bold")
            with stack.services(console, this, fixed_ports=False) as services:
                ours = replace(services, settings={**services.settings, **SETTINGS})
                field = Field(ours, lambda settings: stack.functions_host(this, settings, "devstack"))
                with closing(field):
                    with console.step("start the Functions host"):
                        field.serve()
                    for name in names or list(TROUBLES):
                        drill(console, field, name, wait=_nothing if once else partial(_enter, console, this))
    except Ended:
        console.say("\nEnded: storage, chain and host are stopped.")
    return 0


def drill(console: Console, field: Field, name: str, *, wait: Callable[[Field], None]) -> None:
    """Make the trouble, wait until its alarm is sent, show it, heal it, and wait until its orders are paid."""
    trouble = TROUBLES[name]
    field.begin()
    console.say(f"\n{name}: {trouble.summary}", "bold")
    try:
        with console.step("make it"):
            trouble.make(field)
        with console.step("wait for its alarm"):
            field.until(f"alarm {name}", lambda: field.told(name), watching=trouble.watched, sweeping=trouble.swept)
        console.say("\nGET /ready", "bold")
        console.say(json.dumps(field.seen, indent=2))
        for command in ("alarms", "show"):
            console.say(f"\npython -m distributor {command}", "bold")
            console.say(field.command(command).rstrip())
        console.say(f"\nThe runbook's entry: docs/runbook.md#{name}")
        wait(field)
    finally:
        trouble.heal(field)
    for line in field.typed:
        console.say(f"  typed: {line}")
    with console.step(f"healed: its orders are {trouble.ends}"):
        field.until(trouble.ends, lambda: field.all_are(trouble.ends))


def _enter(console: Console, this: runs.Run, field: Field) -> None:
    """Say where to look meanwhile, and wait for Enter; where nobody can press it, heal at once."""
    settings = settings_file(this, {**field.services.settings, "CONSOLE_URL": field.url})
    python = paths.venv_python().relative_to(paths.ROOT)
    console.say(f"""
Look around meanwhile: the console, or any command, in another window
  {field.url}/console    (personal token: {field.services.settings[stack.CONSOLE_TOKEN]})
  {python} -m distributor {" ".join(("order", *field.orders[:1]) if field.orders else ("show",))} --settings {settings}
""")
    with suppress(EOFError):
        input("Enter heals it. ")


def _nothing(_field: Field) -> None:
    """Heal at once."""
