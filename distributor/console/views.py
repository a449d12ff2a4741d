"""What the pages show: read by the same functions as the commands, never more than a page of anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distributor import approvals
from distributor.cli.alarms import persisting_alarms
from distributor.cli.argument_types import order_key
from distributor.cli.call_backs import line_of
from distributor.cli.language import N_, current, detail
from distributor.cli.orders import held_line, list_held
from distributor.cli.show import overview
from distributor.console.desk import Desk
from distributor.console.together import TOGETHER, Together
from distributor.console.ways_back import REOPEN, way_back
from distributor.errors import MalformedQuery
from distributor.model import OrderKey, OrderStatus
from distributor.order_ids import can_be_an_order
from distributor.order_list import OrderList
from distributor.order_query import FILTERS, STATUSES, OrderQuery
from distributor.payout.catalogue import CATALOGUE, ROW_UNREADABLE, WORK_NOT_RUNNING
from distributor.settings.call_backs import CallBackSettings
from distributor.settings.use_cases import StatusSettings
from distributor.status import Status
from foundation.console.bulk import ITEMS_MAX

HELD_SHOWN_MAX, CALLS_SHOWN_MAX = 50, 50
_FIELDS = (
    ("shop", N_("Shop")),
    ("wallet", N_("Wallet")),
    ("day", N_("Day (yyyy-mm-dd, Brasília)")),
    ("id", N_("Beginning of the id")),
    ("hash", N_("Beginning of the hash")),
)
_EXPLORERS = {137: "https://polygonscan.com", 80002: "https://amoy.polygonscan.com"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Views:
    """The readings behind the pages."""

    desk: Desk

    async def home(self) -> dict[str, Any]:
        """Return the whole service: what ``show``, ``held`` and ``alarms`` say, in one."""
        context = self.desk.looking()
        held = await list_held(context, most=HELD_SHOWN_MAX)
        settings = await self.desk.parts.settings(StatusSettings)
        names = [str(each["order"]) for each in held]
        shown = await overview(context, names, settings.decimals, more=len(held) >= HELD_SHOWN_MAX)
        return {
            "line": shown.headline.line,
            "state": str(shown.headline.state),
            "action": shown.headline.action,
            "service": shown.document,
            "held": held,
            "held_max": HELD_SHOWN_MAX,
            "reasons": sorted({str(each["reason"]) for each in held} - {ROW_UNREADABLE}),
            "alarms": await persisting_alarms(context),
        }

    async def held_for(self, reason: str) -> dict[str, Any]:
        """Return the orders that are held for *reason*, as many as one form is about, and what to do about them."""
        settings = await self.desk.parts.settings(StatusSettings)
        found = await Together(desk=self.desk).held(reason)
        return {
            "reason": reason,
            "action": CATALOGUE.find(f"held_{reason}").texts[current()].action if found else "",
            "held": [held_line(each, settings.decimals) for each in found[:ITEMS_MAX]],
            "more": len(found) > ITEMS_MAX,
            "back": next((TOGETHER[each] for each in way_back(reason).acts if each != "cancel"), None),
            "cancel": TOGETHER["cancel"] if way_back(reason).acts else None,
        }

    async def orders(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Return a page of the orders that *asked* names, days in Brasília's zone; what cannot be read is reported."""
        shown: dict[str, Any] = {
            "asked": dict.fromkeys(FILTERS, "") | dict(asked),
            "statuses": STATUSES,
            "fields": _FIELDS,
            "wrong": "",
            "next": None,
        }
        settings = await self.desk.parts.settings(StatusSettings)
        listing = OrderList(ledger=await self.desk.parts.ledger(), decimals=settings.decimals)
        try:
            query = OrderQuery.read({"zone": "brasilia", **asked})
            page = await listing.page(query)
        except MalformedQuery as error:
            return {**shown, "wrong": str(error)}
        return {
            **shown,
            "orders": [listing.entry(each) for each in page.orders],
            "count": page.count,
            "complete": page.complete,
            "unreadable": [{"row": each.key} for each in page.unreadable],
            "next": query.next(page.after) if page.after else None,
            "explorer": _EXPLORERS.get(settings.storage.chain_id, ""),
        }

    async def order(self, text: str, by: str) -> dict[str, Any] | None:
        """Return the order that *text* names, with what *by* can do about it; None: there is none."""
        key = order_key(text)
        settings = await self.desk.parts.settings(StatusSettings)
        ledger = await self.desk.parts.ledger()
        register = await self.desk.parts.register()
        found = await ledger.shop_orders.find(key) if can_be_an_order(key) else None
        if found is None:
            return None
        status = Status(ledger=ledger, register=register, decimals=settings.decimals)
        document: dict[str, Any] = dict(await status.describe(found))
        name = OrderKey(document["source"], document["order_id"])
        why = document["held"] if document["status"] == OrderStatus.HELD else document["waiting"]
        code = f"{'waiting' if document['waiting'] else 'held'}_{why['reason']}" if why else ""
        if why and why["reason"] == WORK_NOT_RUNNING:
            code = WORK_NOT_RUNNING
        own = approvals.awaits(found) and approvals.asked(found, by)
        return {
            "order": document,
            "reason": CATALOGUE.find(code).texts[current()] if why else None,
            "detail": detail(why["detail"]) if why else "",
            "key": str(name),
            "own": own,
            "possible": [each for each in _possible(document) if not (own and each == "approve")],
            "lines": _lines(name, document),
            "calls": [line_of(each) for each in await ledger.call_backs.of_order(name, limit=CALLS_SHOWN_MAX)],
            "told": name.source in (await self.desk.parts.settings(CallBackSettings)).addresses,
            "explorer": _EXPLORERS.get(settings.storage.chain_id, ""),
        }


def _possible(document: dict[str, Any]) -> Sequence[str]:
    """Return the acts that bring the order on; the command looks once more."""
    if document["status"] == OrderStatus.HELD:
        return way_back(document["held"]["reason"]).acts
    return ["cancel"] if document["status"] == OrderStatus.RECEIVED else []


def _lines(key: OrderKey, document: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what only the command line does: when it is right, and the line to copy."""
    match document["status"]:
        case OrderStatus.HELD:
            return [(each.when, each.about(key)) for each in way_back(document["held"]["reason"]).lines]
        case OrderStatus.PAID if document["nonce"] is None and document["transaction_hash"]:
            # without a nonce of its own: what its row names
            return [(REOPEN.when, REOPEN.about(key, document["transaction_hash"]))]
        case OrderStatus.PAID:
            return [(REOPEN.when, REOPEN.about(key))]
        case _:
            return []
