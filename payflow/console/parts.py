"""What the console needs of the app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from foundation.alarms.register import Register
from foundation.clock import Clock
from foundation.tablestore.ports import AuditTrail
from payflow.delivery.manual_actions import ManualActions
from payflow.delivery.sender import SenderDesk
from payflow.ledger.entries import Entries
from payflow.ledger.lane import LaneLedger
from payflow.model import CompanyId

Unrecorded = Callable[[], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """Rows, and what reads them; nothing is asked before a page needs it."""

    entries: Entries
    lane: Callable[[CompanyId], LaneLedger]
    desk: Callable[[], Awaitable[SenderDesk]]
    """With the limits of the settings. Raises ConfigurationError while they are wrong."""
    bare_desk: SenderDesk
    """Shows the mail account whatever the settings are."""
    register: Register
    waiting_messages: Callable[[str], Awaitable[int]]
    """Counts the messages of a queue."""
    actions: Callable[[CompanyId, str, Unrecorded, str], Awaitable[ManualActions]]
    """Of a company, by a person, who says why."""
    decisions: AuditTrail
    opened: Callable[[CompanyId, str], str]
    """Opens what a person said of a decision; empty if no key of now opens it."""
    level: Callable[[], Awaitable[int]]
    """Reads which level of rows the ledger has."""
    environment: str
    ledger_id: str
    clock: Clock
