"""What the console shows and does about call-backs: the command ``callbacks``, about an order, a shop, or a time."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from distributor.call_back_wiring import receivers_of
from distributor.call_backs.by_hand import ByHand
from distributor.cli.argument_types import order_key
from distributor.cli.call_backs import line_of, moment
from distributor.cli.language import N_
from distributor.console.desk import Desk
from distributor.ledger import Ledger
from distributor.ledger.call_records import CallBack
from distributor.order_ids import can_be_an_order
from distributor.status import rfc3339
from foundation.clock import UnixMs
from foundation.console.acting import Sorry

HOUR_MS: Final = 3_600_000
CALLS_MAX: Final = 100
"""More events than this an order has not; the newest is the last."""
_SINCE: Final = ((N_("the last hour"), 1), (N_("the last day"), 24), (N_("the last three days"), 72))
_NOWHERE: Final = N_("There is no such page.")


async def page(desk: Desk, shop: str) -> Mapping[str, Any]:
    """Return how each shop's address answers, and of *shop* what it was told last and what can be sent again."""
    by_hand = ByHand(ledger=await desk.parts.ledger(), clock=desk.clock)
    shops = await by_hand.shops((await receivers_of(desk.parts))())
    if shop and shop not in {each["shop"] for each in shops}:
        raise Sorry(404, _NOWHERE)
    now = desk.clock()
    return {
        "shops": shops,
        "shop": shop,
        "calls": [line_of(each) for each in await by_hand.newest(shop)] if shop else [],
        "since": [(words, f"{shop} {rfc3339(UnixMs(now - hours * HOUR_MS))}") for words, hours in _SINCE],
    }


def of_order(subject: str) -> Mapping[str, Any]:
    """Return what ``callbacks resend`` is asked about one order."""
    key = order_key(subject)
    return {"shop": key.source, "order": key.order_id, "since": None}


def of_shop(subject: str) -> Mapping[str, Any]:
    """Return what ``callbacks test`` is asked about a shop."""
    return {"shop": subject, "order": None, "since": None}


def of_time(subject: str) -> Mapping[str, Any]:
    """Return what ``callbacks resend`` is asked about ``SHOP TIME``. Raises Sorry if it is something else."""
    shop, _, since = subject.partition(" ")
    try:
        return {"shop": shop, "order": None, "since": moment(since)}
    except ArgumentTypeError:
        raise Sorry(404, _NOWHERE) from None


async def order_version(ledger: Ledger, subject: str) -> str:
    """Return what an order and its newest call-back look like now."""
    key = order_key(subject)
    found = await ledger.shop_orders.find(key) if can_be_an_order(key) else None
    calls = await ledger.call_backs.of_order(key, limit=CALLS_MAX) if found else []
    return " ".join(each.version.etag for each in ([found] if found else []) + list(calls[-1:]))


async def shop_version(ledger: Ledger, subject: str) -> str:
    """Return how a shop's address answers now. A test that fails changes nothing, and may be posted again."""
    addresses = await ledger.call_backs.addresses()
    return "".join(each.version.etag for each in addresses if each.source == subject)


async def time_version(ledger: Ledger, subject: str) -> str:
    """Return the events since then, each as it is now: sent again, they have other versions."""
    asked = of_time(subject)
    found = [
        f"{each.key} {each.version.etag}"
        async for each in ledger.call_backs.since(asked["shop"], asked["since"])
        if isinstance(each, CallBack)
    ]
    return sha256("\n".join(found).encode()).hexdigest()
