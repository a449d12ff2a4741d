"""
Whose secret is it: a secret belongs to one source for ever, whatever setting holds it.

The name of a setting is no identity: renamed, swapped or given to another shop, it would make old orders
new ones. So the ledger keeps, for the fingerprint of each secret, the source it belongs to. An order keeps
the fingerprint of the secret that signed it; it is bound only under that secret's source.
"""

from __future__ import annotations

import secrets as random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from distributor.ledger import keys
from distributor.ledger.columns import decode, encode
from distributor.ledger.queries import find
from distributor.ledger.records import NextNonce, Schema, ShopRegister, ShopSecret
from distributor.ledger.secret_fingerprints import secret_id
from distributor.ledger.signs import OPERATORS_MAX
from distributor.model import Order
from foundation.clock import Clock
from foundation.errors import Contention, require
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import UNSTORED, AuditTrail, Rows
from foundation.tablestore.queries import behind, past

Owners = Mapping[str, str]
"""Fingerprint of a secret to the source it belongs to."""
SECRETS_MAX = 1_000
PAGE_ROWS = 200
SALT_BYTES = 16
SCHEMA_LEVEL = 2
"""Code that does not know shops would pay an order that waits for a person to say whose it is."""
AUDIT = "shop"


@dataclass(frozen=True, slots=True)
class Shops:
    """The register of secrets."""

    rows: Rows
    audit: AuditTrail
    clock: Clock

    # the register ------------------------------------------------------------------------------

    async def register(self) -> ShopRegister | None:
        """Return the register's own row; None where nothing ever asked for a fingerprint."""
        return await find(self.rows, ShopRegister, keys.SHOPS)

    async def salt(self) -> bytes:
        """Return what fingerprints are made with; made at the first call. Raises StoreUnavailable."""
        found = await self.register()
        if found is None:
            group = AtomicWrite()
            group.insert(keys.SHOPS, encode(ShopRegister(salt=random.token_hex(SALT_BYTES))))
            with suppress(Contention):  # another host made it in the same moment: theirs counts
                await commit(self.rows, group, marker_row=keys.SHOPS)
            found = await self.register()
        require(found is not None, "the row of the shops is gone")
        return bytes.fromhex(found.salt) if found else b""

    async def secrets(self) -> Sequence[ShopSecret]:
        """Return every secret that is registered, by fingerprint."""
        return await _registered(self.rows)

    async def owners(self) -> Owners:
        """Return whose each registered secret is."""
        return await registered_owners(self.rows)

    async def add(self, fingerprint: str, source: str, *, by: str, how: str, why: str = "") -> bool:
        """Register a secret as *source*'s; False where it is registered already, whosever it is."""
        secret = ShopSecret(fingerprint=fingerprint, source=source, by=by, how=how, at_ms=self.clock())
        group = AtomicWrite()
        group.insert(keys.secret(fingerprint), encode(secret))
        try:
            await commit(self.rows, group, marker_row=keys.secret(fingerprint))
        except Contention:
            return False
        await self._record(secret, why)
        return True

    async def begin(self) -> None:
        """
        Note that secrets are registered from now on; nothing is registered by itself any more, but a rotation.

        The level of the ledger's rules rises in the same group: older code binds nothing from then on.
        """
        found = await self.register()
        before = found or ShopRegister(salt=random.token_hex(SALT_BYTES))
        if before.registered_ms is not None:
            return
        schema = await self.rows.get(keys.SCHEMA)
        level = max(SCHEMA_LEVEL, decode(Schema, schema).level if schema else 0)
        group = AtomicWrite()
        group.put(keys.SHOPS, encode(replace(before, registered_ms=self.clock())), before.version)
        group.put(keys.SCHEMA, encode(Schema(level=level)), schema.version if schema else UNSTORED)
        try:
            await commit(self.rows, group, marker_row=keys.SHOPS)
        except Contention:
            return  # another host noted it: the next look finds it

    async def sources(self) -> Sequence[str]:
        """Return every source that has orders, one short read for each."""
        found, first = list[str](), keys.ORDERS
        while page := await self.rows.scan(first, past(keys.ORDERS), limit=1):
            source = page[0].key.removeprefix(keys.ORDERS).partition(":")[0]
            found.append(source)
            first = past(f"{keys.ORDERS}{source}:")
        return found

    async def sources_of_before(self) -> frozenset[str]:
        """Return the sources with an order that names no secret: it was stored before secrets were registered."""
        return frozenset([source for source in await self.sources() if await self._has_old(source)])

    async def _has_old(self, source: str) -> bool:
        async for order in self.orders_of(source):
            if order.signed_with is None:
                return True
        return False

    async def orders_of(self, source: str) -> AsyncIterator[Order]:
        """Yield every order of *source*."""
        first, last = f"{keys.ORDERS}{source}:", past(f"{keys.ORDERS}{source}:")
        while page := await self.rows.scan(first, last, limit=PAGE_ROWS):
            for row in page:
                yield decode(Order, row)
            first = behind(page[-1].key)

    # a rebuild ---------------------------------------------------------------------------------

    async def restore(self) -> int:
        """
        Write again what the audit trail says of shops, and end all registering by itself; return how many secrets.

        What it does not say waits for a person: after a loss nothing is taken for known.
        """
        entries = await self.audit.recorded(f"{AUDIT}:")
        known = [entry for entry in entries if {"salt", "fingerprint", "source", "by", "how", "at_ms"} <= entry.keys()]
        known.sort(key=lambda entry: int(str(entry["at_ms"])))
        if known:
            await self._restore_salt(str(known[-1]["salt"]))
        latest = {str(entry["fingerprint"]): entry for entry in known if entry["salt"] == known[-1]["salt"]}
        added = [
            await self.add(mark, str(said["source"]), by=str(said["by"]), how=str(said["how"]))
            for mark, said in latest.items()
        ]
        await self.begin()
        return sum(added)

    async def _restore_salt(self, salt: str) -> None:
        found = await self.register()
        if found is not None and found.salt == salt:
            return
        group = AtomicWrite()
        after = replace(found, salt=salt) if found else ShopRegister(salt=salt)
        group.put(keys.SHOPS, encode(after), after.version)
        await commit(self.rows, group, marker_row=keys.SHOPS)

    # a person's correction ---------------------------------------------------------------------

    async def correct(self, secret: ShopSecret, source: str, *, by: str, why: str) -> None:
        """
        Give a registered secret to another source, and write every nonce row again in the same group.

        A round that read the wrong word before fails its binding group. The caller has written every id that was
        bound or paid under the wrong source at the right one.

        Raises:
            Contention: Somebody else was first, or a binding came in between.
        """
        after = replace(secret, source=source, by=by, how="same-as", at_ms=self.clock())
        group = AtomicWrite()
        group.replace(keys.secret(secret.fingerprint), encode(after), secret.version)
        for nonce in await self.rows.scan(keys.NONCES, past(keys.NONCES), limit=OPERATORS_MAX):
            group.replace(nonce.key, encode(decode(NextNonce, nonce)), nonce.version)
        await commit(self.rows, group, marker_row=keys.secret(secret.fingerprint))
        await self._record(after, why)

    async def _record(self, secret: ShopSecret, why: str) -> None:
        found = await self.register()
        entry = {"salt": found.salt if found else "", "why": why}
        key = f"{AUDIT}:{secret_id(secret.fingerprint)}:{secret.at_ms:015d}"
        await self.audit.record(key, encode(secret) | entry)


async def registered_owners(rows: Rows) -> Owners:
    """Return whose each registered secret is, by fingerprint, in one read."""
    return {secret.fingerprint: secret.source for secret in await _registered(rows)}


async def _registered(rows: Rows) -> Sequence[ShopSecret]:
    found = await rows.scan(keys.SECRETS, past(keys.SECRETS), limit=SECRETS_MAX)
    return [decode(ShopSecret, row) for row in found]
