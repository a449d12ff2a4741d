"""The order of the steps, and what each failure leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from foundation.clock import UnixMs
from foundation.errors import Contention, StoreUnavailable
from foundation.tablestore.ports import UNSTORED, Version
from payflow.delivery import rules
from payflow.delivery.ports import DeliveryKey, delivery_key
from payflow.delivery.rules import again_kind
from payflow.delivery.sending import Sending
from payflow.errors import SendLogUnavailable
from payflow.mail.codes import Phase, Verdict
from payflow.mail.smtp import SmtpOutcome
from payflow.model import NO_TERMS, Centavos, CustomerId, PaymentTerms
from payflow.state import Delivery, DeliveryPhase, DeliveryState, Reason
from tests.unit.payflow.test_delivery_rules import NOW, READY, UNKNOWN

SAID = PaymentTerms(amount=Centavos(100_00), paid_on="2026-01-01", customer=CustomerId("c1"))


@dataclass
class _World:
    """Ports that note what happened, in order."""

    rows: dict[DeliveryKey, Delivery] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)
    seconds: float = 0.0
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    offered: SmtpOutcome | None = None
    finished: SmtpOutcome | None = None
    epoch_now: int = 1
    operation: str = ""
    answer: SmtpOutcome | None = None

    def named(self, message_id: str) -> str:
        assert message_id == READY.message_id
        return self.operation

    async def ask(self, operation_id: str) -> SmtpOutcome | None:
        self._note(f"ask {operation_id}")
        return self.answer

    def _note(self, what: str) -> None:
        self.did.append(what)
        self.before.pop(what, lambda: None)()

    async def read(self, key: DeliveryKey) -> Delivery | None:
        self._note("read")
        return self.rows.get(key)

    async def save(self, *group: Delivery) -> Sequence[Delivery]:
        self._note(f"save {group[0].phase or group[0].state}")
        for delivery in group:
            found = self.rows.get(delivery_key(delivery))
            if (found.version if found else UNSTORED) != delivery.version:
                raise Contention
        return [self.put(delivery) for delivery in group]

    def put(self, delivery: Delivery) -> Delivery:
        stored = replace(delivery, version=Version(f"v{len(self.did)}-{id(delivery)}"))
        self.rows[delivery_key(stored)] = stored
        return stored

    async def begin(self, key: DeliveryKey, owner: str, said: PaymentTerms = NO_TERMS) -> None:
        assert (key, owner, said) == (delivery_key(READY), "w1", SAID)
        self._note("begin")

    async def end(self, key: DeliveryKey, owner: str, *, accepted: bool) -> None:
        assert (key, owner) == (delivery_key(READY), "w1")
        self._note(f"end {accepted}")

    async def epoch(self) -> int:
        return self.epoch_now

    async def heard(self, outcome: SmtpOutcome, address_index: str) -> int:
        assert address_index == READY.address_index
        self._note(f"heard {outcome.verdict}")
        return self.epoch_now

    async def offer(self, recipient: str, data: bytes) -> SmtpOutcome | None:
        assert (recipient, data) == (READY.address, b"mail")
        self._note("offer")
        return self.offered

    async def finish(self, not_after_s: float) -> SmtpOutcome | None:
        self._note("dot")
        return self.finished if self.seconds <= not_after_s else None

    async def close(self) -> None:
        self._note("close")

    async def attempt(self, delivery: Delivery | None = None) -> Delivery:
        return await self.sending().attempt(delivery or self.put(READY), b"mail", self)

    def sending(self) -> Sending:
        return Sending(
            deliveries=self,
            log=self,
            sender=self,
            clock=lambda: UnixMs(NOW + int(self.seconds * 1000)),
            monotonic=lambda: self.seconds,
            owner=lambda: "w1",
            said=SAID,
        )


def _outcome(verdict: Verdict, phase: Phase = Phase.DOT) -> SmtpOutcome:
    return SmtpOutcome(verdict=verdict, phase=phase)


def _raise(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


async def test_each_step_is_stored_before_the_next() -> None:
    """Claim, begun, body, mark, dot, outcome, row."""
    world = _World(finished=_outcome(Verdict.ACCEPTED))

    sent = await world.attempt()

    assert world.did == [
        "save claimed",
        "begin",
        "offer",
        "save terminating",
        "dot",
        "end True",
        "heard accepted",
        "save sent",
    ]
    assert (sent.state, sent.owner) == (DeliveryState.SENT, "w1")


async def test_a_refusal_before_the_dot_is_recorded_at_once() -> None:
    """No mark, no dot."""
    world = _World(offered=_outcome(Verdict.ADDRESS, Phase.RCPT))

    refused = await world.attempt()

    assert refused.state is DeliveryState.REFUSED
    assert world.did == ["save claimed", "begin", "offer", "end False", "heard address", "save refused"]


async def test_without_the_send_log_nothing_is_offered() -> None:
    """The row goes back; it is away for all, so no delivery is held for it however long that lasts."""
    world = _World()
    world.before["begin"] = _raise(SendLogUnavailable("the log is away"))

    with pytest.raises(SendLogUnavailable):
        await world.attempt()

    back = world.rows[delivery_key(READY)]
    assert (back.state, back.reply, back.faults) == (DeliveryState.READY, "the log is away", 0)
    assert world.did == ["save claimed", "begin", "close", "save ready"]


@pytest.mark.parametrize(
    ("frozen_at", "seconds", "last"),
    [("begin", 5.1, "begin"), ("offer", 301, "offer"), ("save terminating", 5.1, "dot")],
)
async def test_a_frozen_worker_sends_nothing(frozen_at: str, seconds: float, last: str) -> None:
    """More than five seconds after claim or mark, or after the deadline: hang up, the row goes back."""
    world = _World(finished=_outcome(Verdict.ACCEPTED))
    world.before[frozen_at] = lambda: setattr(world, "seconds", seconds)

    back = await world.attempt()

    assert back.state is DeliveryState.READY
    assert world.did[world.did.index(last) + 1 :] == ["close", "save ready"]


@pytest.mark.parametrize("error", [Contention(), StoreUnavailable()])
async def test_without_a_stored_mark_there_is_no_dot(error: Exception) -> None:
    """The mark's answer is lost, or another worker was first: hang up."""
    world = _World()
    world.before["save terminating"] = _raise(error)

    with pytest.raises(type(error)):
        await world.attempt()

    assert world.did[-1] == "close"


