"""
Which secrets the ledger takes for known by itself; everything else waits for a person.

1. The first time: in a ledger without orders of before, every secret that is configured. Else those of the
   sources that have such orders: they are in use. A name that never had an order may be an old shop's new name.
2. A new secret beside a known one under one name: a rotation with an overlap, the same shop. Not where that
   shop has another name as well: then it has moved there, and the name beside its old secret may be anybody's.

A vault that does not answer or has none, or a setting that is wrong, changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from distributor.ledger import Ledger
from distributor.ledger.secret_fingerprints import SecretFingerprints
from distributor.ledger.shop_owners import Registered
from distributor.settings.shop_secrets import SecretName
from foundation import logs
from foundation.errors import ConfigurationError

BY = "service"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ShopRegistration:
    """Register the secrets that need no person."""

    ledger: Ledger
    fingerprints: SecretFingerprints
    secrets: Callable[[], Awaitable[Mapping[SecretName, str]]]
    """The secrets of this moment. Raises ConfigurationError."""

    async def keep_up(self) -> Registered:
        """Register what may be registered now; return what is registered then. Raises StoreUnavailable."""
        try:
            marks = await self.fingerprints.of_all(await self.secrets())
        except ConfigurationError as error:
            logs.warning(_log, "shops_not_registered", why=str(error))
            return await self.ledger.shops.registered()
        before = await self.ledger.shops.registered()
        if before.owners.sources.keys() >= set(marks.values()):
            return before
        if await self.ledger.shops.has_begun():
            await self._rotated(marks, before.owners.sources)
        else:
            await self._first(marks)
        return await self.ledger.shops.registered()

    async def _first(self, marks: Mapping[SecretName, str]) -> None:
        """Register what is in use, and note that this was done; safe to repeat after a crash in between."""
        in_use = await self.ledger.shops.sources_of_before()
        for name, mark in marks.items():
            if not in_use or name.source in in_use:
                await self._add(mark, name.source, "first")
        without = sorted(in_use - {name.source for name in marks})
        if without:
            logs.warning(_log, "sources_without_secret", sources=", ".join(without))
        await self.ledger.shops.begin()

    async def _rotated(self, marks: Mapping[SecretName, str], owners: Mapping[str, str]) -> None:
        for source, names in groupby(sorted(marks), key=attrgetter("source")):
            mine = [marks[name] for name in names]
            known = {owners[mark] for mark in mine if mark in owners}
            elsewhere = {owners[mark] for name, mark in marks.items() if name.source != source and mark in owners}
            for mark in mine:
                if mark not in owners and len(known) == 1 and not known & elsewhere:
                    await self._add(mark, min(known), "rotation")
                elif mark not in owners:
                    logs.info(_log, "shop_secret_unknown", source=source)

    async def _add(self, mark: str, source: str, how: str) -> None:
        if await self.ledger.shops.add(mark, source, by=BY, how=how):
            logs.info(_log, "shop_secret_registered", source=source, how=how)
