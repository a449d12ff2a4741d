"""
The functions that run: each that is configured well, and none that is not.

A missing setting, a bad schedule, a second function on a route turn off that one function; the others
run, and the process answers as if nothing were wrong. So it is in Azure: only the log names it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from devstack.host.config import BadHostConfig, HostConfig
from devstack.host.queues import Accounts
from devstack.host.routes import Route, route_of
from devstack.host.timers import Schedule
from devstack.host.values import Function

_log = logging.getLogger("devstack.host")


@dataclass(frozen=True, kw_only=True, slots=True)
class Functions:
    """What this host runs."""

    routes: Sequence[Route]
    queues: Sequence[tuple[Function, str]]
    """Each with the name of its queue."""
    timers: Sequence[tuple[Function, Schedule]]
    warmups: Sequence[Function]


def configured(found: Sequence[Function], config: HostConfig, accounts: Accounts) -> Functions:
    """Return those of *found* that can run, and say of each other one why it cannot."""
    on = [function for function in found if not config.disabled(function.name)]
    return Functions(
        routes=_routes(_of(on, "httpTrigger"), config, accounts),
        queues=_good(_of(on, "queueTrigger"), lambda each: (each, _queue(each, accounts))),
        timers=_good(_of(on, "timerTrigger"), lambda each: (each, _schedule(each, config))),
        warmups=_of(on, "warmupTrigger"),
    )


def _of(functions: Sequence[Function], kind: str) -> list[Function]:
    return [function for function in functions if function.kind == kind]


def _good(functions: Sequence[Function], read: Callable[[Function], Any]) -> list[Any]:
    good = []
    for function in functions:
        try:
            good.append(read(function))
        except BadHostConfig as why:
            _log.error("The '%s' function is in error: %s", function.name, why)
    return good


def _queue(function: Function, accounts: Accounts) -> str:
    accounts.queues(function.trigger.get("connection", ""))
    return accounts.name(function.trigger)


def _schedule(function: Function, config: HostConfig) -> Schedule:
    schedule = Schedule.parse(config.expand(function.trigger["schedule"]))
    config.storage("")
    return schedule


def _routes(functions: Sequence[Function], config: HostConfig, accounts: Accounts) -> list[Route]:
    """Return the routes, the most literal first; of two functions on one route the later one is off."""
    taken: dict[tuple[str, frozenset[str]], str] = {}

    def read(function: Function) -> Route:
        route = route_of(function, config.route_prefix)
        for output in function.outputs.values():
            if output["type"] == "queue":
                accounts.queues(output.get("connection", ""))
                config.expand(output["queueName"])
        other = taken.setdefault((route.template.lower(), route.methods), function.name)
        if other != function.name:
            raise BadHostConfig(f"its route {route.template!r} is that of the function {other}")
        return route

    return sorted(_good(functions, read), key=lambda route: route.rank)
