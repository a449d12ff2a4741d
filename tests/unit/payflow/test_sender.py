"""The mail account: its limits, its turn, its stop and its probe."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from foundation.clock import UnixMs
from foundation.errors import Contention
from foundation.tablestore.memory import MemoryRows
from payflow.delivery import rules, sender, turns
from payflow.delivery.sender import NotNow, Permit, SenderAccount, SenderDesk, SendingLimits, after
from payflow.mail.codes import Phase, Verdict
from payflow.mail.smtp import SmtpOutcome
from payflow.model import CompanyId
from payflow.state import Delivery, DeliveryState
from tests.unit.payflow.test_delivery_rules import NOW, READY

A, B, C = CompanyId("a"), CompanyId("b"), CompanyId("c")
NEVER = UnixMs(0)


@dataclass
class _Desk:
    """A desk and its clock."""

    now: int = NOW
    rows: MemoryRows = field(default_factory=MemoryRows)
    limits: SendingLimits = field(default_factory=SendingLimits)

    @property
    def desk(self) -> SenderDesk:
        return SenderDesk(self.rows, lambda: UnixMs(self.now), self.limits)

    async def ask(self, company: CompanyId, tried_ms: int = 0) -> Permit | NotNow:
        return await self.desk.admit(company, f"worker-{company}", UnixMs(tried_ms))

    async def permit(self, company: CompanyId) -> Permit:
        found = await self.ask(company)
        assert isinstance(found, Permit)
        return found

    async def hear(self, verdict: Verdict, address: str = "i") -> int:
        return await self.desk.heard(_outcome(verdict), address)


def _outcome(verdict: Verdict) -> SmtpOutcome:
    return SmtpOutcome(verdict=verdict, phase=Phase.RCPT, words="550 no")


async def test_no_more_messages_at_once_than_connections() -> None:
    """The third company waits; a permit that is given back goes on."""
    world = _Desk()
    first = await world.permit(A)
    await world.permit(B)

    assert await world.ask(C) == NotNow(UnixMs(NOW + sender.RETRY_MS), "all connections are in use")

    await world.desk.leave(first)
    assert isinstance(await world.ask(C), Permit)


async def test_a_free_connection_goes_to_who_waited_longest() -> None:
    """Two busy companies cannot starve a third; a row of one that is gone runs out."""
    world = _Desk(limits=SendingLimits(connections=1))
    held = await world.permit(A)
    assert isinstance(await world.ask(C), NotNow)
    world.now += 1_000
    await world.desk.leave(held)

    assert isinstance(await world.ask(A), NotNow)

    world.now += 1_000
    granted = await world.permit(C)
    await world.desk.leave(granted)
    assert isinstance(await world.ask(A), Permit)

    alone = _Desk(limits=SendingLimits(connections=1))
    taken = await alone.permit(A)
    await alone.ask(C)
    await alone.desk.leave(taken)
    alone.now += sender.WAITING_MS + 1
    assert isinstance(await alone.ask(A), Permit)


async def test_who_waits_is_told_the_longest_first() -> None:
    """Not by name; a row that has run out is not reported."""
    world = _Desk(limits=SendingLimits(connections=1))
    await world.permit(CompanyId("d"))
    await world.ask(B)
    world.now += sender.WAITING_MS
    await world.ask(C)
    world.now += 1
    await world.ask(A)

    assert [(each.company, each.since_ms) for each in await world.desk.waiting()] == [
        (C, world.now - 1),
        (A, world.now),
    ]


async def test_a_permit_of_a_dead_worker_runs_out() -> None:
    """Two minutes."""
    world = _Desk(limits=SendingLimits(connections=1))
    await world.permit(A)
    world.now += sender.PERMIT_MS + 1

    assert isinstance(await world.ask(B), Permit)


async def test_the_minute_and_the_day_have_their_limits() -> None:
    """The permit is given back, and the time to ask again is the next minute, or an hour."""
    world = _Desk(limits=SendingLimits(connections=9, per_minute=2, per_day=3))
    for company in (A, B):
        await world.desk.leave(await world.permit(company))

    minute = await world.ask(C)
    assert minute == NotNow(UnixMs(NOW + 60_000 - NOW % 60_000), "the minute's are")

    world.now += 60_000
    await world.desk.leave(await world.permit(C))
    day = await world.ask(A)
    assert day == NotNow(UnixMs(world.now + 3_600_000), "the day's messages are used up")

    world.now += 86_400_000
    assert isinstance(await world.ask(A), Permit)


async def _used_up(world: _Desk, *companies: CompanyId) -> None:
    """Use up today's messages, and let each company be refused once; then it is the next day."""
    world.now += 86_400_000 - world.now % 86_400_000 - 600_000
    for _ in range(world.limits.per_day):
        await world.desk.leave(await world.permit(C))
    for company in companies:
        world.now += 1_000
        assert isinstance(await world.ask(company), NotNow)
    world.now += 3_600_000


