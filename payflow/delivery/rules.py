"""
What becomes of a delivery: pure, checked against the model ``delivery`` (one claim, one mark, one dot).

READY ─► SENDING(claimed) ─► SENDING(terminating) ─► SENT · UNKNOWN · REFUSED · HELD, or READY again

- Before the mark nothing can have been accepted, so the delivery goes back by right.
- After the mark only a well-formed reply ends it. Nobody retries a terminating delivery: that makes it at most once.
- A person ends an unknown one: it arrived, or it is mailed again under another kind. Taken back unclaimed, that other
  mail leaves the question open once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from foundation.clock import UnixMs
from foundation.errors import Contention, Rejected, require
from payflow.corrections import RECEIPT
from payflow.mail.codes import Verdict
from payflow.mail.smtp import SmtpOutcome
from payflow.state import Delivery, DeliveryPhase, DeliveryState, Reason

_MINUTE_MS: Final = 60_000
LADDER_MS: Final = (5 * _MINUTE_MS, 30 * _MINUTE_MS, 120 * _MINUTE_MS, 360 * _MINUTE_MS, 1440 * _MINUTE_MS)
"""The waits after the first, second, … temporary failure; after the last one a person decides."""
ATTEMPT_MS: Final = 5 * _MINUTE_MS
"""What one SMTP step may take, and so the deadline of a claim."""
GRACE_MS: Final = _MINUTE_MS
"""Nobody judges a claim before its deadline and this."""
IDLE_MS: Final = 15 * _MINUTE_MS
"""
*Send again* is offered this long after the deadline.

A worker that froze just before the dot may still write it when it wakes. By then the server has closed the idle
connection, so the dot reaches nobody.
"""
ASKED_MS: Final = 15 * _MINUTE_MS
"""How long after its deadline a carrier is asked what became of a mail, before a person is."""
FAULTS_MAX: Final = 5
COUNTED_MAX: Final = 2

KIND: Final = RECEIPT
TEST: Final = "test"
"""The kind of a mail that an override got: it says nothing about the true recipient."""
OWED: Final = frozenset({KIND, TEST})
"""Mails that go out by themselves; every other kind is a mail by a person's word."""

TAKEN_BACK: Final = frozenset({DeliveryState.SENDING, DeliveryState.UNKNOWN})
"""Late evidence still changes these."""


def claim(delivery: Delivery, owner: str, now: UnixMs) -> Delivery:
    """
    Return *delivery* claimed by *owner* until its deadline.

    Raises Contention if it is not due: someone else was first, it is frozen by a restore, or it has ended.
    """
    if delivery.state is not DeliveryState.READY or delivery.frozen or delivery.due_ms > now:
        raise Contention("this delivery is not due")
    return replace(
        delivery,
        state=DeliveryState.SENDING,
        phase=DeliveryPhase.CLAIMED,
        owner=owner,
        attempt_deadline_ms=UnixMs(now + ATTEMPT_MS),
        tried_ms=now,
    )


def mark(delivery: Delivery) -> Delivery:
    """Return *delivery* with the mark: from here on the server may accept it at any time."""
    require(delivery.phase is DeliveryPhase.CLAIMED, "a delivery is marked that is not claimed")
    return replace(delivery, phase=DeliveryPhase.TERMINATING)


def go_back(delivery: Delivery, now: UnixMs, words: str) -> Delivery:
    """
    Return *delivery* for another try in a minute, because it is known that no dot was written.

    The fifth time in a row holds it: one receipt's trouble must not keep its lane busy.
    """
    if delivery.faults + 1 >= FAULTS_MAX:
        return _held(replace(delivery, faults=delivery.faults + 1, reply=words), Reason.INTERNAL)
    return _back(replace(delivery, faults=delivery.faults + 1, reply=words), now)


def put_off(delivery: Delivery, now: UnixMs, words: str) -> Delivery:
    """Return *delivery* for another try in a minute; what is away is away for all, and counted against none."""
    return _back(replace(delivery, reply=words), now)


def record_outcome(delivery: Delivery, outcome: SmtpOutcome, now: UnixMs, *, epoch: int) -> Delivery:
    """
    Return *delivery* as the *outcome* of its transaction leaves it.

    *epoch* is the sender's: a refusal that may be the sender's fault is open until something else is accepted.
    """
    answered = replace(delivery, reply=outcome.words, faults=0)
    match outcome.verdict:
        case Verdict.ACCEPTED:
            return replace(_ended(answered, DeliveryState.SENT), sent_ms=now)
        case Verdict.UNKNOWN:
            return _ended(answered, DeliveryState.UNKNOWN)
        case Verdict.LATER:
            return _later(answered, now)
        case _:
            return _refused(answered, outcome.verdict, now, epoch)


