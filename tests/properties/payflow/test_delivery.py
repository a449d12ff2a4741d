"""One mail at most, whatever happens: random histories of workers, storage, server, people and restores."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.clock import UnixMs
from foundation.errors import Contention, StoreUnavailable
from payflow import corrections
from payflow.delivery import restore, rules, sending
from payflow.delivery.ports import delivery_key
from payflow.mail.codes import Verdict
from payflow.mail.smtp import SmtpOutcome
from payflow.model import PaymentTerms
from payflow.state import Delivery, DeliveryPhase, DeliveryState, Receipt
from tests.properties.payflow import delivery_world as world_of
from tests.properties.payflow.delivery_world import BY_WORD, ENDS, NOT_AFTER, ONCE, Broken, History, World

HISTORIES = int(os.environ.get("HISTORIES", "3000"))
HISTORIES_MAX = 2_000
MOVES = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 0, 1, 1, 1, 1, 2, 3, 3, 4, 5, 6, 6, 7, 7]),
        st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4, 5]),
    ),
    max_size=70,
)
SEARCH = settings(
    max_examples=HISTORIES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


def _play(moves: Sequence[tuple[int, int]], only: frozenset[str] | None = None, *, service: bool = False) -> History:
    history = History(only, service=service)
    try:
        for actor, choice in moves:
            history.move(actor, choice)
        history.end()
    finally:
        for worker in history.workers:
            worker.leave()
    return history


@pytest.mark.no_cover
@SEARCH
@given(MOVES)
def test_at_most_one_mail_is_accepted_whatever_happens(moves: list[tuple[int, int]]) -> None:
    """And every delivery ends sent, refused, unknown, held with a reason, or taken back."""
    _play(moves)


@pytest.mark.no_cover
@SEARCH
@given(MOVES)
def test_a_service_that_can_be_asked_accepts_at_most_one_mail(moves: list[tuple[int, int]]) -> None:
    """Lost answers are asked for by the operation's id, and every delivery ends all the same."""
    _play(moves, service=True)


# What the rules are for: each taken away is noticed ------------------------------------------------

Patch = pytest.MonkeyPatch


Moves = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Mutation:
    """A discipline taken away, the rule that must then be seen broken, and how, where chance does not find it."""

    apply: Callable[[Patch], None]
    rule: str
    story: Moves = ()


def _a(steps: int, fate: int = 0) -> Moves:
    return [(0, fate)] * steps


def _b(steps: int) -> Moves:
    return [(1, 0)] * steps


# Steps of a worker: 1 lane, 2 save the claim, 3 begin, 4 offer, 5 save the mark, 6 check, 7 dot, 8 reply, 9 end.
SEVEN_MINUTES, HALF_AN_HOUR, BACKUP, SAME_TABLE, OTHER_TABLE, SEND_AGAIN = (
    (3, 2),
    (3, 3),
    (6, 0),
    (6, 1),
    (6, 2),
    (5, 1),
)
NEXT = (6, 5)
FROZEN_BEFORE_ITS_DOT = [*_a(7), SEVEN_MINUTES, *_b(3), SEND_AGAIN, *_a(1)]
A_REFUSAL_COMES_LATE = [*_a(7), *_a(1, 1), HALF_AN_HOUR, *_b(3), SEND_AGAIN, *_a(6)]
A_WORKER_KEEPS_THE_OLD_TABLE = [*_a(2), BACKUP, *_a(1), OTHER_TABLE, NEXT, NEXT, NEXT, *_a(6)]
A_WORKER_HAS_READ_THE_PAUSE = [*_a(2), BACKUP, *_a(9), *_b(1), SAME_TABLE, NEXT, NEXT, *_b(7)]
THE_BACKUP_IS_OLDER = [BACKUP, *_a(11), SAME_TABLE, NEXT, NEXT, NEXT]
FROZEN_THROUGH_A_RESTORE = [*_a(2), BACKUP, *_a(5), OTHER_TABLE, NEXT, NEXT, NEXT, SEND_AGAIN, *_a(1)]
A_LOSER_LOGS_LAST = [*_a(2), BACKUP, *_a(2), *_a(1, 1), HALF_AN_HOUR, *_b(3), HALF_AN_HOUR, *_b(11), *_a(3), SAME_TABLE]