async def _sent(world: _Desk, company: CompanyId, most: int) -> int:
    """Send what *company* may of *most* messages, a second apart; return how many."""
    for number in range(most):
        world.now += 1_000
        permit = await world.ask(company)
        if isinstance(permit, NotNow):
            return number
        await world.desk.leave(permit)
    return most


async def test_a_thousand_mails_leave_half_of_the_day_to_the_one_that_waits() -> None:
    """Both were refused yesterday, and A comes back first: it has its half, B's mail goes out, A has the rest."""
    world = _Desk(limits=SendingLimits(per_minute=1_000, per_day=10))
    await _used_up(world, A, B)

    assert await _sent(world, A, 1_000) == 5
    refused = await world.ask(A)
    assert isinstance(refused, NotNow)
    assert (refused.again_ms, refused.why) == (
        world.now + turns.PART_MS,
        "the rest of the day is for the companies that wait",
    )
    assert await _sent(world, B, 1) == 1

    assert await _sent(world, A, 1_000) == 4
    assert (await world.desk.account()).in_day == 10


async def test_a_company_alone_takes_the_whole_day() -> None:
    """Nobody waits: there is nobody to leave anything to."""
    world = _Desk(limits=SendingLimits(per_minute=1_000, per_day=10))
    await _used_up(world, A)

    assert await _sent(world, A, 1_000) == 10


async def test_two_that_have_thousands_have_half_each() -> None:
    """The one that had its half does not stand in the way of the other."""
    world = _Desk(limits=SendingLimits(per_minute=1_000, per_day=10))
    await _used_up(world, A, B)

    assert [await _sent(world, name, 1_000) for name in (A, B)] == [5, 5]


async def test_a_company_that_never_comes_back_keeps_its_part_for_an_hour() -> None:
    """It was paused, or its payment was undone: then the day is the others'."""
    world = _Desk(limits=SendingLimits(per_minute=1_000, per_day=10))
    await _used_up(world, A, B)
    assert await _sent(world, A, 1_000) == 5

    world.now += turns.OWED_MS

    assert await _sent(world, A, 1_000) == 5


async def test_a_new_wait_is_of_what_is_left_then() -> None:
    """B is served, A goes on alone, and B waits once more: half of what is left now."""
    world = _Desk(limits=SendingLimits(per_minute=1_000, per_day=20))
    await _used_up(world, A, B)
    assert (await _sent(world, A, 4), await _sent(world, B, 1), await _sent(world, A, 7)) == (4, 1, 7)
    owed = {**world.rows.dump()["waiting:b"], "since_ms": world.now, "owed_ms": world.now + turns.OWED_MS}
    world.rows.put("waiting:b", owed)

    assert await _sent(world, A, 1_000) == 4


async def test_the_last_message_of_a_day_goes_to_who_waited_longest() -> None:
    """Half of one is nothing; it is not left over either."""
    world = _Desk(limits=SendingLimits(per_minute=1_000, per_day=1))
    await _used_up(world, B, A)

    assert await _sent(world, A, 1_000) == 0
    assert await _sent(world, B, 1) == 1


