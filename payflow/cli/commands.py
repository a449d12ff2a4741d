"""
The commands. Each says what it did, or in one sentence why not, and ends with 1 then.

Nothing here shows a customer's name, address or a token; `show` says where a receipt is and why.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from foundation.clock import UnixMs, system_clock
from foundation.errors import ServiceError
from foundation.version import version
from payflow.cli import clinic, decide, keys
from payflow.conta_azul.values import SAO_PAULO
from payflow.ledger import backup, identity
from payflow.ledger.keys import RESTORING
from payflow.ledger.lane import LaneLedger
from payflow.model import BaixaId, CompanyId
from payflow.settings.groups import ContaAzulSettings, StorageSettings
from payflow.state import Company, CompanyStatus, Receipt
from payflow.wiring import Container

Command = Callable[[Container, argparse.Namespace], Awaitable[None]]
HELD_MAX = 500


class Refused(Exception):
    """The command cannot do that; the message says why."""


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    chosen = _parser().parse_args(arguments)
    if chosen.run is None:
        keys.show_new()
        return 0
    try:
        asyncio.run(_run(chosen))
    except (Refused, ServiceError) as why:
        sys.stderr.write(f"{why}\n")
        return 1
    return 0


async def _run(chosen: argparse.Namespace) -> None:
    container = Container(os.environ, clock=system_clock)
    try:
        await chosen.run(container, chosen)
    finally:
        await container.aclose()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m payflow", description="PayFlow's operator.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version()}")
    commands = parser.add_subparsers(dest="command", required=True)
    _add(commands, "init", "make the tables and the ledger's identity, once", _init)
    keys.add_to(commands)
    invite = _add(commands, "invite", "show a link with which a clinic connects, for 24 hours", _invite)
    invite.add_argument("--document", default="", help="CNPJ or CPF that must sign in")
    invite.add_argument("--company", default="", help="company that must sign in again")
    _add(commands, "companies", "list the companies", _companies)
    for name, status, meaning in (
        ("confirm", CompanyStatus.ACTIVE, "confirm a company that connected without an expected document"),
        ("pause", CompanyStatus.PAUSED, "look for nothing and send nothing for a company"),
        ("resume", CompanyStatus.ACTIVE, "end a pause"),
    ):
        command = _add(commands, name, meaning, _set_status)
        command.add_argument("company")
        command.set_defaults(status=status)
    receipts = _add(commands, "receipts", "list what waits: for time, and for a person", _receipts)
    receipts.add_argument("company")
    show = _add(commands, "show", "show where the receipt of a payment is, and its mails", _show)
    show.add_argument("company")
    show.add_argument("baixa")
    backing = _add(commands, "backup", "write a company's rows to a file; what is sealed stays sealed", _backup)
    backing.add_argument("company")
    backing.add_argument("file", type=Path)
    restore = _add(commands, "restore", "put a company's rows back; mails that the send log knows are kept", _restore)
    restore.add_argument("company")
    restore.add_argument("file", type=Path)
    decide.add_to(lambda name, meaning, run: _deciding(commands, name, meaning, run))
    clinic.add_to(lambda name, meaning, run: _deciding(commands, name, meaning, run))
    cursor = _add(commands, "cursor", "show how far looking has come", _cursor)
    cursor.add_argument("company")
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, meaning: str, run: Command
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=meaning)
    command.set_defaults(run=run)
    return command


def _deciding(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, meaning: str, run: Command
) -> argparse.ArgumentParser:
    command = _add(commands, name, meaning, run)
    command.set_defaults(by=_who(), say=_say)
    return command


# The commands ----------------------------------------------------------------------------------------


async def _init(container: Container, _: argparse.Namespace) -> None:
    tables, second = await container.ledger_tables(), await container.second_tables()
    await tables.ensure()
    await second.ensure()
    environment = (await container.settings(StorageSettings)).environment
    uri = (await container.settings(ContaAzulSettings)).redirect_uri
    made = await identity.create(tables.rows, await container.sealer(), environment=environment, redirect_uri=uri)
    _say(f"The ledger {made.ledger_id} of {environment} is ready.")


async def _invite(container: Container, chosen: argparse.Namespace) -> None:
    document = re.sub(r"\D", "", chosen.document)
    if chosen.document and len(document) not in (11, 14):
        raise Refused("--document is a CPF with 11 or a CNPJ with 14 digits.")
    connecting = await container.connecting()
    secret = await connecting.invite(document=document, company=chosen.company, by=_who())
    parts = urlsplit(connecting.redirect_uri)
    _say(f"{parts.scheme}://{parts.netloc}/connect/{secret}")


async def _companies(container: Container, _: argparse.Namespace) -> None:
    base = await container.base()
    for entry in await base.entries.all():
        company = await base.lane(entry.company).read_company()
        policy = company.policy if company else "-"
        _say(f"{entry.company}  {entry.status:<16} documents {policy:<13} looked {_when(entry.looked_ms)}")


async def _set_status(container: Container, chosen: argparse.Namespace) -> None:
    lane, company = await _company(container, chosen)
    allowed = {
        "confirm": {CompanyStatus.CONFIRM},
        # One that nobody has confirmed is at rest already; a pause and its end would confirm it.
        "pause": set(CompanyStatus) - {CompanyStatus.PAUSED, CompanyStatus.DISCONNECTED, CompanyStatus.CONFIRM},
        "resume": {CompanyStatus.PAUSED},
    }[chosen.command]
    if company.status not in allowed:
        raise Refused(f"Company {company.id} is {company.status}; {chosen.command} does not apply.")
    if chosen.status is CompanyStatus.ACTIVE and await lane.rows.get(RESTORING):
        raise Refused(f"A restore of company {company.id} was cut; run `restore` again first.")
    await lane.write_company(replace(company, status=chosen.status, status_ms=system_clock()))
    await lane.entries.lower(company.id, system_clock(), chosen.status)
    _say(f"Company {company.id} is {chosen.status}.")


async def _receipts(container: Container, chosen: argparse.Namespace) -> None:
    lane, _ = await _company(container, chosen)
    far = UnixMs(10**14)
    for receipt in [*await lane.due(far, limit=HELD_MAX), *await lane.held(limit=HELD_MAX)]:
        _say(_line(receipt))


async def _show(container: Container, chosen: argparse.Namespace) -> None:
    lane, _ = await _company(container, chosen)
    receipt = await lane.receipt(BaixaId(chosen.baixa))
    if receipt is None:
        raise Refused(f"Company {chosen.company} has no payment {chosen.baixa}.")
    _say(_line(receipt))
    _say(f"  found {_when(receipt.found_ms)}, document {receipt.document_source or 'none yet'}, after {receipt.after}")
    for mail in await lane.deliveries(receipt.baixa):
        _say(f"  mail {mail.kind} {mail.number}: {mail.state}, tried {_when(mail.tried_ms)}, {mail.message_id}")
        _say(f"    the server said: {mail.reply or 'nothing yet'}")


async def _cursor(container: Container, chosen: argparse.Namespace) -> None:
    lane, _ = await _company(container, chosen)
    cursor = await lane.read_cursor()
    _say(f"looked until {_when(cursor.upper_ms)}; in progress: {cursor.kind or 'nothing'}, span {cursor.span}")
    _say(f"last nightly check {_when(cursor.check_ms)}")


async def _backup(container: Container, chosen: argparse.Namespace) -> None:
    lane, company = await _company(container, chosen)
    base = await container.base()
    whose = await base.ledger.rows.get(identity.ROW)
    ledger_id, now = base.identity.ledger_id, system_clock()
    taken = await backup.take(lane.rows, ledger_id=ledger_id, company=company.id, now=now, identity=whose)
    part = chosen.file.with_name(f"{chosen.file.name}.part")  # an older backup there is whole until this one is
    part.write_text(backup.dump(taken), encoding="utf-8", newline="\n")
    part.replace(chosen.file)
    _say(f"{len(taken.rows)} rows of company {company.id} are in {chosen.file}.")


async def _restore(container: Container, chosen: argparse.Namespace) -> None:
    found, tables = backup.load(chosen.file.read_text(encoding="utf-8")), await container.ledger_tables()
    if found.company != chosen.company:
        raise Refused(f"This backup is of company {found.company}.")
    await tables.ensure()
    environment = (await container.settings(StorageSettings)).environment
    uri, sealer = (await container.settings(ContaAzulSettings)).redirect_uri, await container.sealer()
    await identity.put_back(tables.rows, sealer, found.identity, environment=environment, redirect_uri=uri)
    base = await container.base()
    if found.ledger_id != base.identity.ledger_id:
        raise Refused(f"This backup is of the ledger {found.ledger_id}; this one is {base.identity.ledger_id}.")
    report = await (await container.restoring(CompanyId(chosen.company))).run(found)
    mails = ", ".join(f"{count} {state}" for state, count in sorted(report.mails.items())) or "none"
    _say(f"{report.rows} rows of company {chosen.company} are back. Mails by the send log: {mails}.")
    for said in report.not_put_back:
        _say(f"Decided since the backup, decide it once more: {said.what} {said.subject}, by {said.by}.")
    _say(f"The company is paused; look at `receipts {chosen.company}`, then run `resume {chosen.company}`.")


# Small things ----------------------------------------------------------------------------------------


async def _company(container: Container, chosen: argparse.Namespace) -> tuple[LaneLedger, Company]:
    lane = (await container.base()).lane(CompanyId(chosen.company))
    company = await lane.read_company()
    if company is None:
        raise Refused(f"There is no company {chosen.company}; `companies` lists them.")
    return lane, company


def _line(receipt: Receipt) -> str:
    reason = f" ({receipt.reason})" if receipt.reason else ""
    return f"{receipt.baixa}  {receipt.paid_on}  {receipt.state}{reason}  next {_when(receipt.due_ms)}"


def _when(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, SAO_PAULO).strftime("%Y-%m-%d %H:%M:%S") if at else "never"


def _who() -> str:
    return os.environ.get("USER", "") or "operator"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
