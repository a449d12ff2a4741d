"""``payflow``: start everything, mail one receipt before your eyes, and stay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

from devstack import paths, runs, servers, stack
from devstack.console import Console, Ended
from devstack.conta_azul.serve import conta_azul
from devstack.conta_azul.server import ContaAzul
from devstack.payflow import app
from devstack.payflow.desk import Desk, served
from devstack.payflow.journey import COMPANY, Journey
from devstack.payflow.mailbox import HOST, PASSWORD, USER, Mailbox, mailbox
from devstack.payflow.service import service
from devstack.runs import Run
from devstack.stack import FunctionsHost
from payflow.sealing import new_key


def run(console: Console, *, once: bool, carrier: str = "smtp") -> int:
    """
    Return 0 when the mail arrived and, without *once*, when someone asked for the end.

    Args:
        console: Shows what goes on.
        once: End after the mail.
        carrier: ``smtp``, or ``acs`` for the stand-in of Azure Communication Services.

    Raises:
        StepFailed: Something did not start, or the mail did not come.
    """
    try:
        with runs.begin() as this:
            asyncio.run(_start(console, this, once=once, carrier=carrier))
    except Ended:
        console.say("\nEnded: storage, mail, stand-in and host are stopped.")
    return 0


async def _start(console: Console, this: Run, *, once: bool, carrier: str) -> None:
    console.say(f"Starting PayFlow on this machine. Logs: {this.folder}", "bold")
    port = stack.free_port()
    url = f"http://127.0.0.1:{port}"
    async with conta_azul([f"{url}/oauth/callback"]) as server, mailbox() as mail, _CARRIERS[carrier](mail) as ours:
        storage = servers.azurite(None, None, this.log("azurite"))
        with stack.started(console, this, "start Azurite, the storage emulator", storage) as azurite:
            settings = app.settings(azurite, conta_azul=server.base_url, url=url, master_key=new_key(), mail=ours)
            with console.step("initialise the ledger"):
                app.command(this, settings, "init")
            hosting = app.host(this, app.folder(this), settings, port)
            with stack.started(console, this, "start the Functions host", hosting) as host:
                command = partial(app.command, this, settings)
                console.say("\nThe way of one payment", "bold")
                await Journey(console=console, host=host, server=server, command=command, messages=mail.messages).run()
                console.say("\nMailed, exactly once.", "green")
                console.say(_figures(server))
                if not once:
                    desk = Desk(server, mail)
                    async with served(desk) as buttons:
                        console.say(_explain(server, host, mail, settings[stack.CONSOLE_TOKEN]))
                        console.say(_try(desk, buttons, app.by_hand(this, settings)))
                        await asyncio.Event().wait()


@asynccontextmanager
async def _smtp(mail: Mailbox) -> AsyncIterator[Mapping[str, str]]:
    yield {
        "SMTP_HOST": HOST,
        "SMTP_PORT": str(mail.smtp_port),
        "SMTP_SECURITY": "starttls",
        "SMTP_USER": USER,
        "SMTP_PASSWORD": PASSWORD,
        "SSL_CERT_FILE": str(mail.ca_file),
    }


_CARRIERS: Mapping[str, Callable[[Mailbox], AbstractAsyncContextManager[Mapping[str, str]]]] = {
    "smtp": _smtp,
    "acs": service,
}
"""What runs the carrier of the mails, and yields the settings that name it."""


def _figures(server: ContaAzul) -> str:
    asked = ", ".join(f"{name} {count}" for name, count in sorted(server.requests.items()))
    return f"Requests to Conta Azul: {asked}"


def _explain(server: ContaAzul, host: FunctionsHost, mail: Mailbox, token: str) -> str:
    return f"""
What runs
  app          {host.url}
  conta azul   {server.base_url}    (a strict stand-in)
  inbox        {mail.web_url}
  office       {host.url}/office/{COMPANY}    (its codes are in the inbox)
  console      {host.url}/console    (sign in with {token})
  company      {COMPANY}

Open the inbox in a browser to see the mail as it looks."""


def _try(desk: Desk, buttons: str, by_hand: Path) -> str:
    command = f"{paths.venv_python().relative_to(paths.ROOT)} {by_hand}"
    payment = desk.latest.id if desk.latest else "PAYMENT"
    acts = "\n".join(f"  curl -X POST {buttons}/{name:<11}  # {label}" for name, (label, _) in desk.acts.items())
    return f"""
Try it (the same as buttons: {buttons}); PayFlow looks every one or two minutes
{acts}

Use the command line against it, in another window, in this folder
  {command} receipts {COMPANY}
  {command} show {COMPANY} {payment}
  {command} resend {COMPANY} {payment} --reason "to see what happens"
  {command} decide --help
  {command} sender
Ctrl-C ends everything, and so does: python3 -m devstack down"""
