"""
The door for what a mail service reports through Event Grid: a shared secret says who may speak.

Event Grid signs nothing. It can send a secret with each event, as a header of the subscription (a *delivery property*)
or in the address; both are compared here in constant time. What is believed is only what names an operation or a
Message-ID of a mail that went out.

A subscription with the CloudEvents schema asks first whether it may post at all (an OPTIONS request); it is let in by
the same secret. Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md
"""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from foundation import logs
from foundation.clock import Clock
from foundation.errors import Contention, Rejected
from foundation.tablestore.ports import AuditTrail, Value
from payflow.delivery import bounced
from payflow.delivery.doors import BadBounceSignature
from payflow.delivery.ports import SendLog
from payflow.errors import SendLogUnavailable
from payflow.ledger import keys
from payflow.ledger.deliveries import mail_of_operation
from payflow.ledger.entries import Entries
from payflow.ledger.lane import LaneLedger
from payflow.mail import acs_events
from payflow.mail.acs_events import DeliveryReport
from payflow.mail.bounces import Bounce
from payflow.model import CompanyId
from payflow.state import Delivery, DeliveryState, Receipt

HEADER: Final = "x-mail-events-secret"
PARAMETER: Final = "secret"
_ORIGIN: Final = re.compile(r"[A-Za-z0-9._-]{1,253}")
"""A DNS expression; nothing else is repeated in an answer."""

_log = logging.getLogger(__name__)


class UnknownFormat(Rejected):
    """The post is not of a format that this door reads."""

    code = "unknown_format"


@dataclass(frozen=True, kw_only=True, slots=True)
class EventDoor:
    """Takes the posts of one Event Grid subscription."""

    entries: Entries
    lane: Callable[[CompanyId], LaneLedger]
    log: Callable[[CompanyId], SendLog]
    audits: Sequence[AuditTrail]
    secret: str
    """Empty: the door is shut."""
    clock: Clock

    async def post(self, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> str:
        """
        Store what the reports of one post say; return the code of a handshake, empty for other posts.

        The same post again changes nothing, so what was stored before an error is stored once.

        Raises:
            BadSignature: The secret is missing or another.
            UnknownFormat: It is a CloudEvent in headers instead of JSON, of another version than 1.0, or too long.
            Contention: A restore is under way, or the mail is still being sent: Event Grid posts it again.
            StoreUnavailable: Likewise.
            SendLogUnavailable: Likewise.
        """
        self._admit(headers, query)
        if len(body) > acs_events.BYTES_MAX:
            raise UnknownFormat(f"A post has at most {acs_events.BYTES_MAX} bytes.")
        found = acs_events.parse_events(body)
        if found.is_foreign or "ce-specversion" in {name.lower() for name in headers}:
            raise UnknownFormat("CloudEvents are read in JSON, version 1.0.")
        waiting: Contention | SendLogUnavailable | None = None
        for report in found.reports:
            try:
                await self._take(report)
            except (Contention, SendLogUnavailable) as one:
                waiting = one  # it keeps no other company's report from being stored
        if waiting:
            raise waiting
        return found.validation

    def handshake(self, headers: Mapping[str, str], query: Mapping[str, str]) -> Mapping[str, str]:
        """
        Return the headers that let a sender of CloudEvents post here, at any rate; none where it names no origin.

        Raises BadSignature if the secret is missing or another.
        """
        self._admit(headers, query)
        lower = {name.lower(): value for name, value in headers.items()}
        origin = lower.get("webhook-request-origin", "")
        if not _ORIGIN.fullmatch(origin):
            return {}
        return {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"}

    def _admit(self, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        if not self._is_known(headers, query):
            raise BadBounceSignature("the request does not carry the secret")

    def _is_known(self, headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
        lower = {name.lower(): value for name, value in headers.items()}
        given = (lower.get(HEADER, ""), query.get(PARAMETER, ""))
        return bool(self.secret) and any(hmac.compare_digest(self.secret.encode(), one.encode()) for one in given)

    async def _take(self, report: DeliveryReport) -> None:
        for entry in await self.entries.all():
            lane = self.lane(entry.company)
            mail = await self._named(lane, report)
            if mail is None:
                continue
            if await lane.rows.get(keys.RESTORING):
                raise Contention("a restore of this company is under way")
            if receipt := await self._stored(lane, mail, report):
                await self._record(receipt, f"mail event {report.status}")

    @staticmethod
    async def _named(lane: LaneLedger, report: DeliveryReport) -> Delivery | None:
        found = await mail_of_operation(lane, report.operation_id)
        return found or (await lane.mail_of(report.message_id) if report.message_id else None)

    async def _stored(self, lane: LaneLedger, mail: Delivery, report: DeliveryReport) -> Receipt | None:
        if mail.state is DeliveryState.SENDING:
            raise Contention("the mail is still being sent: its worker is first")
        if report.delivered:
            return await bounced.mail_arrived(lane, self.log(lane.company), mail, self.clock())
        return await bounced.store_bounce(lane, Bounce(message_id=mail.message_id, status=report.status), self.clock())

    async def _record(self, receipt: Receipt, what: str) -> None:
        now, company, subject = self.clock(), receipt.company, receipt.baixa
        logs.info(_log, "mail_event", company=company, baixa=subject, what=what)
        values: dict[str, Value] = {"at_ms": now, "by": "mail events", "what": what, "subject": subject}
        for audit in self.audits:
            await audit.record(keys.decision(company, now, subject), values)
