"""
The commands of ``python3 -m devstack``.

A command begins in whatever Python the person typed, makes ``.venv`` current, and goes on in there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from devstack import paths, setup
from devstack.console import Console, NoReader, StepFailed

APPS = ("distributor", "payflow")
PYTHONS = ("3.11", "3.12", "3.13")
DEPLOYED = "3.12"
"""What the app in Azure is configured with; infra/ says the same."""

UNREAD = 141
"""What a shell says of a command that ended because nobody reads its output: 128 and the number of SIGPIPE."""


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    chosen, rest = _parse(arguments)
    console = Console()
    try:
        if not setup.in_venv():
            if chosen.command == "down" and not paths.RUNS.exists():
                console.say("Nothing was running.")
                return 0
            return _go_on_in(setup.prepare_python(console), arguments)
        # A .venv that holds the app's packages alone, as the guide's step 6 makes it, is completed.
        setup.prepare_python(console)
        _prepare(console, chosen.command)
        return _run(console, chosen, rest)
    except NoReader:
        return UNREAD
    except StepFailed as why:
        console.failed(why)
        return 1


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="python3 -m devstack", description="The whole system on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start everything, pay one order, stay up until Ctrl-C")
    up.add_argument("--once", action="store_true", help="end after the order: exit code 0 when it was paid")
    up.add_argument("--host", choices=["devstack", "func"], default="devstack", help="func: Azure Functions Core Tools")
    commands.add_parser(
        "services", help="storage and chain on the ports of local.settings.json.example, for func start"
    )
    wordpress = commands.add_parser("wordpress", help="the same with a real WordPress in front; needs Debian or Ubuntu")
    wordpress.add_argument("--once", action="store_true", help="end after one order: exit code 0 when it was paid")
    payflow = commands.add_parser("payflow", help="PayFlow: connect a clinic, book a payment, read its mail")
    payflow.add_argument("--once", action="store_true", help="end after the mail: exit code 0 when it arrived")
    payflow.add_argument(
        "--mail", choices=["smtp", "acs"], default="smtp", help="acs: Azure Communication Services' stand-in carries it"
    )
    chaos = commands.add_parser("chaos", help="orders without a pause while everything under the app fails")
    chaos.add_argument("--minutes", type=float, default=3.0, help="how long things go wrong (3)")
    chaos.add_argument("--burst", type=int, default=20, help="how many orders come at once now and then (20)")
    chaos.add_argument("--seed", type=int, default=1, help="the same seed, the same faults in the same order (1)")
    drill = commands.add_parser(
        "drill", help="make a trouble of the runbook, show what the operator sees, heal it on Enter"
    )
    drill.add_argument("names", nargs="*", metavar="NAME", help="a heading of the runbook; all that there are if none")
    drill.add_argument("--once", action="store_true", help="heal without waiting for Enter")
    drill.add_argument("--list", action="store_true", help="name the drills that there are, and start nothing")
    commands.add_parser("test", help="every check and test; further arguments go to pytest", add_help=False)
    package = commands.add_parser("package", help="dist/app.zip or dist/payflow.zip, ready to be uploaded")
    package.add_argument("app", nargs="?", choices=APPS, default="distributor", help="whose (distributor)")
    package.add_argument("--python", choices=PYTHONS, default=DEPLOYED, help="what the app in Azure runs (3.12)")
    package.add_argument("--check", type=Path, metavar="ZIP", help="build nothing: check a package made elsewhere")
    commands.add_parser("plugin", help="dist/ballx-distributor.zip, the WordPress plugin as a shop uploads it")
    deploy = commands.add_parser(
        "deploy", help="upload a package by the signed-in az, find its functions there, see its version"
    )
    deploy.add_argument("app", nargs="?", choices=APPS, default="distributor", help="whose package (distributor)")
    deploy.add_argument("--resource-group", required=True, metavar="GROUP")
    deploy.add_argument("--name", required=True, help="the function app")
    deploy.add_argument("--package", type=Path, metavar="ZIP", help="what to upload (the one that package made)")
    deploy.add_argument("--url", default="", help="where it is asked for its version (the app's own name)")
    commands.add_parser("down", help="end everything that up and services started")
    chosen, rest = parser.parse_known_args(arguments)
    if rest and chosen.command != "test":
        parser.error(f"unknown arguments: {' '.join(rest)}")
    return chosen, rest


def _prepare(console: Console, command: str) -> None:
    """Install what *command* needs beside the Python packages."""
    if command == "package":
        setup.prepare_worker(console)
    elif command not in {"down", "deploy", "plugin"}:
        setup.prepare_rest(console)


def _go_on_in(python: Path, arguments: Sequence[str]) -> int:
    again = [str(python), "-m", "devstack", *arguments]
    if os.name == "nt":
        return subprocess.run(again, cwd=paths.ROOT, check=False).returncode
    sys.stdout.flush()
    os.chdir(paths.ROOT)
    return os.execv(again[0], again)  # noqa: S606 -- no shell wanted; never returns


def _run(console: Console, chosen: argparse.Namespace, rest: Sequence[str]) -> int:
    from devstack import down, run_tests, services, up
    from devstack.chaos import run as chaos
    from devstack.deploy import azure
    from devstack.deploy import run as deploy
    from devstack.drill import run as drill
    from devstack.package import apps
    from devstack.package import run as package
    from devstack.payflow import run as payflow
    from devstack.wordpress import package as plugin
    from devstack.wordpress import run as wordpress

    run: Mapping[str, Callable[[], int]] = {
        "up": lambda: up.run(console, once=chosen.once, host=chosen.host),
        "services": lambda: services.run(console),
        "wordpress": lambda: wordpress.run(console, once=chosen.once),
        "payflow": lambda: payflow.run(console, once=chosen.once, carrier=chosen.mail),
        "chaos": lambda: chaos.run(console, minutes=chosen.minutes, seed=chosen.seed, burst=chosen.burst),
        "drill": lambda: drill.names(console) if chosen.list else drill.run(console, chosen.names, once=chosen.once),
        "test": lambda: run_tests.run(console, rest),
        "package": lambda: package.run(console, app=apps.APPS[chosen.app], python=chosen.python, check=chosen.check),
        "plugin": lambda: plugin.run(console),
        "deploy": lambda: deploy.run(
            console,
            azure.FunctionApp(az=azure.installed(), group=chosen.resource_group, name=chosen.name),
            chosen.package or apps.APPS[chosen.app].out,
            url=chosen.url,
        ),
        "down": lambda: down.run(console),
    }
    return run[chosen.command]()