async def test_a_row_of_a_version_before_is_read() -> None:
    """It stood in line, and nothing was kept for it."""
    world = _Desk(limits=SendingLimits(connections=1))
    row: dict[str, str | int | bool | bytes] = {"company": "c", "since_ms": NOW - 1, "tried_ms": 0, "until_ms": NOW + 1}
    world.rows.put("waiting:c", row)

    assert isinstance(await world.ask(A), NotNow)
    assert isinstance(await world.ask(C), Permit)


@pytest.mark.parametrize("verdict", [Verdict.SENDER, Verdict.ACCOUNT])
async def test_a_refusal_that_may_be_the_accounts_stops_all(verdict: Verdict) -> None:
    """With the server's words; one probe after 15 minutes; an acceptance ends the stop and begins an epoch."""
    world = _Desk()
    assert await world.hear(verdict) == 1
    stopped = await world.desk.account()
    assert (stopped.stopped_ms, stopped.why) == (NOW, "550 no")
    assert await world.ask(A) == NotNow(UnixMs(NOW + sender.PROBE_MS), "550 no")

    world.now += sender.PROBE_MS
    assert isinstance(await world.ask(A), Permit)
    assert isinstance(await world.ask(B), NotNow)

    await world.hear(Verdict.ACCEPTED)
    assert await world.desk.epoch() == 2
    assert isinstance(await world.ask(B), Permit)


async def test_a_person_may_let_a_stopped_sender_probe_at_once() -> None:
    """One mail goes out without the 15 minutes, and only one; the stop itself is not ended by it."""
    world = _Desk()
    await world.hear(Verdict.ACCOUNT)
    world.now += 60_000
    assert isinstance(await world.ask(A), NotNow)

    await world.desk.probe_now()

    assert isinstance(await world.ask(A), Permit)
    assert await world.ask(B) == NotNow(UnixMs(world.now + sender.PROBE_MS), "550 no")
    assert (await world.desk.account()).stopped_ms == NOW


async def test_a_sender_that_has_not_stopped_has_nothing_to_probe() -> None:
    """Nothing is written."""
    world = _Desk()
    await world.desk.leave(await world.permit(A))
    before = world.rows.dump()

    await world.desk.probe_now()

    assert world.rows.dump() == before


async def test_the_probe_is_the_delivery_tried_longest_ago() -> None:
    """A bad message cannot be the probe each time."""
    world = _Desk()
    await world.hear(Verdict.SENDER)
    await world.ask(A, tried_ms=NOW)
    world.now += sender.PROBE_MS - 30_000
    await world.ask(B, tried_ms=NOW - 1)
    world.now += 30_000

    assert isinstance(await world.ask(A, tried_ms=NOW), NotNow)
    assert isinstance(await world.ask(B, tried_ms=NOW - 1), Permit)


async def test_only_one_lane_takes_the_right_to_probe() -> None:
    """Another took it after the row was read: both saw the same state, one write is done."""
    world = _Desk()
    await world.hear(Verdict.SENDER)
    world.now += sender.PROBE_MS
    taken = {**world.rows.dump()["account"], "probe_ms": world.now + 1}
    world.rows.after_next_read(lambda: world.rows.put("account", taken))

    assert await world.ask(A) == NotNow(UnixMs(world.now + 1), "550 no")


async def test_a_probe_does_not_stand_in_line() -> None:
    """The delivery tried longest ago is the probe, also where another company has waited longer."""
    world = _Desk(limits=SendingLimits(connections=1))
    await world.hear(Verdict.SENDER)
    world.now += sender.PROBE_MS - 60_000
    await world.ask(A, tried_ms=NOW)
    world.now += 60_000

    assert isinstance(await world.ask(B), Permit)