def count_refusal(delivery: Delivery, *, epoch: int) -> Delivery:
    """
    Return *delivery* with its open refusal counted, if the server has accepted something since.

    Then the refusal was this message's own. One may be chance; the second holds the delivery, so that two messages
    the server never takes cannot stop the sender in turn.
    """
    if not 0 < delivery.refused_epoch < epoch:
        return delivery
    counted = replace(delivery, refused_epoch=0, counted=delivery.counted + 1)
    return _held(counted, Reason.REFUSED_CONTENT) if counted.counted >= COUNTED_MAX else counted


def is_abandoned(delivery: Delivery, now: UnixMs) -> bool:
    """Tell whether the worker that claimed *delivery* has had its time, and a minute more."""
    over = now > delivery.attempt_deadline_ms + GRACE_MS and now >= delivery.due_ms
    return delivery.state is DeliveryState.SENDING and not delivery.frozen and over


def judge_abandoned(delivery: Delivery, now: UnixMs) -> Delivery:
    """Return an abandoned *delivery* as its phase tells: no mark, no dot; a mark, and nobody knows."""
    require(is_abandoned(delivery, now), "a delivery is judged before its deadline")
    if delivery.phase is DeliveryPhase.TERMINATING:
        words = "the service does not know" if delivery.operation_id else "the worker stopped before the reply"
        return _ended(replace(delivery, reply=words), DeliveryState.UNKNOWN)
    return _later(replace(delivery, reply="the worker stopped before the dot"), now)


def can_be_asked(delivery: Delivery) -> bool:
    """Tell whether the carrier may know what became of *delivery*: it may have it, and knows it by an id."""
    return bool(delivery.operation_id) and delivery.phase is DeliveryPhase.TERMINATING


def is_asked_still(delivery: Delivery, now: UnixMs) -> bool:
    """Tell whether the carrier is asked once more, and no person yet."""
    return now <= delivery.attempt_deadline_ms + ASKED_MS


def ask_later(delivery: Delivery, now: UnixMs, words: str) -> Delivery:
    """Return *delivery* still on its way: its carrier is asked again in a minute, and not before its deadline."""
    return replace(delivery, due_ms=UnixMs(now + _MINUTE_MS), reply=words)


def late_evidence(stored: Delivery, owner: str, outcome: SmtpOutcome, now: UnixMs) -> Delivery:
    """
    Return *stored* as a reply changes it that arrived after others had moved the delivery on.

    Only the attempt of *owner* is meant. An acceptance is a fact and is always recorded; a refusal changes nothing
    once a person has decided.
    """
    if stored.owner != owner or stored.state not in TAKEN_BACK:
        return stored
    if outcome.verdict is Verdict.ACCEPTED:
        return record_outcome(stored, outcome, now, epoch=0)
    if outcome.verdict is Verdict.UNKNOWN or stored.decided_by:
        return stored
    return record_outcome(stored, outcome, now, epoch=0)


# What a person says ------------------------------------------------------------------------------


def arrived(delivery: Delivery, who: str, now: UnixMs) -> Delivery:
    """Return an unknown *delivery* as sent, by a person's word. Raises Rejected if it is not unknown."""
    _require_unknown(delivery)
    return replace(_ended(delivery, DeliveryState.SENT), sent_ms=now, decided_by=who)


def may_send_again(delivery: Delivery, now: UnixMs) -> bool:
    """Tell whether *send again* is offered: the outcome is unknown and no dot can be on its way any more."""
    waited = now > delivery.attempt_deadline_ms + IDLE_MS
    return delivery.state is DeliveryState.UNKNOWN and not delivery.decided_by and waited


def are_the_logs_alone(deliveries: Sequence[Delivery]) -> bool:
    """Tell whether no unknown one has an address: only the send log of a restored ledger knows them."""
    asked = [one for one in deliveries if one.state is DeliveryState.UNKNOWN and not one.decided_by]
    return not any(one.address for one in asked)


