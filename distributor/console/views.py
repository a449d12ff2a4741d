"""What the pages show: read by the same functions as the commands, never more than a page of anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from distributor.cli.alarms import standing
from distributor.cli.argument_types import order_key
from distributor.cli.language import current
from distributor.cli.orders import held_orders
from distributor.cli.show import overview
from distributor.console.desk import Desk
from distributor.model import OrderKey, OrderStatus
from distributor.payout.catalogue import CATALOGUE
from distributor.settings.use_cases import StatusSettings
from distributor.status import Status

HELD_SHOWN_MAX = 50
_EXPLORERS = {137: "https://polygonscan.com", 80002: "https://amoy.polygonscan.com"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Views:
    """The readings behind the pages."""

    desk: Desk

    async def home(self) -> dict[str, Any]:
        """Return the whole service: what ``show``, ``held`` and ``alarms`` say, in one."""
        context = self.desk.looking()
        shown = await overview(context, held_max=HELD_SHOWN_MAX)
        return {
            "line": shown.headline.line,
            "state": str(shown.headline.state),
            "action": shown.headline.action,
            "service": shown.document,
            "held": await held_orders(context, most=HELD_SHOWN_MAX),
            "held_max": HELD_SHOWN_MAX,
            "alarms": await standing(context),
        }

    async def order(self, text: str) -> dict[str, Any] | None:
        """Return the order that *text* names, with what can be done about it; None: there is none."""
        key = order_key(text)
        settings = await self.desk.parts.settings(StatusSettings)
        ledger = await self.desk.parts.ledger()
        found = await Status(ledger=ledger, decimals=settings.decimals).of(key)
        if found is None:
            return None
        document: dict[str, Any] = dict(found)
        name = OrderKey(document["source"], document["order_id"])
        why = document["held"] or document["waiting"]
        kind = "held" if document["held"] else "waiting"
        return {
            "order": document,
            "reason": CATALOGUE.find(f"{kind}_{why['reason']}").texts[current()] if why else None,
            "detail": why["detail"] if why else "",
            "key": str(name),
            "possible": _possible(document),
            "lines": _lines(name, document),
            "explorer": _EXPLORERS.get(settings.storage.chain_id, ""),
        }


def _possible(document: dict[str, Any]) -> list[str]:
    """Return the acts that the order's status allows; the command looks once more."""
    if document["status"] == OrderStatus.HELD:
        return ["retry", "cancel"]
    return ["cancel"] if document["status"] == OrderStatus.RECEIVED else []


def _lines(key: OrderKey, document: dict[str, Any]) -> list[str]:
    """Return the commands for what only the command line does, ready to copy."""
    stem, why, tx = "python3 -m distributor", '--why "…"', document["transaction_hash"] or "0x…"
    match document["status"]:
        case OrderStatus.HELD:
            return [
                f"{stem} settle {key} --tx {tx} {why}",
                f"{stem} retry {key} --no-tokens-moved {why}",
            ]
        case OrderStatus.PAID:
            return [f"{stem} reopen {key} --tx 0x… {why}"]
        case _:
            return []
