"""
What a restored delivery may do, by the send log: the log knows what was begun after the backup was made.

The steps of a restore, in this order; each answers a race that the model ``restore`` found:

1. Pause, and raise the log's epoch: a worker that is still running can begin nothing more.
2. Replace every row by the backup's; those that have not ended are frozen, and a frozen row is never claimed.
3. Only then read the log, every day from the one before the backup began until now.
4. Accepted: sent. Begun without an outcome: unknown. Not named: released. What only the log names gets a row, so
   that the next look cannot create it anew. What people said no to since the backup is put back.
5. Only now the table gets the new epoch. A worker knows the epoch by the table it works on: one that works on the old
   table, that began there before, or that finds the restored payments before their mails are known, is refused by
   the log.

Records are joined by the claim's owner: attempt numbers start again after a restore.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from foundation.clock import UnixMs
from payflow.delivery.ports import DeliveryKey, LogRecords, delivery_key
from payflow.delivery.rules import ATTEMPT_MS
from payflow.model import NO_TERMS, PaymentTerms
from payflow.state import Delivery, DeliveryPhase, DeliveryState


class LogWord(StrEnum):
    """What a record of the send log says."""

    BEGUN = "begun"
    ACCEPTED = "accepted"
    NOT_ACCEPTED = "not_accepted"


class KnownSend(StrEnum):
    """What the whole log says about one mail."""

    ACCEPTED = "accepted"
    OPEN = "open"
    """Begun by somebody, and no word of how it ended: it may have been accepted."""
    NOTHING = "nothing"


NOTHING_SAID: Final[Mapping[str, PaymentTerms]] = {}
ENDED = frozenset({DeliveryState.SENT, DeliveryState.REFUSED, DeliveryState.HELD, DeliveryState.CANCELLED})


def fold(records: Sequence[tuple[str, str]]) -> KnownSend:
    """Return what (owner, word) *records* of one mail say together; their order does not matter."""
    ended = {owner for owner, word in records if word != LogWord.BEGUN}
    if any(word == LogWord.ACCEPTED for _, word in records):
        return KnownSend.ACCEPTED
    return KnownSend.OPEN if any(owner not in ended for owner, _ in records) else KnownSend.NOTHING


def frozen(delivery: Delivery) -> Delivery:
    """Return a backup's *delivery* as it is put back: not claimable before the log was read, unless it has ended."""
    return delivery if delivery.state in ENDED else replace(delivery, frozen=True)


def released(delivery: Delivery, known: KnownSend, now: UnixMs) -> Delivery:
    """
    Return a restored *delivery* as the log decides it.

    One that becomes unknown gets a deadline as of now: a worker that began before the fence may still be at it, and
    *send again* is offered only when its connection is closed. One that was accepted and came back stays refused.
    """
    if delivery.state is DeliveryState.REFUSED:
        return delivery
    thawed = replace(delivery, frozen=False)
    if known is KnownSend.ACCEPTED or delivery.state is DeliveryState.SENT:
        return replace(thawed, state=DeliveryState.SENT, phase=None)
    if known is KnownSend.OPEN or delivery.phase is DeliveryPhase.TERMINATING:
        return replace(thawed, state=DeliveryState.UNKNOWN, phase=None, attempt_deadline_ms=UnixMs(now + ATTEMPT_MS))
    if delivery.state is DeliveryState.SENDING:
        return replace(thawed, state=DeliveryState.READY, phase=None)
    return thawed


def tombstone(key: DeliveryKey, known: KnownSend, now: UnixMs) -> Delivery:
    """Return the row of a mail that only the log names. It has no address: nothing will be sent from it."""
    return Delivery(
        company=key.payment.company,
        baixa=key.payment.baixa,
        kind=key.kind,
        number=key.number,
        address="",
        address_index="",
        state=DeliveryState.SENT if known is KnownSend.ACCEPTED else DeliveryState.UNKNOWN,
        due_ms=now,
        attempt_deadline_ms=UnixMs(now + ATTEMPT_MS),
    )


def apply(
    rows: Mapping[DeliveryKey, Delivery],
    log: LogRecords,
    now: UnixMs,
    said: Mapping[str, PaymentTerms] = NOTHING_SAID,
) -> Sequence[Delivery]:
    """
    Return every restored row as the log decides it, and a row for each mail that only the log names.

    Each has what it *said*, by the owner of its claim; of one that the row knows as sent, the receipt's row knows it.
    """
    kept = [released(delivery, fold(log.get(key, ())), now) for key, delivery in rows.items()]
    named = {key: fold(records) for key, records in log.items() if key not in rows}
    only = [tombstone(key, known, now) for key, known in named.items() if known is not KnownSend.NOTHING]
    sent = {key for key, delivery in rows.items() if delivery.state is DeliveryState.SENT}
    decided = [(delivery_key(one), one) for one in [*kept, *only]]
    words = {key: what_it_said(log.get(key, ()), said) for key, _ in decided if key not in sent}
    return [replace(one, said=words.get(key) or one.said) for key, one in decided]


def what_it_said(records: Sequence[tuple[str, str]], said: Mapping[str, PaymentTerms]) -> PaymentTerms:
    """Return what a mail said that went out, or may have; nothing if none did, or a version before began it."""
    ended = {owner for owner, word in records if word != LogWord.BEGUN}
    accepted = [owner for owner, word in records if word == LogWord.ACCEPTED]
    out = accepted or [owner for owner, _ in records if owner not in ended]
    return next((said[owner] for owner in out if owner in said), NO_TERMS)
