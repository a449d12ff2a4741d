"""Commands about a clinic and its customers: its API, whose documents, which language, how a mail looks."""

from __future__ import annotations

import argparse
from pathlib import Path

from foundation.clock import system_clock
from foundation.errors import Rejected
from payflow.cli.context import Add
from payflow.cli.decide import actions_of, audit, lane_of
from payflow.connect import probe
from payflow.conta_azul.values import local_date
from payflow.delivery.payers import LaneRecipients
from payflow.ledger.lane import LaneLedger
from payflow.mail.letters import ENGLISH, PORTUGUESE
from payflow.model import BaixaId, CustomerId
from payflow.state import Company, DocumentPolicy
from payflow.wiring import Container


def add_to(add: Add) -> None:
    """Add the commands to a parser."""
    probed = add("probe", "ask twenty payments of a clinic what its API is like; shows counts alone", _probe)
    probed.add_argument("company")
    policy = add("policy", "say whose documents a clinic's receipts carry", _policy)
    policy.add_argument("company")
    policy.add_argument("policy", choices=[*DocumentPolicy])
    language = add("language", "write to a customer in Portuguese or in English", _language)
    for name in ("company", "customer"):
        language.add_argument(name)
    language.add_argument("language", choices=[PORTUGUESE, ENGLISH])
    preview = add("preview", "write a receipt's mail to a file as it would go out now; nothing is sent", _preview)
    for name in ("company", "baixa"):
        preview.add_argument(name)
    preview.add_argument("file", type=Path)


async def _probe(container: Container, chosen: argparse.Namespace) -> None:
    company = await _company(await lane_of(container, chosen))
    shape = await probe.ask(company, await container.apis(company.id), local_date(system_clock()))
    chosen.say(f"routes {shape.family}, due dates up to {shape.span_days} days apart in one search")
    chosen.say(f"{shape.with_document} of {shape.payments} payments of the last month have a document")
    proposed = shape.policy(is_person=company.is_person)
    chosen.say(f"proposed: policy {company.id} {proposed}; now it is {company.policy}")


async def _policy(container: Container, chosen: argparse.Namespace) -> None:
    actions, wanted = await actions_of(container, chosen), DocumentPolicy(chosen.policy)
    company = await actions.set_policy(await _company(actions.lane), wanted)
    chosen.say(f"Documents of company {company.id}: {wanted}. Mails that are prepared keep theirs.")


async def _language(container: Container, chosen: argparse.Namespace) -> None:
    lane = await lane_of(container, chosen)
    await LaneRecipients(lane).set_language(CustomerId(chosen.customer), chosen.by, chosen.language)
    await audit(container, chosen, chosen.customer, f"language {chosen.language}")
    chosen.say(
        f"Mails to customer {chosen.customer} are in {chosen.language}; one that is prepared keeps its language."
    )


async def _preview(container: Container, chosen: argparse.Namespace) -> None:
    lane = await lane_of(container, chosen)
    company, receipt = await _company(lane), await lane.receipt(BaixaId(chosen.baixa))
    if receipt is None:
        raise Rejected(f"Company {chosen.company} has no payment {chosen.baixa}.")
    work, api_of = await container.work(company.id), await container.apis(company.id)
    chosen.file.write_bytes(await work.preview(receipt, company, lane, api_of(company)))
    chosen.say(f"The mail is in {chosen.file}; it holds personal data. Nothing was sent.")


async def _company(lane: LaneLedger) -> Company:
    company = await lane.read_company()
    if company is None:
        raise Rejected(f"There is no company {lane.company}; `companies` lists them.")
    return company
