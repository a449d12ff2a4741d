"""Commands about personal data: what is stored of a person, and its erasure (LGPD, art. 18)."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from foundation.clock import system_clock
from payflow.cli.context import Add, Refused, company_of, say
from payflow.cli.decide import audit, lane_of
from payflow.delivery.payers import LaneRecipients
from payflow.delivery.purging import Purging
from payflow.delivery.since import PURGE_PERSON
from payflow.ledger import exporting
from payflow.model import CustomerId
from payflow.state import CompanyStatus
from payflow.wiring import Container


def add_to(add: Add) -> None:
    """Add the commands to a parser."""
    export = add("export", "write what is stored of a customer to a file, opened; give it to nobody else", _export)
    export.add_argument("company")
    export.add_argument("customer")
    export.add_argument("file", type=Path)
    purge = add("purge", "erase the data of a person or of a disconnected company; dry run first", _purge)
    purge.add_argument("company")
    whose = purge.add_mutually_exclusive_group(required=True)
    whose.add_argument("--person", metavar="CUSTOMER", default="", help="customer id of Conta Azul")
    whose.add_argument("--company", dest="whole", action="store_true", help="the company and all its customers")
    purge.add_argument("--apply", action="store_true", help="do it; it cannot be undone")


async def _export(container: Container, chosen: argparse.Namespace) -> None:
    lane = await lane_of(container, chosen)
    found = await exporting.of_person(lane, CustomerId(chosen.customer))
    chosen.file.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
    await audit(container, chosen, chosen.customer, "export")
    say(f"{len(found['receipts'])} receipts and {len(found['mails'])} mails are in {chosen.file}: personal data.")


async def _purge(container: Container, chosen: argparse.Namespace) -> None:
    lane = await lane_of(container, chosen)
    _, company = await company_of(container, chosen)
    if chosen.whole and company.status is not CompanyStatus.DISCONNECTED:
        raise Refused(f"Company {company.id} is {company.status}: `disconnect` it first.")
    purging = Purging(ledger=lane, apply=chosen.apply)
    if chosen.apply and not chosen.whole:
        # First: a lane that runs mails nothing more to this person, and a restore finds the order in the audit.
        await LaneRecipients(lane).set_no_mail(CustomerId(chosen.person), chosen.by, system_clock(), no_mail=True)
        await audit(container, chosen, chosen.person, PURGE_PERSON)
    done = await (purging.company() if chosen.whole else purging.person(CustomerId(chosen.person)))
    rows = ", ".join(f"{count} {kind}" for kind, count in sorted(done.items())) or "nothing"
    if not chosen.apply:
        say(f"Would erase: {rows}. Nothing was changed; --apply does it, for good.")
        return
    if chosen.whole:
        await audit(container, chosen, chosen.company, "purge-company")
    say(f"Erased: {rows}. The rows stay without personal data, so that nothing is mailed a second time.")
    say("Backups taken before still hold it, sealed: they are to be deleted by their own term.")
