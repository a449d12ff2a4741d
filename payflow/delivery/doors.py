"""
The door for bounces that a provider, or a relay of the office's mailbox, posts: signed, and naming our Message-ID.

The signature says who may speak; what is believed is only what names a mail that went out. Whether one was found is
not answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from foundation.clock import Clock
from foundation.errors import Contention, Rejected
from foundation.tablestore.ports import AuditTrail, Value
from payflow.delivery import bounced
from payflow.ledger import keys
from payflow.ledger.entries import Entries
from payflow.ledger.lane import LaneLedger
from payflow.mail import bounces, signed
from payflow.model import CompanyId


class BadBounceSignature(Rejected):
    """The post is not signed with BOUNCE_SECRET, or too old, or there is no such secret: one text for all."""

    code = "bad_signature"


@dataclass(frozen=True, kw_only=True, slots=True)
class BounceDoor:
    """Takes signed posts, each the bytes of one delivery status notification."""

    entries: Entries
    lane: Callable[[CompanyId], LaneLedger]
    audits: Sequence[AuditTrail]
    secret: str
    """Empty: the door is shut."""
    clock: Clock

    async def post(self, headers: Mapping[str, str], body: bytes) -> None:
        """
        Store that one of our mails came back, if *body* says so; the same post again changes nothing.

        Raises BadSignature; Contention while a restore of its company is under way, and StoreUnavailable: post again.
        """
        fits = bool(self.secret) and len(body) <= bounces.BYTES_MAX
        if not fits or not signed.verify_post(headers, body, self.secret, self.clock()):
            raise BadBounceSignature("the post is not signed as it must be")
        found = bounces.parse_bounce(body)
        if found is None:
            return
        for entry in await self.entries.all():
            lane = self.lane(entry.company)
            if await lane.mail_of(found.message_id) is None:
                continue
            if await lane.rows.get(keys.RESTORING):
                raise Contention("a restore of this company is under way")
            if receipt := await bounced.store_bounce(lane, found, self.clock()):
                await self._record(entry.company, receipt.baixa, f"bounce {found.status}")

    async def _record(self, company: CompanyId, subject: str, what: str) -> None:
        now = self.clock()
        values: dict[str, Value] = {"at_ms": now, "by": "bounce door", "what": what, "subject": subject}
        for audit in self.audits:
            await audit.record(keys.decision(company, now, subject), values)
