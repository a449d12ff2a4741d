"""Commands about companies: invite, list, confirm, pause, resume, disconnect, and how far looking has come."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from foundation.clock import UnixMs, system_clock
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import Rows
from payflow.cli.context import Add, Refused, company_of, local_time, say, who
from payflow.cli.decide import UNRECORDED, audit
from payflow.cli.holding import hold, let_go, until_still
from payflow.delivery.manual_actions import PAUSABLE
from payflow.errors import ServedElsewhere
from payflow.ledger import control, keys
from payflow.ledger.lane import LaneLedger
from payflow.model import CompanyId
from payflow.state import Company, CompanyStatus
from payflow.wiring import Container

OPEN_MAX: Final = 500
FAR: Final = UnixMs(10**14)
_ALLOWED: Final = {
    "confirm": {CompanyStatus.CONFIRM},
    "pause": PAUSABLE,
    "resume": {CompanyStatus.PAUSED, CompanyStatus.ELSEWHERE},
}
_FOR_ALL: Final = {
    "pause": "hold every company, for a deployment; needs no key",
    "resume": "end that; a company's own pause stays",
}
_NAMED: Final = {
    "pause": "with --all: the name of this hold, instead of yours",
    "resume": "with --all: end only the hold of this name",
}


def add_to(add: Add) -> None:
    """Add the commands to a parser."""
    invite = add("invite", "show a link with which a clinic connects, for 24 hours", _invite)
    invite.add_argument("--document", default="", help="CNPJ or CPF that must sign in")
    invite.add_argument("--company", default="", help="company that must sign in again")
    add("companies", "list the companies", _companies)
    for name, status, meaning in (
        ("confirm", CompanyStatus.ACTIVE, "confirm a company that connected without an expected document"),
        ("pause", CompanyStatus.PAUSED, "look for nothing and send nothing for a company"),
        ("resume", CompanyStatus.ACTIVE, "end a pause, or serve a company that another deployment gave up"),
    ):
        command = add(name, meaning, _set_status)
        command.set_defaults(status=status, everything=False, hold="")
        command.add_argument("company", nargs="?" if name in _FOR_ALL else None)
        if name in _FOR_ALL:
            command.add_argument("--all", action="store_true", dest="everything", help=_FOR_ALL[name])
            command.add_argument("--hold", default="", metavar="NAME", help=_NAMED[name])
        if name == "pause":
            command.add_argument("--wait", action="store_true", help="end when no lane of it runs any more")
    leave = add("disconnect", "end the service of a company, so that another deployment may take it", _disconnect)
    leave.add_argument("company")
    leave.add_argument("--leave-open", action="store_true", help="although receipts are open: they are not mailed here")
    add("cursor", "show how far looking has come", _cursor).add_argument("company")


async def _invite(container: Container, chosen: argparse.Namespace) -> None:
    document = re.sub(r"\D", "", chosen.document)
    if chosen.document and len(document) not in (11, 14):
        raise Refused("--document is a CPF with 11 or a CNPJ with 14 digits.")
    connecting = await container.connecting()
    secret = await connecting.invite(document=document, company=chosen.company, by=who())
    parts = urlsplit(connecting.redirect_uri)
    say(f"{parts.scheme}://{parts.netloc}/connect/{secret}")


async def _companies(container: Container, _: argparse.Namespace) -> None:
    base = await container.base()
    held = await control.read_control(base.ledger.rows)
    if held.held_ms:
        say(f"Every company is held since {local_time(held.held_ms)} by {held.by}: `resume --all` ends it.")
    for entry in await base.entries.all():
        company = await base.lane(entry.company).read_company()
        policy = company.policy if company else "-"
        say(f"{entry.company}  {entry.status:<16} documents {policy:<13} looked {local_time(entry.looked_ms)}")


async def _set_status(container: Container, chosen: argparse.Namespace) -> None:
    if chosen.everything == bool(chosen.company):
        raise Refused(f"{chosen.command} is about one company, or with --all about every one.")
    if chosen.hold and not chosen.everything:
        raise Refused("--hold goes with --all.")
    if chosen.everything:
        return await (hold if chosen.command == "pause" else let_go)(container, chosen)
    return await _set_status_of_one(container, chosen)


async def _set_status_of_one(container: Container, chosen: argparse.Namespace) -> None:
    lane, company = await company_of(container, chosen)
    if company.status not in _ALLOWED[chosen.command]:
        raise Refused(f"Company {company.id} is {company.status}; {chosen.command} does not apply.")
    if chosen.status is CompanyStatus.ACTIVE and await lane.rows.get(keys.RESTORING):
        raise Refused(f"A restore of company {company.id} was cut; run `restore` again first.")
    if company.status is CompanyStatus.ELSEWHERE:
        company = await _taken_over(container, company)
    actions = await container.actions(company.id, chosen.by, lambda: say(UNRECORDED))
    await actions.set_status(company, chosen.status)
    say(f"Company {company.id} is {chosen.status}.")
    if chosen.command == "pause" and chosen.wait:
        await until_still(lane.rows, lane.company)
        say("No lane of it runs any more.")


async def _taken_over(container: Container, company: Company) -> Company:
    """Let the send log say what the other deployment mailed; return the company as it is stored then."""
    lane = (await container.base()).lane(company.id)
    try:
        mails = await (await container.restoring(company.id)).adopt(company.connected_ms)
    except ServedElsewhere as other:
        raise Refused(f"{other.where} still serves company {company.id}: run `disconnect` there first.") from None
    say(f"By the send log {sum(mails.values())} mails are known: {dict(sorted(mails.items()))}.")
    return await lane.read_company() or company


async def _disconnect(container: Container, chosen: argparse.Namespace) -> None:
    """The status first: no lane mails after the log was given up. Tokens last: a command that was cut is run again."""
    base, id_ = await container.base(), CompanyId(chosen.company)
    lane = base.lane(id_)
    company = await lane.read_company()
    if company and (count := await open_receipts(lane)) and not chosen.leave_open:
        raise Refused(
            f"{count} receipts of company {id_} are open (`receipts {id_}`). End them first; or with --leave-open they "
            "are never mailed here, and a deployment that connects the company later takes them as paid before that."
        )
    if company and company.status is not CompanyStatus.DISCONNECTED:
        now = system_clock()
        await lane.write_company(replace(company, status=CompanyStatus.DISCONNECTED, status_ms=now))
        await lane.entries.lower(id_, now, CompanyStatus.DISCONNECTED)
        await until_still(lane.rows, lane.company)
    try:
        await base.send_log(system_clock, id_, 1).give_up()
    except ServedElsewhere:
        say("Another deployment serves it already.")
    else:
        await _forget(base.second.rows_of(keys.partition(id_)))
    await _forget(lane.rows)
    await audit(container, chosen, str(id_), "disconnect")
    say(f"Company {id_} is disconnected; its token is deleted. Revoke the access in Conta Azul too.")


async def open_receipts(lane: LaneLedger) -> int:
    """Return how many receipts wait for time or for a person, at most 500 of each."""
    return len(await lane.due(FAR, limit=OPEN_MAX)) + len(await lane.held(limit=OPEN_MAX))


async def _forget(rows: Rows) -> None:
    if await rows.get(keys.TOKEN):
        write = AtomicWrite()
        write.delete(keys.TOKEN)
        await commit(rows, write, marker_row=keys.TOKEN)


async def _cursor(container: Container, chosen: argparse.Namespace) -> None:
    lane, _ = await company_of(container, chosen)
    cursor = await lane.read_cursor()
    say(f"looked until {local_time(cursor.upper_ms)}; in progress: {cursor.kind or 'nothing'}, span {cursor.span}")
    say(f"last nightly check {local_time(cursor.check_ms)}")
