"""Commands that show where receipts are; they show no customer's name and no address."""

from __future__ import annotations

import argparse
from typing import Final

from payflow.cli.companies import FAR
from payflow.cli.context import Add, Refused, company_of, local_time, say
from payflow.model import BaixaId
from payflow.state import Receipt
from payflow.wiring import Container

HELD_MAX: Final = 500


def add_to(add: Add) -> None:
    """Add the commands to a parser."""
    add("receipts", "list what waits: for time, and for a person", _receipts).add_argument("company")
    show = add("show", "show where the receipt of a payment is, and its mails", _show)
    show.add_argument("company")
    show.add_argument("baixa")


async def _receipts(container: Container, chosen: argparse.Namespace) -> None:
    lane, _ = await company_of(container, chosen)
    for receipt in [*await lane.due(FAR, limit=HELD_MAX), *await lane.held(limit=HELD_MAX)]:
        say(_line(receipt))


async def _show(container: Container, chosen: argparse.Namespace) -> None:
    lane, _ = await company_of(container, chosen)
    receipt = await lane.receipt(BaixaId(chosen.baixa))
    if receipt is None:
        raise Refused(f"Company {chosen.company} has no payment {chosen.baixa}.")
    say(_line(receipt))
    say(
        f"  found {local_time(receipt.found_ms)}, "
        f"document {receipt.document_source or 'none yet'}, after {receipt.after}"
    )
    for mail in await lane.deliveries(receipt.baixa):
        say(f"  mail {mail.kind} {mail.number}: {mail.state}, tried {local_time(mail.tried_ms)}, {mail.message_id}")
        say(f"    the server said: {mail.reply or 'nothing yet'}")


def _line(receipt: Receipt) -> str:
    reason = f" ({receipt.reason})" if receipt.reason else ""
    return f"{receipt.baixa}  {receipt.paid_on}  {receipt.state}{reason}  next {local_time(receipt.due_ms)}"