CHANGED, CORRECT = (7, 0), (7, 1)
CHANGED_AFTER_ITS_MAIL = [*_a(11), CHANGED, *_a(11)]
CORRECTED_TWICE = [*_a(11), CHANGED, CORRECT, *_a(11), CHANGED, CORRECT, *_a(11)]
CORRECTED_AFTER_A_RESTORE = [
    *_a(11),
    BACKUP,
    *(CORRECT, *_a(11)),
    *(SAME_TABLE, NEXT, NEXT, NEXT),
    *(CORRECT, *_a(11)),
]


def _no_mark(patch: Patch) -> None:
    patch.setattr(rules, "mark", lambda delivery: delivery)


def _terminating_is_tried_again(patch: Patch) -> None:
    judge = rules.judge_abandoned
    patch.setattr(rules, "judge_abandoned", lambda found, now: judge(replace(found, phase=DeliveryPhase.CLAIMED), now))


def _writes_without_condition(patch: Patch) -> None:
    patch.setattr(World, "write", lambda self, group, rows=None: [self.put(found, rows) for found in group])


def _closed_after_the_dot_is_a_later(patch: Patch) -> None:
    record = rules.record_outcome

    def later(delivery: Delivery, outcome: SmtpOutcome, now: UnixMs, *, epoch: int) -> Delivery:
        lost = outcome.verdict is Verdict.UNKNOWN
        return record(delivery, replace(outcome, verdict=Verdict.LATER) if lost else outcome, now, epoch=epoch)

    patch.setattr(rules, "record_outcome", later)


def _judged_at_any_time(patch: Patch) -> None:
    """Alone it is harmless, the version is the fence; without conditions only the deadline is left."""
    patch.setattr(rules, "is_abandoned", lambda found, now: found.state is DeliveryState.SENDING and now > 0)
    _writes_without_condition(patch)


def _sent_again_at_once(patch: Patch) -> None:
    patch.setattr(rules, "IDLE_MS", 0)


def _a_lost_mark_counts(patch: Patch) -> None:
    save = Sending_save

    async def lenient(self: sending.Sending, delivery: Delivery) -> Delivery:
        try:
            return await save(self, delivery)
        except (Contention, StoreUnavailable):
            if delivery.phase is DeliveryPhase.TERMINATING:
                return delivery
            raise

    patch.setattr(sending.Sending, "_save", lenient)


Sending_save = sending.Sending._save


def _no_epoch(patch: Patch) -> None:
    def only_pause(self: History) -> None:
        self.world.paused = True

    patch.setattr(History, "_fence", only_pause)


def _nothing_is_frozen(patch: Patch) -> None:
    patch.setattr(restore, "frozen", lambda delivery: delivery)


def _no_tombstone(patch: Patch) -> None:
    apply = restore.apply
    patch.setattr(
        restore,
        "apply",
        lambda rows, log, now: [found for found in apply(rows, log, now) if delivery_key(found) in rows],
    )


def _the_last_record_decides(patch: Patch) -> None:
    def last(records: Sequence[tuple[str, str]]) -> restore.KnownSend:
        word = records[-1][1] if records else ""
        known = {restore.LogWord.ACCEPTED: restore.KnownSend.ACCEPTED, restore.LogWord.BEGUN: restore.KnownSend.OPEN}
        return known.get(word, restore.KnownSend.NOTHING)  # type: ignore[call-overload,no-any-return]

    patch.setattr(restore, "fold", last)


def _begun_is_not_needed(patch: Patch) -> None:
    async def nothing(*_: object) -> None:
        return

    patch.setattr(world_of.Log, "begin", nothing)


def _no_log_at_all(patch: Patch) -> None:
    patch.setattr(restore, "fold", lambda _: restore.KnownSend.NOTHING)


def _frozen_is_claimed(patch: Patch) -> None:
    claim = rules.claim
    patch.setattr(rules, "claim", lambda found, owner, now: claim(replace(found, frozen=False), owner, now))


def _refusals_reopen_what_a_person_decided(patch: Patch) -> None:
    late = rules.late_evidence
    patch.setattr(
        rules,
        "late_evidence",
        lambda stored, *rest: replace(late(replace(stored, decided_by=""), *rest), decided_by=stored.decided_by),
    )


