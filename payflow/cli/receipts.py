"""Commands that show where receipts are; they show no customer's name and no address."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from payflow.cli.companies import FAR
from payflow.cli.context import Add, Refused, company_of, local_time, say
from payflow.mail.formats import brl
from payflow.model import BaixaId, PaymentTerms
from payflow.state import Receipt
from payflow.wiring import Container

HELD_MAX: Final = 500


def add_to(add: Add) -> None:
    """Add the commands to a parser."""
    receipts = add("receipts", "list what waits: for time, and for a person", _receipts)
    receipts.add_argument("company")
    receipts.add_argument("--changed", action="store_true", help="only what was changed or undone after it was mailed")
    show = add("show", "show where the receipt of a payment is, and its mails", _show)
    show.add_argument("company")
    show.add_argument("baixa")


async def _receipts(container: Container, chosen: argparse.Namespace) -> None:
    lane, _ = await company_of(container, chosen)
    flagged = await lane.flagged(limit=HELD_MAX)
    others = [] if chosen.changed else [*await lane.due(FAR, limit=HELD_MAX), *await lane.held(limit=HELD_MAX)]
    for receipt in [*others, *flagged]:
        say(_line(receipt))
    if not others and not flagged:
        sys.stderr.write("No receipt waits.\n")


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
    if receipt.was_mailed:
        say(f"  correction {receipt.correction} of {_terms(receipt.was_mailed)}, by {receipt.decided_by}")
    for mail in await lane.deliveries(receipt.baixa):
        say(f"  mail {mail.kind} {mail.number}: {mail.state}, tried {local_time(mail.tried_ms)}, {mail.message_id}")
        say(f"    the server said: {mail.reply or 'nothing yet'}")


def _line(receipt: Receipt) -> str:
    reason = f" ({receipt.reason})" if receipt.reason else ""
    line = f"{receipt.baixa}  {receipt.paid_on}  {receipt.state}{reason}  next {local_time(receipt.due_ms)}"
    return f"{line}  {_change(receipt)}" if receipt.flagged_ms else line


def _change(receipt: Receipt) -> str:
    """Return what became of a payment after its mail."""
    is_now = "undone" if receipt.gone else f"is {_terms(receipt.now_is)}"
    other = receipt.now_is and receipt.now_is.customer != receipt.customer
    return f"after it was mailed: was {_terms(receipt.terms)}, {is_now}{', of another customer' if other else ''}"


def _terms(terms: PaymentTerms) -> str:
    return f"{brl(terms.amount)} on {terms.paid_on}"