async def test_an_unknown_outcome_is_not_logged_as_any() -> None:
    """Begun without an outcome is what it is."""
    world = _World(finished=_outcome(Verdict.UNKNOWN))

    assert (await world.attempt()).state is DeliveryState.UNKNOWN
    assert not [step for step in world.did if step.startswith("end")]


async def test_a_lost_outcome_record_does_not_keep_the_row_from_its_state() -> None:
    """The row is the record then."""
    world = _World(finished=_outcome(Verdict.ACCEPTED))
    world.before["end True"] = _raise(SendLogUnavailable())

    assert (await world.attempt()).state is DeliveryState.SENT


async def test_a_counted_refusal_may_hold_instead_of_sending() -> None:
    """Nothing is claimed."""
    world = _World(epoch_now=3)

    held = await world.attempt(world.put(replace(READY, refused_epoch=2, counted=1)))

    assert (held.state, held.reason) == (DeliveryState.HELD, Reason.REFUSED_CONTENT)
    assert world.did == ["save held"]


def _moved_on(world: _World, **changes: object) -> Callable[[], None]:
    def act() -> None:
        world.put(replace(world.rows[delivery_key(READY)], **changes))  # type: ignore[arg-type]

    return act


async def test_a_late_acceptance_takes_back_what_was_to_be_sent_again() -> None:
    """A person said send again; then the first server's 250 came."""
    world = _World(finished=_outcome(Verdict.ACCEPTED))
    again = replace(READY, kind=again_kind("receipt"))
    world.put(again)
    world.before["dot"] = _moved_on(world, state=DeliveryState.UNKNOWN, phase=None, decided_by="office")

    sent = await world.attempt()

    assert sent.state is DeliveryState.SENT
    assert world.rows[delivery_key(again)].state is DeliveryState.CANCELLED


@pytest.mark.parametrize("again", [None, replace(UNKNOWN, kind=again_kind("receipt"))])
async def test_a_late_acceptance_leaves_what_is_on_its_way(again: Delivery | None) -> None:
    """Claimed already, or gone."""
    world = _World(finished=_outcome(Verdict.ACCEPTED))
    if again:
        world.put(again)
    world.before["dot"] = _moved_on(world, state=DeliveryState.UNKNOWN, phase=None, decided_by="office")

    assert (await world.attempt()).state is DeliveryState.SENT


async def test_a_late_refusal_leaves_a_decided_row() -> None:
    """The person's word holds."""
    world = _World(finished=_outcome(Verdict.LATER))
    world.before["dot"] = _moved_on(world, state=DeliveryState.UNKNOWN, phase=None, decided_by="office")

    assert (await world.attempt()).state is DeliveryState.UNKNOWN


