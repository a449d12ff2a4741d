"""Commands of the auditor: the last mails, the life of the tokens, and what people decided."""

from __future__ import annotations

import argparse
import heapq
from typing import Final

from foundation.tablestore.queries import rows_under
from payflow.cli.context import Add, local_time, say
from payflow.ledger import keys
from payflow.mail.formats import masked_address
from payflow.state import Delivery
from payflow.wiring import Container

LIMIT: Final = 100


def add_to(add: Add) -> None:
    """Add the command to a parser."""
    audit = add("audit", "show the last mails, the tokens, or what people decided, newest first", _audit)
    audit.add_argument("what", choices=["emails", "tokens", "decisions"])
    audit.add_argument("--limit", type=int, default=LIMIT)
    audit.add_argument("--addresses", action="store_true", help="show addresses whole instead of masked")


async def _audit(container: Container, chosen: argparse.Namespace) -> None:
    show = {"emails": _emails, "tokens": _tokens, "decisions": _decisions}[chosen.what]
    for _, line in heapq.nlargest(chosen.limit, await show(container, chosen)):
        say(line)


async def _emails(container: Container, chosen: argparse.Namespace) -> list[tuple[int, str]]:
    """Company, payment, address, state, when it was tried last: what was never tried is no mail yet."""
    base, found = await container.base(), list[tuple[int, str]]()
    for entry in await base.entries.all():
        lane = base.lane(entry.company)
        async for row in rows_under(lane.rows, "delivery:"):
            mail = lane.codec.decode(Delivery, row)
            if at := max(mail.tried_ms, mail.sent_ms):
                address = mail.address if chosen.addresses else masked_address(mail.address) if mail.address else "-"
                found.append(
                    (at, f"{local_time(at)}  {entry.company}  {mail.baixa}  {mail.kind}  {address}  {mail.state}")
                )
    return found


async def _tokens(container: Container, _: argparse.Namespace) -> list[tuple[int, str]]:
    base, found = await container.base(), list[tuple[int, str]]()
    for entry in await base.entries.all():
        token = await base.lane(entry.company).read_token()
        if token is None:
            found.append((0, f"never  {entry.company}  {entry.status}, no token"))
            continue
        refused = f", refused since {local_time(token.refused_ms)}" if token.refused_ms else ""
        words = f"{entry.status}, generation {token.generation}, access ends {local_time(token.expires_ms)}{refused}"
        found.append((token.saved_ms, f"{local_time(token.saved_ms)}  {entry.company}  {words}"))
    return found


async def _decisions(container: Container, _: argparse.Namespace) -> list[tuple[int, str]]:
    base, found = await container.base(), list[tuple[int, str]]()
    for entry in await base.entries.all():
        for said in await base.second.audit.recorded(keys.decisions(entry.company)):
            at, words = int(said["at_ms"]), "  ".join(str(said[name]) for name in ("what", "subject", "by"))
            found.append((at, f"{local_time(at)}  {entry.company}  {words}"))
    return found