def _a_restored_unknown_keeps_its_deadline(patch: Patch) -> None:
    patch.setattr(restore, "ATTEMPT_MS", -10_000_000_000)


def _a_change_orders_its_correction(patch: Patch) -> None:
    flagged = corrections.flagged

    def ordered(receipt: Receipt, terms: PaymentTerms, now: UnixMs) -> Receipt:
        return corrections.ordered(flagged(receipt, terms, now), [], "nobody", now)

    patch.setattr(corrections, "flagged", ordered)


def _every_correction_is_of_one_kind(patch: Patch) -> None:
    patch.setattr(corrections, "next_number", lambda *_: 1)


def _the_number_is_the_receipts_alone(patch: Patch) -> None:
    """A restored receipt has forgotten what was ordered after the backup; the send log has not."""
    number = corrections.next_number
    patch.setattr(corrections, "next_number", lambda receipt, _: number(receipt, []))


def _nothing_is_judged(patch: Patch) -> None:
    patch.setattr(rules, "is_abandoned", lambda *_: False)


MUTATIONS = {
    mutation.apply.__name__.strip("_"): mutation
    for mutation in (
        Mutation(_no_mark, ONCE),
        Mutation(_terminating_is_tried_again, ONCE),
        Mutation(_writes_without_condition, ONCE),
        Mutation(_closed_after_the_dot_is_a_later, ONCE),
        Mutation(_judged_at_any_time, ONCE),
        Mutation(_a_lost_mark_counts, ONCE),
        Mutation(_sent_again_at_once, NOT_AFTER, FROZEN_BEFORE_ITS_DOT),
        Mutation(_refusals_reopen_what_a_person_decided, NOT_AFTER, A_REFUSAL_COMES_LATE),
        Mutation(_no_epoch, ONCE, A_WORKER_KEEPS_THE_OLD_TABLE),
        Mutation(_nothing_is_frozen, ONCE, A_WORKER_HAS_READ_THE_PAUSE),
        Mutation(_no_tombstone, ONCE, THE_BACKUP_IS_OLDER),
        Mutation(_the_last_record_decides, ONCE, A_LOSER_LOGS_LAST),
        Mutation(_begun_is_not_needed, ONCE),
        Mutation(_no_log_at_all, ONCE),
        Mutation(_frozen_is_claimed, ONCE, A_WORKER_HAS_READ_THE_PAUSE),
        Mutation(_a_restored_unknown_keeps_its_deadline, NOT_AFTER, FROZEN_THROUGH_A_RESTORE),
        Mutation(_nothing_is_judged, ENDS),
        Mutation(_a_change_orders_its_correction, BY_WORD, CHANGED_AFTER_ITS_MAIL),
        Mutation(_every_correction_is_of_one_kind, ONCE, CORRECTED_TWICE),
        Mutation(_the_number_is_the_receipts_alone, ONCE, CORRECTED_AFTER_A_RESTORE),
    )
}


@pytest.mark.no_cover  # what runs here is broken on purpose
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_rule_taken_away_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof that cannot fail proves nothing."""
    mutation = MUTATIONS[name]
    mutation.apply(monkeypatch)

    with pytest.raises(Broken) as noticed:
        _search(mutation)

    assert noticed.value.rule == mutation.rule


@pytest.mark.parametrize("name", [name for name, mutation in MUTATIONS.items() if mutation.story])
def test_a_story_does_no_harm_while_the_rule_holds(name: str) -> None:
    """What the mutation shows is the mutation's doing."""
    _play(MUTATIONS[name].story)


def _search(mutation: Mutation) -> None:
    _play(mutation.story, frozenset({mutation.rule}))
    for seed in range(HISTORIES_MAX):
        _play(_drawn(seed), frozenset({mutation.rule}))


def _drawn(seed: int) -> Sequence[tuple[int, int]]:
    """Return a random history; mostly of one worker that goes far, because harm is deep."""
    chance = random.Random(seed)  # noqa: S311 -- histories, no secrets
    weights = (chance.choice((4, 12)), chance.choice((1, 4)), 1, chance.choice((1, 3)), chance.choice((0, 1)), 1, 2, 1)
    actors = chance.choices(range(8), weights, k=chance.choice((20, 40, 70)))
    return [(actor, chance.choice((0, 0, 0, 1, 2, 3, 4, 5))) for actor in actors]
