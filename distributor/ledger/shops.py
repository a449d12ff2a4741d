"""
Which shop owns a secret: a secret always belongs to one source, no matter which setting holds it.

The name of a setting is no identity: renamed, swapped or given to another shop, it would make old orders
new ones. So the ledger keeps, for the fingerprint of each secret, the source it belongs to. An order keeps
the fingerprint of the secret that signed it; it is bound only under that secret's source.
"""

from __future__ import annotations

import logging
import secrets as random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from distributor.ledger import keys
from distributor.ledger.columns import decode, encode
from distributor.ledger.queries import find_record
from distributor.ledger.records import NextNonce, Schema, ShopRegister, ShopSecret
from distributor.ledger.secret_fingerprints import secret_id
from distributor.ledger.shop_owners import Owners, Registered, registered
from distributor.ledger.signs import OPERATORS_MAX
from distributor.model import Order
from foundation.clock import Clock, UnixMs
from foundation.errors import Contention, StoreUnavailable, require
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import UNSTORED, AuditTrail, Rows, Version
from foundation.tablestore.queries import behind, past, rows_under

PAGE_ROWS = 200
SALT_BYTES = 16
SHOPS_LEVEL = 2
"""Code that does not know shops would pay an order that waits for a person to say whose it is."""
AUDIT = "shop"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shops:
    """The register of secrets."""

    rows: Rows
    audit: AuditTrail
    clock: Clock

    # the register ------------------------------------------------------------------------------

    async def register(self) -> ShopRegister | None:
        """Return the register's own row; None where nothing ever asked for a fingerprint."""
        return await find_record(self.rows, ShopRegister, keys.SHOPS)

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

    async def registered(self) -> Registered:
        """Return every secret that is registered, in two reads."""
        return await registered(self.rows)

    async def owners(self) -> Owners:
        """Return whose each registered secret is."""
        return (await self.registered()).owners

    async def has_begun(self) -> bool:
        """
        Say whether secrets are registered from some moment on.

        Two rows say so: a table that lost the register's row must not register again by itself.
        """
        found = await self.register()
        if found is not None and found.registered_ms is not None:
            return True
        return (await find_record(self.rows, Schema, keys.SCHEMA) or Schema()).level >= SHOPS_LEVEL

    async def add(self, fingerprint: str, source: str, *, by: str, how: str, why: str = "") -> bool:
        """Register a secret as *source*'s; False where it is registered already, whosever it is."""
        return await self._insert(
            ShopSecret(fingerprint=fingerprint, source=source, by=by, how=how, at_ms=self.clock()), why
        )

    async def _insert(self, secret: ShopSecret, why: str) -> bool:
        key, group = keys.secret(secret.fingerprint), AtomicWrite()
        group.insert(key, encode(secret))
        try:
            await commit(self.rows, group, marker_row=key)
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
        level = max(SHOPS_LEVEL, decode(Schema, schema).level if schema else 0)
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
        """Look at the column alone: a row that cannot be read is one of before, and stops no update."""
        async for row in rows_under(self.rows, f"{keys.ORDERS}{source}:"):
            if "signed_with" not in row.values:
                return True
        return False

    async def has_orders_of_others(self, source: str, fingerprint: str) -> bool:
        """Say whether an order lies under *source* that another secret signed, or one that cannot be read."""
        async for row in rows_under(self.rows, f"{keys.ORDERS}{source}:"):
            if row.values.get("signed_with") != fingerprint and "moved_to" not in row.values:
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
        written = [
            await self._put_back(
                ShopSecret(
                    fingerprint=mark,
                    source=str(said["source"]),
                    by=str(said["by"]),
                    how=str(said["how"]),
                    at_ms=UnixMs(int(str(said["at_ms"]))),
                )
            )
            for mark, said in latest.items()
        ]
        await self.begin()
        return sum(written)

    async def _put_back(self, said: ShopSecret) -> bool:
        """Write what the trail says; over an older word too, which a backup from before its correction brought back."""
        if await self._insert(said, ""):
            return True
        known = next((each for each in (await self.registered()).secrets if each.fingerprint == said.fingerprint), None)
        if known is None or known.source == said.source or known.at_ms >= said.at_ms:
            return False
        group = AtomicWrite()
        group.replace(keys.secret(said.fingerprint), encode(said), known.version)
        await commit(self.rows, group, marker_row=keys.secret(said.fingerprint))
        return True

    async def _restore_salt(self, salt: str) -> None:
        found = await self.register()
        if found is not None and found.salt == salt:
            return
        group = AtomicWrite()
        after = replace(found, salt=salt) if found else ShopRegister(salt=salt)
        group.put(keys.SHOPS, encode(after), after.version)
        await commit(self.rows, group, marker_row=keys.SHOPS)

    # a person's correction ---------------------------------------------------------------------

    async def correct(self, secret: ShopSecret, source: str, *, by: str, why: str, paused: Version) -> None:
        """
        Give a registered secret to another source, and write every nonce row again in the same group.

        A round that read the wrong word before fails its binding group. The caller has written every id that was
        bound or paid under the wrong source at the right one, since it saw the switch *paused*: the group writes
        the switch as it is, so a resume in between makes it fail. The trail has the new word before the ledger:
        a rebuild that found only the wrong one would pay under it again.

        Raises:
            Contention: Somebody else was first, the payouts were resumed, or a binding came in between.
            StoreUnavailable: The audit trail has not kept the word; nothing was changed.
        """
        # Later than the word it replaces, whatever the clocks of two machines say: a rebuild takes the latest.
        at_ms = UnixMs(max(self.clock(), secret.at_ms + 1))
        after = replace(secret, source=source, by=by, how="same-as", at_ms=at_ms)
        await self._record(after, why)
        if not await self.audit.recorded(_audit_key(after)):
            raise StoreUnavailable("the audit trail did not keep the word, and nothing was changed")
        switch = await self.rows.get(keys.CONTROL)
        if switch is None or switch.version != paused:
            raise Contention("the switch was turned meanwhile")
        group = AtomicWrite()
        group.replace(keys.secret(secret.fingerprint), encode(after), secret.version)
        group.replace(keys.CONTROL, switch.values, switch.version)
        for nonce in await self.rows.scan(keys.NONCES, past(keys.NONCES), limit=OPERATORS_MAX):
            group.replace(nonce.key, encode(decode(NextNonce, nonce)), nonce.version)
        await commit(self.rows, group, marker_row=keys.secret(secret.fingerprint))

    async def _record(self, secret: ShopSecret, why: str) -> None:
        found = await self.register()
        entry = {"salt": found.salt if found else "", "why": why}
        await self.audit.record(_audit_key(secret), encode(secret) | entry)


def _audit_key(secret: ShopSecret) -> str:
    return f"{AUDIT}:{secret_id(secret.fingerprint)}:{secret.at_ms:015d}"
