"""What PayFlow keeps of payers and of mailboxes: the map, who gets no mail, and which addresses do not work."""

from __future__ import annotations

from dataclasses import dataclass, field

from foundation.clock import UnixMs
from foundation.tablestore.ports import UNSTORED, Version


@dataclass(frozen=True, kw_only=True, slots=True)
class PayerMapping:
    """A customer of the clinic, or a name, as a person has mapped it."""

    addresses: tuple[str, ...] = ()
    """Personal: encrypted in the row."""
    no_mail: bool = False
    no_mail_ms: UnixMs = UnixMs(0)
    """When ``no_mail`` was said; 0 in rows of versions that did not store it."""
    language: str = ""
    """``en``; empty: Portuguese."""
    decided_by: str = ""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mailbox:
    """One address, by its blind index alone."""

    suppressed: str = ""
    """Why nothing is sent to it any more: the server's words or a bounce's; empty: it is in use."""
    confirmed: bool = False
    """A person knows that it is right although many customers share it, or although it is the clinic's own."""
    changed_ms: UnixMs = UnixMs(0)
    decided_by: str = ""
    version: Version = field(default=UNSTORED, compare=False, repr=False)
