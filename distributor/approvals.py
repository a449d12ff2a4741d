"""
Which orders need the approval of a second person, and whether they have one that counts. Pure.

Judged where an order comes in, and again where it is bound, by the limit of the host that does it. So a limit that
is lowered stops also what waits, and an approval that was given too long ago is no word of today.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from typing import Final

from distributor.caps import Caps
from distributor.model import HoldReason, Order, OrderStatus
from foundation.clock import DAY_MS, UnixMs, elapsed_ms

_BETWEEN: Final = re.compile(r"[\W_]+")
_NO_LETTER: Final = frozenset({"Mn", "Cf"})
"""Accents, which stand by themselves once a letter is taken apart, and signs that nobody sees."""
VALID_MS: Final = 7 * DAY_MS
"""How long an approval counts for a binding."""


def lacks(order: Order, caps: Caps, now: UnixMs) -> bool:
    """Say whether *order* must not be bound now: it is above the limit, and no approval of it counts."""
    return needs(order, caps) and not is_approved(order, now)


def needs(order: Order, caps: Caps) -> bool:
    """Say whether *order* is above the limit, by itself or with the others of its file."""
    limit = caps.approval_units
    return limit is not None and max(order.amount_units, order.file_units or 0) > limit


def is_approved(order: Order, now: UnixMs) -> bool:
    """Say whether another person than who asked for *order* approved this very content, and lately."""
    given = order.approval
    return (
        given is not None
        and given.fingerprint == content_of(order)
        and elapsed_ms(given.at_ms, now) < VALID_MS
        and now < given.until_ms
        and not asked(order, given.by)
    )


def content_of(order: Order) -> str:
    """
    Return the digest of what *order* would pay, made from its row as it is now.

    The row's own fingerprint says what came in. Somebody who changes the wallet or the amount in the row and leaves the
    fingerprint as it was must not be paid on the approval of before.
    """
    content = [order.fingerprint, order.wallet, str(order.amount_units), order.tipo, order.reason]
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def asked(order: Order, by: str) -> bool:
    """Say whether *by* is who asked for *order*, however the name is typed; nobody is of an order that a shop sent."""
    return order.asked_by is not None and _name(order.asked_by) == _name(by)


def awaits(order: Order) -> bool:
    """Say whether *order* is held until somebody approves it; a cancelled one only says that it was."""
    return order.status is OrderStatus.HELD and order.hold_reason is HoldReason.NEEDS_APPROVAL


def why(order: Order, now: UnixMs) -> str:
    """Return what a person must know who is to approve *order*; nothing where a shop sent it and nobody approved it."""
    came = f"{order.asked_by} uploaded it in the file {order.batch}." if order.asked_by and order.batch else ""
    given = order.approval
    if given is None or is_approved(order, now):
        return came
    return f"{came} The approval by {given.by} does not count any more: it is old, or was for something else.".lstrip()


def _name(text: str) -> str:
    """
    Return a person's name as it is compared: without case, accents, signs between words, and a domain.

    One person is ``josé`` on the command line and ``Jose@example.com`` where the platform signs people in. Two persons
    who are called alike are taken for one: then a third one approves.
    """
    local, _at, _domain = unicodedata.normalize("NFKD", text).casefold().partition("@")
    letters = (each for each in unicodedata.normalize("NFKD", local) if unicodedata.category(each) not in _NO_LETTER)
    return " ".join(_BETWEEN.split("".join(letters))).strip()
