"""What becomes of a delivery, step by step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foundation.clock import UnixMs
from foundation.errors import Contention, InvariantBroken, Rejected
from payflow.delivery import restore, rules
from payflow.delivery.ports import DeliveryKey, delivery_key
from payflow.delivery.restore import KnownSend, LogWord
from payflow.delivery.rules import again_kind
from payflow.mail.codes import Phase, Verdict
from payflow.mail.smtp import SmtpOutcome
from payflow.model import BaixaId, CompanyId, PaymentKey, PaymentTerms
from payflow.state import Delivery, DeliveryPhase, DeliveryState, Reason

NOW = UnixMs(1_767_225_600_000)
EPOCH = 3
READY = Delivery(
    company=CompanyId("c1"),
    baixa=BaixaId("b1"),
    kind="receipt",
    number=1,
    address="a@example.org",
    address_index="i",
    state=DeliveryState.READY,
    due_ms=NOW,
)
CLAIMED = rules.claim(READY, "w1", NOW)
MARKED = rules.mark(CLAIMED)
UNKNOWN = replace(MARKED, state=DeliveryState.UNKNOWN, phase=None)
AFTER_IDLE = UnixMs(MARKED.attempt_deadline_ms + rules.IDLE_MS + 1)


def _outcome(verdict: Verdict) -> SmtpOutcome:
    return SmtpOutcome(verdict=verdict, phase=Phase.DOT, words="250 thanks")


@pytest.mark.parametrize(
    "delivery",
    [replace(READY, frozen=True), replace(READY, due_ms=UnixMs(NOW + 1)), CLAIMED, UNKNOWN],
)
def test_only_a_due_delivery_is_claimed(delivery: Delivery) -> None:
    """Frozen, too early, or taken: another worker's."""
    with pytest.raises(Contention):
        rules.claim(delivery, "w2", NOW)


def test_a_mark_needs_a_claim() -> None:
    """A second mark would be a second dot."""
    with pytest.raises(InvariantBroken):
        rules.mark(MARKED)


def test_going_back_is_counted_and_the_fifth_holds() -> None:
    """A lane is not kept busy by one receipt."""
    delivery = READY
    for _ in range(rules.FAULTS_MAX - 1):
        delivery = rules.go_back(rules.claim(replace(delivery, due_ms=NOW), "w", NOW), NOW, "late")
        assert (delivery.state, delivery.due_ms) == (DeliveryState.READY, NOW + 60_000)

    held = rules.go_back(delivery, NOW, "late")

    assert (held.state, held.reason) == (DeliveryState.HELD, Reason.INTERNAL)


@pytest.mark.parametrize(
    ("verdict", "state", "reason"),
    [
        (Verdict.ACCEPTED, DeliveryState.SENT, None),
        (Verdict.UNKNOWN, DeliveryState.UNKNOWN, None),
        (Verdict.ADDRESS, DeliveryState.REFUSED, None),
        (Verdict.TOO_LARGE, DeliveryState.HELD, Reason.REFUSED_CONTENT),
        (Verdict.LATER, DeliveryState.READY, None),
        (Verdict.ACCOUNT, DeliveryState.READY, None),
        (Verdict.SENDER, DeliveryState.READY, None),
    ],
)
def test_each_verdict_has_its_state(verdict: Verdict, state: DeliveryState, reason: Reason | None) -> None:
    """And the server's words are kept."""
    found = rules.record_outcome(MARKED, _outcome(verdict), NOW, epoch=EPOCH)

    assert (found.state, found.reason, found.phase) == (state, reason, None)
    assert found.reply == "250 thanks"
    assert found.refused_epoch == (EPOCH if verdict is Verdict.SENDER else 0)
    assert found.sent_ms == (NOW if verdict is Verdict.ACCEPTED else 0)