async def test_three_refused_addresses_in_a_row_stop_the_sender() -> None:
    """Different ones: perhaps the server refuses everybody. One address three times is one address."""
    world = _Desk()
    for address in ("i", "i", "i", "j"):
        await world.hear(Verdict.ADDRESS, address)
    assert (await world.desk.account()).stopped_ms == 0

    await world.hear(Verdict.ADDRESS, "k")
    assert (await world.desk.account()).stopped_ms == NOW


@pytest.mark.parametrize("verdict", [Verdict.LATER, Verdict.UNKNOWN, Verdict.TOO_LARGE, Verdict.ACCEPTED])
def test_what_says_nothing_about_the_account_changes_nothing(verdict: Verdict) -> None:
    """Nor does an acceptance while all is well."""
    assert after(SenderAccount(), _outcome(verdict), "i", UnixMs(NOW)) is None


async def test_races_for_the_senders_row_are_won_in_the_end() -> None:
    """A write between reading and writing is met by trying again; eight in a row are given up."""
    world = _Desk()
    await world.hear(Verdict.SENDER)
    world.rows.after_next_read(lambda: world.rows.put("account", dict(world.rows.dump()["account"])))
    await world.hear(Verdict.ACCEPTED)
    assert await world.desk.epoch() == 2

    await world.hear(Verdict.SENDER)
    for _ in range(3 * sender.TRIES_MAX):
        world.rows.after_next_read(lambda: world.rows.put("account", dict(world.rows.dump()["account"])))
    with pytest.raises(Contention):
        await world.hear(Verdict.ACCEPTED)


async def test_two_lanes_of_one_company_may_wait_at_once() -> None:
    """The second's waiting row is the first's."""
    world = _Desk(limits=SendingLimits(connections=1))
    await world.permit(A)
    waiting = await world.desk._waiting(UnixMs(world.now))
    assert waiting == {}
    world.rows.after_next_read(lambda: None)
    await world.ask(B)
    stored = (await world.desk._waiting(UnixMs(world.now)))[B]
    world.rows.after_next_read(lambda: world.rows.put("waiting:b", dict(world.rows.dump()["waiting:b"])))

    await world.desk._wait(stored)

    assert (await world.desk._waiting(UnixMs(world.now)))[B] == stored


@pytest.mark.parametrize("bad", [{A}, {A, B}, {B, C}])
async def test_bad_messages_end_and_good_ones_go_out(bad: set[CompanyId]) -> None:
    """
    The model's liveness, in time: each company has one message, those of *bad* are refused whenever they are tried.

    The good ones are accepted; the bad ones are held after two refusals that counted. C has always another one.
    """
    world, now = _Desk(), NOW
    mails: dict[CompanyId, Delivery] = {name: replace(READY, company=name) for name in (A, B, C)}
    for turn in range(200):
        world.now = now + turn * 60_000
        for name in (A, B, C):
            mails[name] = await _tried(world, name, mails[name], refused=name in bad)
            if name == C and mails[name].state is DeliveryState.SENT:
                mails[name] = replace(READY, company=C)

    assert {name for name in bad if mails[name].state is DeliveryState.HELD} == bad or C in bad
    assert all(mails[name].state is DeliveryState.SENT for name in {A, B} - bad)


async def _tried(world: _Desk, name: CompanyId, mail: Delivery, *, refused: bool) -> Delivery:
    """Try one company's message as the lane does: counted, admitted, claimed, refused or accepted."""
    mail = rules.count_refusal(mail, epoch=await world.desk.epoch())
    if mail.state is not DeliveryState.READY:
        return mail
    permit = await world.ask(name, mail.tried_ms)
    if isinstance(permit, NotNow):
        return mail
    outcome = _outcome(Verdict.SENDER if refused else Verdict.ACCEPTED)
    claimed = rules.claim(mail, "w", UnixMs(world.now))
    epoch = await world.desk.heard(outcome, name)
    await world.desk.leave(permit)
    return rules.record_outcome(claimed, outcome, UnixMs(world.now), epoch=epoch)
