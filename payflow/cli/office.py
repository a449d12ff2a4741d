"""The command about the page of a clinic's office: its address, its contact, who is signed in."""

from __future__ import annotations

import argparse
from dataclasses import replace

from foundation.errors import Rejected
from payflow.cli.context import Add, company_of
from payflow.cli.decide import audit
from payflow.mail.formats import masked_address
from payflow.recipients.addresses import normalized
from payflow.wiring import Container


def add_to(add: Add) -> None:
    """Add the command to a parser."""
    office = add("office", "show the address of a clinic's own page, and who gets its codes", _office)
    office.add_argument("company")
    office.add_argument("--contact", default="", help="mail codes and digests to this address from now on")
    office.add_argument("--sign-out", action="store_true", help="end every session of the page")


async def _office(container: Container, chosen: argparse.Namespace) -> None:
    lane, company = await company_of(container, chosen)
    if chosen.contact:
        contact = normalized(chosen.contact)
        if not contact:
            raise Rejected("--contact is not a mail address")
        company = await lane.write_company(replace(company, contact=contact))
        await audit(container, chosen, chosen.company, "contact")
    if chosen.sign_out:
        oauth = (await container.office_door()).oauth
        await oauth.change_access(company.id, lambda access: (replace(access, epoch=access.epoch + 1, asks=()), True))
        await audit(container, chosen, chosen.company, "sign-out")
        chosen.say("Every session of the page has ended.")
    page = (await container.office_letters()).page(company)
    chosen.say(f"{page}  codes go to {masked_address(company.contact) if company.contact else 'nobody: set --contact'}")
