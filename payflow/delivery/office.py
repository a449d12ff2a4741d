"""What the installation brings to the work on receipts: who sends, and how a document is fetched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from foundation.clock import Clock
from payflow.delivery.ports import Channel, SendLog
from payflow.delivery.sender import SenderDesk
from payflow.ledger.lane import LaneLedger
from payflow.model import Attachment, CompanyId, CustomerId, Person
from payflow.recipients.choice import Known
from payflow.state import Company


@dataclass(frozen=True, kw_only=True, slots=True)
class Office:
    """How mails are sent: settings of the installation."""

    sender_name: str
    sender_address: str
    reply_to: str = ""
    override: str = ""
    """Outside production every mail goes here, and nowhere else."""

    @property
    def domain(self) -> str:
        return self.sender_address.rpartition("@")[2]


Download = Callable[[Attachment], Awaitable[bytes]]
"""Fetches an attachment through the outgoing guard. Raises DocumentRefused, or a Transient."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """What carrying out a step needs of the outside world."""

    office: Office
    desk: SenderDesk
    channel: Callable[[], Channel]
    send_log: Callable[[CompanyId, int], SendLog]
    """Returns the log of a company for workers of an epoch."""
    download: Download
    known: Callable[[Company, LaneLedger, CustomerId, Person | None], Awaitable[Known]]
    """Returns what is known of one payer beside Conta Azul."""
    clock: Clock
