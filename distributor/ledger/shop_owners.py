"""Whose secret signed an order, by the rows of the register; read where orders are bound, and where two names meet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from distributor.ledger import keys
from distributor.ledger.columns import decode
from distributor.ledger.opened import Unreadable
from distributor.ledger.records import ShopRegister, ShopSecret
from distributor.model import Order
from foundation import logs
from foundation.clock import UnixMs
from foundation.errors import InvariantBroken
from foundation.tablestore.ports import Row, Rows
from foundation.tablestore.queries import past

SECRETS_MAX = 1_000

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Owners:
    """Whose each secret is."""

    sources: Mapping[str, str]
    """Fingerprint of a secret to the source it belongs to."""
    since_ms: UnixMs | None = None
    """From when on an order names its secret; one that does not and came later was stored by older code."""

    @property
    def any(self) -> bool:
        """Whether any secret is registered."""
        return bool(self.sources)

    def of(self, order: Order) -> str | None:
        """
        Return the source *order* belongs to; None where nobody knows.

        One that names no secret belongs where it lies. But a host of before, which went on while a setting was
        renamed, lays an old order under a new name: it is not believed for a name that no secret belongs to, as long
        as any secret is known.
        """
        if order.signed_with is not None:
            return self.sources.get(order.signed_with)
        old = self.since_ms is None or order.received_ms <= self.since_ms or not self.sources
        return order.source if old or order.source in self.sources.values() else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """The secrets that are registered, and the rows of the register that cannot be read."""

    secrets: Sequence[ShopSecret]
    unreadable: Sequence[Unreadable]
    since_ms: UnixMs | None = None

    @property
    def owners(self) -> Owners:
        """Whose each secret is; orders of one whose row cannot be read wait."""
        return Owners(sources={each.fingerprint: each.source for each in self.secrets}, since_ms=self.since_ms)


async def registered(rows: Rows) -> Registered:
    """
    Return every secret that is registered, in two reads; a row that cannot be read harms its own shop alone.

    Where that is the register's own row, orders that name no secret are all taken for late ones.
    """
    register, found = await asyncio.gather(
        rows.get(keys.SHOPS), rows.scan(keys.SECRETS, past(keys.SECRETS), limit=SECRETS_MAX)
    )
    unreadable = list[Unreadable]()
    secrets = [each for row in found if (each := _read(ShopSecret, row, unreadable)) is not None]
    begun = _read(ShopRegister, register, unreadable) if register else ShopRegister(salt="")
    since_ms = begun.registered_ms if begun else UnixMs(0)
    return Registered(secrets=secrets, unreadable=unreadable, since_ms=since_ms)


def _read(kind: type[T], row: Row, unreadable: list[Unreadable]) -> T | None:
    """Return what *row* says; None where that cannot be read, which is noted."""
    try:
        return decode(kind, row)
    except InvariantBroken as error:
        logs.error(_log, "row_unreadable", key=row.key, why=str(error))
        unreadable.append(Unreadable(key=row.key, why=str(error)))
        return None
