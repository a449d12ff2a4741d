"""
What a refusal is about, by its code: the one table.

======================================  =============  ===============================================================
reply                                   class       what follows
======================================  =============  ===============================================================
4yz at any phase, a cut before the dot  ``LATER``   the same bytes again, by the ladder
5yz at RCPT with a code of the address  ``ADDRESS`` the address is suppressed, the delivery ends refused
5yz before MAIL                         ``ACCOUNT`` the sender stops for all; no delivery is to blame
5yz at or after MAIL, any other         ``SENDER``  the sender stops for all; counted once something is accepted
more bytes than EHLO's SIZE             ``TOO_LARGE`` held; nothing was sent
======================================  =============  ===============================================================

Only six codes say that an address will never work (RFC 3463). Providers use every other permanent code for what
passes: 5.4.5 and 5.7.x for daily limits and policy, 5.2.2 for a full mailbox, 535 for a changed password. Taking
one of them as the address's fault would lose a receipt for good.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

from payflow.mail.replies import SmtpReply

ADDRESS_CODES = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""No such mailbox, no such domain, bad syntax, moved without address, null MX, mailbox disabled."""


class Phase(IntEnum):
    """How far a transaction had come; ``DOT`` means that the final dot was written."""

    CONNECT = 0
    TLS = 1
    LOGIN = 2
    MAIL = 3
    RCPT = 4
    DATA = 5
    BODY = 6
    DOT = 7


class Verdict(StrEnum):
    """What the server's answer means for the delivery."""

    ACCEPTED = "accepted"
    LATER = "later"
    ADDRESS = "address"
    ACCOUNT = "account"
    SENDER = "sender"
    TOO_LARGE = "too_large"
    DROPPED = "dropped"
    """A service took the mail and gave it up afterwards; only ``acs`` says so."""
    UNKNOWN = "unknown"


def classify(reply: SmtpReply | None, phase: Phase) -> Verdict:
    """
    Return what *reply* at *phase* means; None is a cut, a time-out or a malformed reply.

    At ``DOT`` only a 2yz accepts, and without a well-formed answer nobody knows. Before it a positive reply can
    only be out of order, so it counts as a cut: nothing was accepted without the dot.
    """
    if reply is None or reply.code // 100 == 3:  # noqa: PLR2004 -- 3yz asks for more; nothing more follows here
        return Verdict.UNKNOWN if phase is Phase.DOT else Verdict.LATER
    if reply.accepts:
        return Verdict.ACCEPTED if phase is Phase.DOT else Verdict.LATER
    return Verdict.LATER if reply.is_temporary else _permanent(reply, phase)


def is_about_the_address(status: str) -> bool:
    """Tell whether an enhanced status says that the address itself will never take mail."""
    return status in ADDRESS_CODES


def _permanent(reply: SmtpReply, phase: Phase) -> Verdict:
    if phase < Phase.MAIL:
        return Verdict.ACCOUNT
    if phase is Phase.RCPT and is_about_the_address(reply.status):
        return Verdict.ADDRESS
    return Verdict.SENDER