async def test_late_evidence_is_recorded_through_races() -> None:
    """The row moves once more between reading and writing."""
    world = _World(finished=_outcome(Verdict.ACCEPTED))
    world.before["dot"] = _moved_on(world, state=DeliveryState.UNKNOWN, phase=None)
    world.before["save sent"] = lambda: world.before.update({"save sent": _moved_on(world)})

    assert (await world.attempt()).state is DeliveryState.SENT


async def test_late_evidence_gives_up_in_the_end() -> None:
    """The row changes at each try, or is gone: the send log has it."""
    world = _World(finished=_outcome(Verdict.ACCEPTED))

    def move_and_rearm() -> None:
        _moved_on(world, state=DeliveryState.UNKNOWN, phase=None)()
        world.before["save sent"] = move_and_rearm

    world.before["save sent"] = move_and_rearm
    with pytest.raises(Contention, match="faster"):
        await world.attempt()

    gone = _World(finished=_outcome(Verdict.ACCEPTED))
    gone.before["save sent"] = gone.rows.clear
    with pytest.raises(Contention, match="gone"):
        await gone.attempt()


async def test_an_abandoned_delivery_is_judged_and_stored() -> None:
    """Not before its deadline and a minute."""
    world = _World(seconds=361)
    marked = world.put(rules.mark(rules.claim(READY, "w9", NOW)))

    assert (await world.sending().judge(marked, world)).state is DeliveryState.UNKNOWN


MARKED = replace(rules.claim(READY, "w1", NOW), phase=DeliveryPhase.TERMINATING, operation_id="op", reply="no answer")
LATE = (rules.ATTEMPT_MS + rules.GRACE_MS) / 1000 + 1


async def test_the_operation_is_stored_before_anything_is_offered() -> None:
    """With the claim; what the carrier knows no mail by is empty."""
    world = _World(operation="op", finished=_outcome(Verdict.ACCEPTED))

    assert (await world.attempt()).operation_id == "op"

    world = _World(finished=_outcome(Verdict.ACCEPTED))
    assert (await world.attempt(world.put(replace(READY, operation_id="of another carrier")))).operation_id == ""


async def test_an_unknown_outcome_that_can_be_asked_for_is_none_yet() -> None:
    """The mail is still on its way; nobody tries it, and no person is asked."""
    world = _World(operation="op", finished=SmtpOutcome(verdict=Verdict.UNKNOWN, phase=Phase.DOT, words="no answer"))

    left = await world.attempt()

    assert (left.state, left.phase, left.reply) == (DeliveryState.SENDING, DeliveryPhase.TERMINATING, "no answer")
    assert world.did[-2:] == ["heard unknown", "save terminating"]


@pytest.mark.parametrize(
    ("verdict", "state", "log"),
    [(Verdict.ACCEPTED, DeliveryState.SENT, "end True"), (Verdict.DROPPED, DeliveryState.REFUSED, "end False")],
)
async def test_a_lost_answer_is_asked_for_by_the_operation(verdict: Verdict, state: DeliveryState, log: str) -> None:
    """Log and row know it then, as if it had not been lost."""
    world = _World(answer=_outcome(verdict), seconds=LATE)

    assert (await world.sending().judge(world.put(MARKED), world)).state is state
    assert world.did == ["ask op", log, f"heard {verdict}", f"save {state}"]


async def test_a_service_that_says_nothing_is_asked_for_a_quarter_of_an_hour() -> None:
    """Each minute; then a person decides. The mail is never handed over again."""
    world = _World(seconds=LATE)
    asked = await world.sending().judge(world.put(MARKED), world)
    assert (asked.state, asked.reply, asked.due_ms) == (
        DeliveryState.SENDING,
        "no answer",
        NOW + int(LATE * 1000) + 60_000,
    )
    assert not rules.is_abandoned(asked, UnixMs(asked.due_ms - 1))
    assert rules.is_abandoned(asked, asked.due_ms)

    world.seconds = (rules.ATTEMPT_MS + rules.ASKED_MS) / 1000 + 1
    left = await world.sending().judge(asked, world)
    assert (left.state, left.reply) == (DeliveryState.UNKNOWN, "the service does not know")


async def test_what_was_never_handed_over_is_not_asked_for() -> None:
    """Without the mark nothing was posted: it is tried again by right."""
    world = _World(seconds=LATE)
    claimed = world.put(replace(MARKED, phase=DeliveryPhase.CLAIMED))

    assert (await world.sending().judge(claimed, world)).state is DeliveryState.READY
    assert world.did == ["save ready"]
