"""``alarms``: what is sent now, the word of a person who knows of it, and a test of the way it goes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from distributor.cli.common_arguments import apply_argument, by_and_why
from distributor.cli.context import DONE, REFUSED, CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.language import N_, _, current, detail
from distributor.payout.catalogue import CATALOGUE
from distributor.payout.facts import standing_facts
from distributor.payout.queue_facts import queue_facts
from distributor.settings.use_cases import StatusSettings
from distributor.status import rfc3339
from foundation.alarms.catalogue import ALARM_TEST
from foundation.alarms.model import AlarmState, Fact, Notification
from foundation.alarms.notifier import by_code
from foundation.clock import UnixMs

SUBJECTS_SHOWN_MAX = 10


async def alarms(context: CommandContext) -> int:
    """Do what was asked about the alarms."""
    return await {"list": _list, "seen": _seen, "test": _test}[context.options.action](context)


async def _list(context: CommandContext) -> int:
    """List what persists now, the most severe first; 1 if something does."""
    await context.begin(StatusSettings)
    shown = await persisting_alarms(context)
    context.answer({"alarms": shown, "targets": await _targets(context)})
    return REFUSED if shown else DONE


async def persisting_alarms(context: CommandContext) -> list[dict[str, Any]]:
    """Return what persists now, the most severe first, each with what to do."""
    now, register = context.clock(), await context.parts.register()
    queues = await queue_facts(await context.parts.queues(), now)
    known = await standing_facts(await context.ledger(), now, await context.parts.ages())
    facts = by_code([*known, *queues, *await register.facts()])
    notifications = await register.notifications()
    codes = (facts.keys() | {code for code, each in notifications.items() if each.state is AlarmState.STANDS}) - {
        ALARM_TEST.code
    }
    return [_shown(code, facts.get(code, []), notifications.get(code)) for code in sorted(codes, key=_rank)]


async def _seen(context: CommandContext) -> int:
    """Note that a person knows of an alarm: it is sent daily from then on, with the name, and never silenced."""
    code = context.options.code
    if code is None:
        raise CommandRefused(_("Which alarm? `alarms seen CODE`; `alarms list` has the codes."))
    await context.begin(StatusSettings)
    register = await context.parts.register()
    notification = (await register.notifications()).get(code)
    if notification is None or notification.state is not AlarmState.STANDS:
        raise CommandRefused(_("{code} was not sent, or is over: `alarms list` has what persists.").format(code=code))
    if context.applies(
        _("note that {by} knows of {code}; it is then sent once a day").format(by=_by(context), code=code)
    ):
        if not await register.acknowledge(code, _by(context)):
            raise CommandRefused(
                _("{code} was not sent, or is over: `alarms list` has what persists.").format(code=code)
            )
        await (await context.ledger()).admin.record("alarm-seen", code, _by(context), context.options.why or "")
    context.answer({"alarm": code, "seen_by": _by(context) if context.options.apply else notification.seen_by or None})
    return DONE


async def _test(context: CommandContext) -> int:
    """Note a test, which the next sweep sends to every target by the way of every other alarm."""
    await context.begin(StatusSettings)
    targets = await context.parts.targets()
    if context.applies(_("have the next sweep send a test to every target of the alarms")):
        await (await context.parts.register()).test(_by(context), targets)
        context.say(_("The sweep sends it within a minute; `alarms list` then says which target took it."))
    context.answer({"noted": bool(context.options.apply), "targets": sorted(map(_named, targets))})
    return DONE


async def _targets(context: CommandContext) -> Sequence[dict[str, Any]]:
    """Return each target, and when it took the last test."""
    register, shown = await context.parts.register(), list[dict[str, Any]]()
    for name in await context.parts.targets():
        tested = (await register.notifications(name)).get(ALARM_TEST.code)
        taken = tested.sent_ms if tested is not None and tested.sent is not None else None
        shown.append({"target": _named(name), "tested": rfc3339(taken) if taken else None})
    return shown


def _named(target: str) -> str:
    return target or "log"


def _rank(code: str) -> tuple[int, str]:
    return CATALOGUE.find(code).severity, code


def _shown(code: str, facts: Sequence[Fact], notification: Notification | None) -> dict[str, Any]:
    kind = CATALOGUE.find(code)
    since = min([fact.since_ms for fact in facts] + ([notification.since_ms] if notification else []))
    said = kind.texts[current()]
    return {
        "alarm": code,
        "severity": kind.severity.name.lower(),
        "since": rfc3339(since),
        "count": len(facts),
        "about": [fact.subject for fact in facts if fact.subject][:SUBJECTS_SHOWN_MAX],
        "summary": said.summary,
        "detail": next((detail(fact.detail) for fact in facts if fact.detail), None) if facts else _passing(),
        "action": said.action if facts else _("Nothing: it is sent as ended in two minutes, unless it comes back."),
        "told": _sent_at(notification),
        "seen_by": notification.seen_by or None if notification else None,
    }


def _passing() -> str:
    """Say of an alarm without a fact why it is in the list all the same."""
    return _("Its cause is no longer seen.")


def _sent_at(notification: Notification | None) -> str:
    """Return when a target last took it, or that none has."""
    moment: UnixMs | None = notification.sent_ms if notification and notification.sent is not None else None
    return rfc3339(moment) if moment else _("not yet")


def _by(context: CommandContext) -> str:
    return str(context.options.by)


def _arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "action", choices=["list", "seen", "test"], nargs="?", default="list", help=_("what to do; list if not given")
    )
    command.add_argument("code", nargs="?", metavar="CODE", help=_("seen: the alarm"))
    apply_argument(command)
    by_and_why(command, _("for the audit trail"))


COMMANDS = (
    Command(
        name="alarms",
        summary=N_("list the alarms, say that you know of one, or test their way"),
        description=N_(
            "list: what persists now, the most severe first; exit code 1 if there is something; which targets took\n"
            "the last test.\n"
            "seen CODE: you know of it; it is sent once a day from then on, with your name, and never silenced.\n"
            "test: have the next sweep send a test to every target, by the way of every other alarm."
        ),
        run=alarms,
        arguments=_arguments,
    ),
)
