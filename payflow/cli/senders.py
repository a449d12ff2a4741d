"""The command about the mail account that all companies share."""

from __future__ import annotations

import argparse

from payflow.cli.context import Add, Refused, local_time, say
from payflow.settings.mail import MailSettings
from payflow.wiring import Container


def add_to(add: Add) -> None:
    """Add the command to a parser."""
    sender = add("sender", "show the mail account: its counts, who waits for it, and why it has stopped", _sender)
    sender.add_argument("--probe-now", action="store_true", help="let the next mail try it, without waiting 15 minutes")


async def _sender(container: Container, chosen: argparse.Namespace) -> None:
    mail = await container.settings(MailSettings)
    desk = await container.desk(mail)
    account = await desk.account()
    say(f"today {account.in_day} of {mail.per_day} mails (day {account.day or '-'}, UTC), {mail.per_minute} a minute")
    for waiting in await desk.waiting():
        say(f"waits: company {waiting.company} since {local_time(waiting.since_ms)}")
    if not account.stopped_ms:
        say("It sends.")
    else:
        say(f"It has stopped since {local_time(account.stopped_ms)}; next probe {local_time(account.probe_ms)}")
        say(f"  the server said: {account.why}")
    if chosen.probe_now:
        if not account.stopped_ms:
            raise Refused("The account has not stopped: there is nothing to probe.")
        await desk.probe_now()
        say("The next due mail probes it now.")