def send_again(delivery: Delivery, kind: str, who: str, now: UnixMs) -> tuple[Delivery, Delivery]:
    """
    Return the unknown *delivery* with the decision, and the new one that is to be mailed.

    Both are stored in one group. Raises Rejected if it is not offered (see :func:`may_send_again`).
    """
    if not may_send_again(delivery, now):
        raise Rejected("this mail cannot be sent again now: its outcome is known, or 15 minutes have not passed")
    again = Delivery(
        company=delivery.company,
        baixa=delivery.baixa,
        kind=kind,
        number=delivery.number,
        address=delivery.address,
        address_index=delivery.address_index,
        state=DeliveryState.READY,
        due_ms=now,
        customer=delivery.customer,
    )
    return replace(delivery, decided_by=who), again


def try_again(delivery: Delivery, now: UnixMs) -> Delivery:
    """Return a held *delivery* as if never tried: the server accepted nothing of it. Raises Rejected otherwise."""
    if delivery.state is not DeliveryState.HELD:
        raise Rejected("only a mail that is held is tried again")
    fresh = replace(_ended(delivery, DeliveryState.READY), due_ms=now, decided_by="")
    return replace(fresh, attempt=0, counted=0, refused_epoch=0, faults=0, reason=None)


def begin_anew(delivery: Delivery) -> Delivery:
    """Return a refused *delivery* that a person had let be, taken back: the next one goes to the address of then."""
    return replace(_ended(delivery, DeliveryState.CANCELLED), decided_by="")


def bounced(delivery: Delivery, words: str) -> Delivery:
    """Return *delivery* as a bounce leaves it that names its Message-ID: it came back, whatever anyone said before."""
    return replace(_ended(delivery, DeliveryState.REFUSED), reply=words, decided_by="")


def withdraw(again: Delivery) -> Delivery:
    """Return a *send again* taken back; unchanged once someone has claimed it."""
    return replace(again, state=DeliveryState.CANCELLED) if again.state is DeliveryState.READY else again


def again_kind(kind: str) -> str:
    """Return the kind of the next repetition: ``receipt``, ``receipt-again-1``, ``receipt-again-2``."""
    base, found, number = kind.rpartition("-again-")
    return f"{base}-again-{int(number) + 1}" if found else f"{kind}-again-1"


def taken_back(deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
    """
    Return *deliveries* with what nobody has claimed taken back.

    An unknown one that was to be sent again, and now is not, is as unknown as before: nobody said that it arrived.
    """
    back = [withdraw(one) for one in deliveries]
    ended = {(one.kind, one.number) for one, was in zip(back, deliveries, strict=True) if one != was}
    return [
        replace(one, decided_by="")
        if one.state is DeliveryState.UNKNOWN and (again_kind(one.kind), one.number) in ended
        else one
        for one in back
    ]


# inside ------------------------------------------------------------------------------------------


def _refused(delivery: Delivery, verdict: Verdict, now: UnixMs, epoch: int) -> Delivery:
    if verdict in (Verdict.ADDRESS, Verdict.DROPPED):
        return _ended(delivery, DeliveryState.REFUSED)
    if verdict is Verdict.TOO_LARGE:
        return _held(delivery, Reason.REFUSED_CONTENT)
    open_epoch = epoch if verdict is Verdict.SENDER else delivery.refused_epoch
    return replace(_ended(delivery, DeliveryState.READY), due_ms=now, refused_epoch=open_epoch)


def _later(delivery: Delivery, now: UnixMs) -> Delivery:
    if delivery.attempt >= len(LADDER_MS):
        return _held(delivery, Reason.UNDELIVERABLE)
    wait = LADDER_MS[delivery.attempt]
    back = _ended(delivery, DeliveryState.READY)
    return replace(back, attempt=delivery.attempt + 1, due_ms=UnixMs(now + wait))


def _back(delivery: Delivery, now: UnixMs) -> Delivery:
    return replace(_ended(delivery, DeliveryState.READY), due_ms=UnixMs(now + _MINUTE_MS))


def _held(delivery: Delivery, reason: Reason) -> Delivery:
    return replace(_ended(delivery, DeliveryState.HELD), reason=reason)


def _ended(delivery: Delivery, state: DeliveryState) -> Delivery:
    return replace(delivery, state=state, phase=None)


def _require_unknown(delivery: Delivery) -> None:
    if delivery.state is not DeliveryState.UNKNOWN or delivery.decided_by:
        raise Rejected("the outcome of this mail is not unknown")