def test_the_ladder_waits_longer_each_time_and_then_asks_a_person() -> None:
    """5 m, 30 m, 2 h, 6 h, 24 h; then held."""
    delivery, waits = CLAIMED, []
    while delivery.state is not DeliveryState.HELD:
        delivery = rules.record_outcome(delivery, _outcome(Verdict.LATER), NOW, epoch=EPOCH)
        waits.append((delivery.due_ms - NOW) // 60_000)

    assert waits[:-1] == [5, 30, 120, 360, 1440]
    assert delivery.reason is Reason.UNDELIVERABLE


def test_a_refusal_counts_once_the_server_accepted_something_else() -> None:
    """The second counted one holds the delivery; while the sender is stopped nothing counts."""
    refused = rules.record_outcome(MARKED, _outcome(Verdict.SENDER), NOW, epoch=EPOCH)
    assert rules.count_refusal(refused, epoch=EPOCH) == refused
    assert rules.count_refusal(READY, epoch=EPOCH) == READY

    once = rules.count_refusal(refused, epoch=EPOCH + 1)
    assert (once.state, once.counted, once.refused_epoch) == (DeliveryState.READY, 1, 0)

    twice = rules.count_refusal(replace(once, refused_epoch=EPOCH + 1), epoch=EPOCH + 2)
    assert (twice.state, twice.reason) == (DeliveryState.HELD, Reason.REFUSED_CONTENT)


def test_nobody_judges_before_the_deadline_and_a_minute() -> None:
    """A slow worker is not a dead one."""
    last = UnixMs(MARKED.attempt_deadline_ms + rules.GRACE_MS)
    assert not rules.is_abandoned(MARKED, last)
    assert not rules.is_abandoned(replace(MARKED, frozen=True), UnixMs(last + 1))
    with pytest.raises(InvariantBroken):
        rules.judge_abandoned(MARKED, last)

    assert rules.judge_abandoned(MARKED, UnixMs(last + 1)).state is DeliveryState.UNKNOWN
    back = rules.judge_abandoned(CLAIMED, UnixMs(last + 1))
    assert (back.state, back.attempt) == (DeliveryState.READY, 1)


def test_late_evidence_of_an_acceptance_is_always_recorded() -> None:
    """Also when a person has said to send again."""
    decided = replace(UNKNOWN, decided_by="office")

    assert rules.late_evidence(UNKNOWN, "w1", _outcome(Verdict.ACCEPTED), NOW).state is DeliveryState.SENT
    assert rules.late_evidence(decided, "w1", _outcome(Verdict.ACCEPTED), NOW).state is DeliveryState.SENT


def test_late_refusals_change_nothing_once_a_person_decided() -> None:
    """Nor does the reply to another attempt, nor one that says nothing."""
    decided = replace(UNKNOWN, decided_by="office")
    sent = replace(UNKNOWN, state=DeliveryState.SENT)

    assert rules.late_evidence(decided, "w1", _outcome(Verdict.LATER), NOW) == decided
    assert rules.late_evidence(UNKNOWN, "w1", _outcome(Verdict.UNKNOWN), NOW) == UNKNOWN
    assert rules.late_evidence(UNKNOWN, "w2", _outcome(Verdict.ACCEPTED), NOW) == UNKNOWN
    assert rules.late_evidence(sent, "w1", _outcome(Verdict.LATER), NOW) == sent
    assert rules.late_evidence(UNKNOWN, "w1", _outcome(Verdict.LATER), NOW).state is DeliveryState.READY


def test_a_person_ends_an_unknown_mail() -> None:
    """It arrived."""
    found = rules.arrived(UNKNOWN, "office", NOW)

    assert (found.state, found.decided_by) == (DeliveryState.SENT, "office")
    for other in (MARKED, replace(UNKNOWN, decided_by="office")):
        with pytest.raises(Rejected):
            rules.arrived(other, "office", NOW)


def test_send_again_is_offered_when_no_dot_can_follow() -> None:
    """Fifteen minutes after the deadline, once, and only for an unknown outcome."""
    decided, again = rules.send_again(UNKNOWN, "receipt-again-1", "office", AFTER_IDLE)

    assert (decided.state, decided.decided_by) == (DeliveryState.UNKNOWN, "office")
    assert (again.state, again.kind, again.address) == (DeliveryState.READY, "receipt-again-1", UNKNOWN.address)
    for delivery, now in ((UNKNOWN, UnixMs(AFTER_IDLE - 1)), (decided, AFTER_IDLE), (MARKED, AFTER_IDLE)):
        with pytest.raises(Rejected):
            rules.send_again(delivery, "receipt-again-1", "office", now)


def test_a_send_again_that_nobody_claimed_is_withdrawn() -> None:
    """A claimed one goes its way."""
    assert rules.withdraw(READY).state is DeliveryState.CANCELLED
    assert rules.withdraw(CLAIMED) == CLAIMED
    assert [again_kind("receipt"), again_kind("receipt-again-1")] == ["receipt-again-1", "receipt-again-2"]


B, A, N = LogWord.BEGUN, LogWord.ACCEPTED, LogWord.NOT_ACCEPTED


@pytest.mark.parametrize(
    ("records", "known"),
    [
        ([], KnownSend.NOTHING),
        ([("w1", B)], KnownSend.OPEN),
        ([("w1", B), ("w1", N)], KnownSend.NOTHING),
        ([("w1", N), ("w1", B)], KnownSend.NOTHING),
        ([("w1", B), ("w2", B), ("w2", N)], KnownSend.OPEN),
        ([("w1", B), ("w2", B), ("w2", A), ("w1", N)], KnownSend.ACCEPTED),
    ],
)
def test_the_log_is_folded_by_owner(records: list[tuple[str, str]], known: KnownSend) -> None:
    """Not by order and not by attempt number."""
    assert restore.fold(records) is known


@pytest.mark.parametrize(
    ("delivery", "known", "state"),
    [
        (READY, KnownSend.NOTHING, DeliveryState.READY),
        (READY, KnownSend.OPEN, DeliveryState.UNKNOWN),
        (READY, KnownSend.ACCEPTED, DeliveryState.SENT),
        (CLAIMED, KnownSend.NOTHING, DeliveryState.READY),
        (MARKED, KnownSend.NOTHING, DeliveryState.UNKNOWN),
        (UNKNOWN, KnownSend.NOTHING, DeliveryState.UNKNOWN),
        (replace(UNKNOWN, state=DeliveryState.SENT), KnownSend.OPEN, DeliveryState.SENT),
        (replace(READY, state=DeliveryState.HELD, reason=Reason.INTERNAL), KnownSend.ACCEPTED, DeliveryState.SENT),
    ],
)
def test_a_restored_row_is_decided_by_the_log(delivery: Delivery, known: KnownSend, state: DeliveryState) -> None:
    """And it may be claimed again only now."""
    found = restore.released(restore.frozen(delivery), known, NOW)

    assert (found.state, found.frozen) == (state, False)


def test_what_has_ended_is_not_frozen() -> None:
    """It is never claimed anyway."""
    sent = replace(UNKNOWN, state=DeliveryState.SENT)

    assert restore.frozen(sent) == sent
    assert restore.frozen(READY).frozen


def test_what_only_the_log_names_gets_a_row() -> None:
    """So that the next look cannot create it anew; what was begun and refused is left to the look."""
    key = delivery_key(READY)
    others = {name: DeliveryKey(PaymentKey(CompanyId("c1"), BaixaId(name)), "receipt", 1) for name in ("s", "u", "n")}
    log = {others["s"]: [("w", B), ("w", A)], others["u"]: [("w", B)], others["n"]: [("w", B), ("w", N)]}

    found = {row.baixa: row for row in restore.apply({key: restore.frozen(READY)}, log, NOW)}

    assert {baixa: row.state for baixa, row in found.items()} == {
        "b1": DeliveryState.READY,
        "s": DeliveryState.SENT,
        "u": DeliveryState.UNKNOWN,
    }
    assert found[BaixaId("u")].phase is None
    assert not rules.may_send_again(found[BaixaId("u")], NOW)
    assert DeliveryPhase.CLAIMED is not found[BaixaId("b1")].phase


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([("w1", B), ("w1", A)], "one"),
        ([("w1", B)], "one"),
        ([("w1", B), ("w1", N)], ""),
        ([("w1", B), ("w1", N), ("w2", B), ("w2", A)], "two"),
        ([("w1", B), ("w2", B), ("w2", A)], "two"),
        ([("w1", N), ("w1", B), ("w2", B)], "two"),
        ([("old", B), ("old", A)], ""),
    ],
)
def test_what_a_mail_said_is_what_the_one_says_that_went_out(records: list[tuple[str, str]], said: str) -> None:
    """Or that may have; between two attempts the payment may have been edited. Versions before did not record it."""
    known = {"w1": PaymentTerms(paid_on="one"), "w2": PaymentTerms(paid_on="two")}

    assert restore.what_it_said(records, known).paid_on == said


@pytest.mark.parametrize("state", [DeliveryState.READY, DeliveryState.HELD, DeliveryState.CANCELLED])
def test_a_row_from_before_its_mail_has_what_the_mail_said(state: DeliveryState) -> None:
    """One that knows the mail itself is left as it is: its receipt's row is from after the mail."""
    key, said = delivery_key(READY), PaymentTerms(paid_on="one")
    log = {key: [("w1", B), ("w1", A)]}
    sent = replace(READY, state=DeliveryState.SENT)

    (after,) = restore.apply({key: replace(READY, state=state)}, log, NOW, {"w1": said})

    assert (after.state, after.said) == (DeliveryState.SENT, said)
    assert restore.apply({key: sent}, log, NOW, {"w1": said}) == [sent]
