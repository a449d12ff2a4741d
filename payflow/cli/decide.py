"""Commands by which a person decides: receipts, mails, the map of recipients, addresses, bounces."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from foundation.clock import system_clock
from foundation.errors import Rejected
from payflow.cli.context import Add, who
from payflow.delivery import bounced, choices
from payflow.delivery.manual_actions import ManualActions
from payflow.delivery.payers import LaneRecipients
from payflow.delivery.since import NO_CORRECTION
from payflow.ledger import keys
from payflow.ledger.lane import LaneLedger
from payflow.mail import bounces
from payflow.model import BaixaId, CompanyId, CustomerId
from payflow.recipients import mapping
from payflow.recipients.addresses import normalized
from payflow.state import DeliveryState, Reason
from payflow.wiring import Container

UNRECORDED = "This is done, but the second account did not take it: a restore would not know of it."


def add_to(add: Add) -> None:
    """Add the commands to a parser."""
    decide = add(
        "decide",
        "release or skip a receipt, or say what becomes of an unknown mail or that a change needs no correction",
        _decide,
    )
    for name in ("company", "baixa"):
        decide.add_argument(name)
    decide.add_argument("what", choices=["release", "skip", "arrived", "again", NO_CORRECTION])
    decide.add_argument(
        "--mail", default="", help="which mail `arrived` and `again` mean, KIND:NUMBER; without it every unknown one"
    )
    resend = add("resend", "mail a receipt once more that was sent or refused", _resend)
    for name in ("company", "baixa"):
        resend.add_argument(name)
    resend.add_argument("--to", default="", help="another address")
    resend.add_argument(
        "--correction",
        action="store_true",
        help="as a correction of the receipt that was sent, with what its payment is now, to the addresses of now",
    )
    resend.add_argument("--by", default=who(), help="who says so, for the audit")
    resend.add_argument("--reason", default="", help="why; sealed in the audit")
    mapped = add("map", "take addresses from a CSV file with the columns id or nome, and email", _map)
    mapped.add_argument("company")
    mapped.add_argument("file", type=Path)
    mail = add("no-mail", "send a customer no receipts", _no_mail)
    for name in ("company", "customer"):
        mail.add_argument(name)
    mail.add_argument("--undo", action="store_true")
    address = add("address", "use an address again that was suppressed, or that many customers share", _address)
    for name in ("company", "address"):
        address.add_argument(name)
    back = add("bounces", "take bounces from files, one mail each; only those that name a mail of ours count", _bounces)
    back.add_argument("company")
    back.add_argument("files", type=Path, nargs="+")


async def _decide(container: Container, chosen: argparse.Namespace) -> None:
    actions, baixa = await actions_of(container, chosen), BaixaId(chosen.baixa)
    match chosen.what:
        case "release":
            after = await actions.release(baixa)
        case "skip":
            after = await actions.skip(baixa)
        case "no-correction":
            after = await actions.no_correction(baixa)
        case _:
            act = actions.arrived if chosen.what == "arrived" else actions.again
            for kind, number in await _meant(actions.lane, baixa, chosen.mail):
                after = await act(baixa, kind, number)
    chosen.say(f"The receipt of payment {after.baixa} is {after.state}.")


async def _meant(lane: LaneLedger, baixa: BaixaId, named: str) -> Sequence[tuple[str, int]]:
    """Return the mail that was named, else every one of which nobody knows whether it arrived. Raises Rejected."""
    if named:
        kind, _, number = named.rpartition(":")
        return [(kind, int(number) if number.isdecimal() else 0)]
    mails = await lane.deliveries(baixa)
    unknown = [mail for mail in mails if mail.state is DeliveryState.UNKNOWN and not mail.decided_by]
    if found := [(mail.kind, mail.number) for mail in unknown]:
        return found
    raise Rejected(f"no mail of payment {baixa} is unknown")


async def _resend(container: Container, chosen: argparse.Namespace) -> None:
    actions, address = await actions_of(container, chosen, chosen.reason), normalized(chosen.to)
    if chosen.to and chosen.correction:
        raise Rejected("a correction goes to the addresses of now: leave out --to")
    if chosen.to and not address:
        raise Rejected("--to is not a mail address")
    baixa = BaixaId(chosen.baixa)
    after = await (actions.correct(baixa) if chosen.correction else actions.resend(baixa, address))
    chosen.say(f"The receipt of payment {after.baixa} is {after.state}.")


async def _map(container: Container, chosen: argparse.Namespace) -> None:
    try:
        found = mapping.read_map(chosen.file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise Rejected("the file is not UTF-8: save it as CSV UTF-8; nothing was mapped") from None
    lane = await lane_of(container, chosen)
    stored = await LaneRecipients(lane).store_map(found, chosen.by)
    for line, reason in found.refused:
        chosen.say(f"line {line}: {reason}")
    await audit(container, chosen, str(stored), "map")
    chosen.say(f"{stored} are mapped, {len(found.refused)} lines are refused.")


async def _no_mail(container: Container, chosen: argparse.Namespace) -> None:
    actions, no_mail = await actions_of(container, chosen), not chosen.undo
    await actions.set_no_mail(CustomerId(chosen.customer), no_mail=no_mail)
    chosen.say(f"Customer {chosen.customer} gets {'no receipts' if no_mail else 'receipts'}.")


async def _address(container: Container, chosen: argparse.Namespace) -> None:
    lane, address = await lane_of(container, chosen), normalized(chosen.address)
    if not address:
        raise Rejected("this is not a mail address")
    await LaneRecipients(lane).confirm(address, chosen.by, system_clock())
    await audit(container, chosen, lane.index.address(address), "address")
    again = await choices.decide_anew(lane, Reason.SHARED_ADDRESS, system_clock())
    chosen.say(f"The address is confirmed; {again} receipts that were held for an address are decided anew.")


async def _bounces(container: Container, chosen: argparse.Namespace) -> None:
    lane = await lane_of(container, chosen)
    for file in chosen.files:
        found = bounces.parse_bounce(file.read_bytes())
        receipt = await bounced.store_bounce(lane, found, system_clock()) if found else None
        if receipt is None or found is None:
            chosen.say(f"{file.name}: names no mail that went out")
            continue
        await audit(container, chosen, str(receipt.baixa), f"bounce {found.status}")
        chosen.say(f"{file.name}: {receipt.baixa} came back ({found.status}); the receipt is {receipt.state}")


async def lane_of(container: Container, chosen: argparse.Namespace) -> LaneLedger:
    """Return the company's rows. Raises Rejected if there is none, or while a restore of it is under way."""
    lane = (await container.base()).lane(CompanyId(chosen.company))
    if await lane.read_company() is None:
        raise Rejected(f"There is no company {chosen.company}; `companies` lists them.")
    if await lane.rows.get(keys.RESTORING):
        raise Rejected(f"A restore of company {chosen.company} is under way, or was cut; decide when it has ended.")
    return lane


async def actions_of(container: Container, chosen: argparse.Namespace, why: str = "") -> ManualActions:
    """Return what the person who gives the command may do about the company. Raises Rejected as ``lane_of``."""
    lane = await lane_of(container, chosen)
    return await container.actions(lane.company, chosen.by, lambda: chosen.say(UNRECORDED), why)


async def audit(container: Container, chosen: argparse.Namespace, subject: str, what: str, **more: str) -> None:
    """Record who decided what, in both accounts; ids and codes only. A restore reads them (see ``since``)."""
    actions = await container.actions(CompanyId(chosen.company), chosen.by, lambda: chosen.say(UNRECORDED))
    await actions.record(subject, what, **more)
