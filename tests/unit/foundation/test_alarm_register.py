"""Every active alarm is sent, even if killed or refused at each step between fact and message."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from foundation.alarms.catalogue import SHARED, TARGET_FAILING, AlarmKind, Catalogue, Severity, Text
from foundation.alarms.model import LOG, AlarmState, Fact, Message, Notification
from foundation.alarms.notifier import LEASE, Notifier, by_code
from foundation.alarms.register import NOTED_MS, Register
from foundation.alarms.repetition import DAY_MS, HOUR_MS
from foundation.alarms.targets import NotDelivered
from foundation.clock import UnixMs
from foundation.errors import Contention, InvariantBroken, StoreUnavailable
from foundation.tablestore.leases import Leases
from foundation.tablestore.memory import MemoryRows
from tests.fakes.clock import FrozenClock

MINUTE_MS = 60_000


def a_kind(code: str, severity: Severity = Severity.ERROR) -> AlarmKind:
    """Return a kind with the same words in both languages."""
    text = Text(summary=f"{code} happened.", action="Look.")
    return AlarmKind(code=code, severity=severity, texts={"en": text, "pt": text})


CATALOGUE = Catalogue(
    [
        *SHARED,
        a_kind("held"),
        a_kind("stuck", Severity.CRITICAL),
        a_kind("low", Severity.WARNING),
        replace(a_kind("paid"), event=True),
    ]
)


class Killed(BaseException):
    """The process ends here."""


class Inbox:
    """A target that takes, refuses, or kills its caller."""

    def __init__(self) -> None:
        self.posts: list[Sequence[Message]] = []
        self.troubles: list[BaseException | None] = []

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Take the messages, unless trouble is in line."""
        await asyncio.sleep(0)
        trouble = self.troubles.pop(0) if self.troubles else None
        if isinstance(trouble, NotDelivered):
            raise trouble
        self.posts.append(messages)
        if trouble:
            raise trouble

    @property
    def words(self) -> list[tuple[str, str]]:
        """What was said of everything but failing targets."""
        return [word for word in self.all_words if word[0] != TARGET_FAILING.code]

    @property
    def all_words(self) -> list[tuple[str, str]]:
        return [(message.kind.code, message.word.value) for post in self.posts for message in post]

    def first(self, code: str) -> Message:
        """Return the first message of *code*."""
        return next(message for post in self.posts for message in post if message.kind.code == code)


class World:
    """A table, a clock, a register, and an inbox."""

    def __init__(self) -> None:
        self.rows, self.clock, self.inbox = MemoryRows(), FrozenClock(), Inbox()
        self.register = Register(rows=self.rows, clock=self.clock, catalogue=CATALOGUE)

    def notifier(self, holder: str = "me") -> Notifier:
        return Notifier(register=self.register, targets={LOG: self.inbox}, holder=holder)

    def fact(self, code: str = "held", subject: str = "a:1") -> Fact:
        return Fact(code=code, subject=subject, detail="refused", since_ms=self.clock())

    async def look(self, *facts: Fact, minutes: int = 1) -> None:
        """Look each minute."""
        for _ in range(minutes):
            await self.notifier().run(facts)
            self.clock.advance(MINUTE_MS)


@pytest.fixture
def world() -> World:
    """No alarm is active."""
    return World()


async def test_all_that_is_due_is_one_post_the_worst_first(world: World) -> None:
    """Each code is one message: how many, and the oldest ten."""
    many = [world.fact("held", f"a:{number:04d}") for number in range(10_000)]

    await world.look(world.fact("low", ""), *many, world.fact("stuck", "nonce 7"))

    (post,) = world.inbox.posts
    assert [message.kind.code for message in post] == ["stuck", "held", "low"]
    held = post[1]
    assert (held.count, held.new, [fact.subject for fact in held.facts]) == (
        10_000,
        10_000,
        [f"a:{number:04d}" for number in range(10)],
    )


async def test_what_stands_is_told_hourly_and_when_it_ended(world: World) -> None:
    """The rows say what was sent; the id is another one each time."""
    fact = world.fact()
    await world.look(fact, minutes=61)
    await world.look(minutes=5)

    assert world.inbox.words == [("held", "stands"), ("held", "stands"), ("held", "ended")]
    assert len({message.id for post in world.inbox.posts for message in post}) == 3


@pytest.mark.parametrize("minutes", [1, 9, 20, 45, 59])
async def test_a_second_event_within_the_hour_is_told(world: World, minutes: int) -> None:
    """It is over before the hourly message; many at once are one message in ten minutes."""
    await world.register.note("paid", "a:1", "by 0x1")
    await world.look(minutes=minutes)
    await world.register.note("paid", "a:2", "by 0x2")
    await world.look(minutes=15)

    first, second = ([fact.subject for fact in post[0].facts] for post in world.inbox.posts)
    assert first == ["a:1"]
    assert second[-1] == "a:2"


async def test_an_event_that_was_refused_until_it_was_over_is_told_with_its_subject(world: World) -> None:
    """Not as over, which it always was, and about nothing."""
    world.inbox.troubles = [NotDelivered("429")] * 30

    await world.register.note("paid", "a:1", "by 0x1")
    await world.look(minutes=40)

    message = world.inbox.first("paid")
    assert (message.word, [fact.subject for fact in message.facts]) == (AlarmState.STANDS, ["a:1"])
    assert world.inbox.words == [("paid", "stands")]


async def test_a_row_of_the_register_that_cannot_be_read_silences_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A newer version wrote it, or somebody edited it: its code is sent again, and so is everything else."""
    await world.register.note("stuck", "nonce 7", "refused")
    await world.look(world.fact())
    for key in [key for key in world.rows.dump() if key.startswith(("told:", "alarm:"))]:
        world.rows.put(key, {"code": 7})

    await world.register.note("stuck", "nonce 7", "refused")
    await world.look(world.fact(), world.fact("low", ""))

    assert sorted(word for word, _ in world.inbox.words) == ["held", "held", "low", "stuck", "stuck"]
    assert "alarm_row_unreadable" in caplog.text
    assert await world.register.acknowledge("stuck", "ana")


async def test_a_fact_whose_row_cannot_be_read_is_told_and_ends(world: World) -> None:
    """Its key says what it was about; nobody has to remove the row."""
    world.rows.put("alarm:stuck:nonce%207", {"code": 7})

    await world.look(minutes=20)

    assert world.inbox.words == [("stuck", "stands"), ("stuck", "ended")]
    assert [fact.subject for fact in world.inbox.first("stuck").facts] == ["nonce 7"]
    assert await world.register.noted("stuck") != []
    world.rows.put("alarm:stuck:nonce%207", {"code": 7})
    assert await world.register.noted("stuck") == []


async def test_a_refused_delivery_stays_due(world: World) -> None:
    """Answered 429 at first: sent a minute later, under the same id, and not again before an hour."""
    world.inbox.troubles = [NotDelivered("429"), None]

    await world.look(world.fact(), minutes=10)

    assert world.inbox.words == [("held", "stands")]
    assert world.inbox.first("held").id.endswith(":1:stands")


async def test_killed_after_the_delivery_it_is_told_again_under_the_same_id(world: World) -> None:
    """At least once; the id shows that it is one telling."""
    world.inbox.troubles = [Killed()]
    with pytest.raises(Killed):
        await world.look(world.fact())
    world.clock.advance(2 * MINUTE_MS)

    await world.look(world.fact())

    first, second = world.inbox.posts
    assert first[0].id == second[0].id


async def test_killed_before_the_delivery_it_is_told(world: World) -> None:
    """The fact is a row; nobody need remember it."""
    world.rows.lose_next_answer(done=True)
    world.rows.go_down()
    with pytest.raises(StoreUnavailable):
        await world.notifier().run([world.fact()])
    world.rows.come_back()

    await world.look(world.fact(), minutes=3)

    assert world.inbox.words == [("held", "stands")]


async def test_killed_between_delivery_and_row_an_end_is_told_all_the_same(world: World) -> None:
    """Sent as active, the row lost, the fact gone: the end is sent, since the intent was stored first."""
    world.inbox.troubles = [Killed()]
    with pytest.raises(Killed):
        await world.look(world.fact())
    world.clock.advance(MINUTE_MS)

    await world.look(minutes=10)

    assert world.inbox.words[0] == ("held", "stands")
    assert world.inbox.words[-1] == ("held", "ended")


async def test_one_teller_at_a_time(world: World) -> None:
    """Another one's lease is respected."""
    await Leases(world.rows, world.clock).acquire(LEASE, "other", ttl_ms=30_000)

    assert await world.notifier().run([world.fact()]) == []
    assert world.inbox.posts == []


async def test_a_teller_that_outlived_its_lease_makes_the_row_due_again(world: World) -> None:
    """
    Its delivery may have been the last word, and an old one.

    1. One delivers "stands" slowly. Its lease ends.
    2. Another one tells meanwhile, and stores it.
    3. The first cannot store its own row, and so it is sent again: the last word is right.
    """
    world_fact = world.fact()

    class Slow(Inbox):
        async def deliver(self, messages: Sequence[Message]) -> None:
            world.clock.advance(2 * MINUTE_MS)
            await world.notifier("other").run([world_fact])
            await super().deliver(messages)

    slow = Slow()
    await Notifier(register=world.register, targets={LOG: slow}, holder="slow").run([world_fact])
    notification = (await world.register.notifications())["held"]
    assert (len(slow.posts), len(world.inbox.posts), notification.sending) == (1, 1, AlarmState.STANDS)

    await world.look(world_fact)
    assert world.inbox.words == [("held", "stands"), ("held", "stands")]


class Contended:
    """Stands in for ``Register.store``: loses the calls the test names."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *lost: int) -> None:
        self.calls, self.lost, self.real = 0, set(lost), Register.store

        async def store(register: Register, notification: Notification, target: str = LOG) -> Notification:
            return await self.store(register, notification, target)

        monkeypatch.setattr(Register, "store", store)

    async def store(self, register: Register, notification: Notification, target: str) -> Notification:
        """Store, unless this call is one to lose."""
        self.calls += 1
        if self.calls in self.lost:
            raise Contention
        return await self.real(register, notification, target)


async def test_a_row_that_another_teller_writes_first_is_left_to_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells."""
    Contended(monkeypatch, 1)

    assert await world.notifier().run([world.fact()]) == []
    assert world.inbox.posts == []


async def test_a_row_that_still_says_telling_is_due_already(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delivered, the row lost to another one that has begun to tell: nothing more to do."""
    contended = Contended(monkeypatch, 2)

    await world.look(world.fact())

    assert contended.calls == 2
    assert (await world.register.notifications())["held"].sending is AlarmState.STANDS


async def test_a_row_that_keeps_changing_is_given_up_aloud(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The others that write it tell; a line says so."""
    fact = world.fact()

    class Busy(Inbox):
        async def deliver(self, messages: Sequence[Message]) -> None:
            world.clock.advance(2 * MINUTE_MS)
            await world.notifier("other").run([fact])
            Contended(monkeypatch, 1, 2, 3, 4)
            await super().deliver(messages)

    await Notifier(register=world.register, targets={LOG: Busy()}, holder="slow").run([fact])

    assert "alarm_due_again_not_stored" in caplog.text


async def test_a_fact_without_a_row_of_its_own_is_noted_and_told(world: World) -> None:
    """As often as it is seen; since its first sighting; and forgotten a day after the last one."""
    since = world.clock()
    for _ in range(20):
        await world.register.note("stuck", "nonce 7/8", "fee 3")
        world.clock.advance(MINUTE_MS)

    (fact,) = await world.register.facts()
    assert (fact.subject, fact.detail, fact.since_ms) == ("nonce 7/8", "fee 3", since)
    assert "alarm:stuck:nonce%207%2F8" in world.rows.dump()
    world.clock.advance(HOUR_MS)
    assert await world.register.facts() == []
    await world.register.note("stuck", "nonce 7/8", "fee 3")
    assert (await world.register.facts())[0].since_ms == world.clock()
    world.clock.advance(DAY_MS)
    assert await world.register.facts() == []
    assert "alarm:stuck:nonce%207%2F8" not in world.rows.dump()


async def test_a_fact_seen_each_second_is_written_once_a_minute(world: World) -> None:
    """Unless it says something new."""
    await world.register.note("stuck", "", "fee 3")
    world.clock.advance(NOTED_MS - 1)
    await world.register.note("stuck", "", "fee 3")
    assert world.rows.commits == 1
    await world.register.note("stuck", "", "fee 4")
    assert world.rows.commits == 2


async def test_two_who_note_at_once_note_one_fact(world: World) -> None:
    """And neither fails; nor do two who forget at once."""
    await asyncio.gather(*(world.register.note("stuck", "", f"fee {fee}") for fee in range(4)))
    world.clock.advance(2 * DAY_MS)
    await asyncio.gather(world.register.facts(), world.register.facts())

    assert world.rows.dump() == {}


async def test_what_a_person_knows_is_told_daily_with_the_name(world: World) -> None:
    """Only while it is active."""
    assert not await world.register.acknowledge("held", "ana")
    fact = world.fact()
    await world.look(fact)
    assert await world.register.acknowledge("held", "ana")
    await world.look(fact, minutes=24 * 60)

    assert [message.seen_by for post in world.inbox.posts for message in post] == ["", "ana"]
    await world.look(minutes=5)
    assert not await world.register.acknowledge("held", "ana")


def test_an_unknown_code_is_shown_as_it_is() -> None:
    """A newer version wrote it."""
    kind = CATALOGUE.find("newer_code")

    assert (kind.severity, kind.anchor) == (Severity.ERROR, "newer_code")
    assert "newer_code" in kind.texts["pt"].summary
    assert CATALOGUE.codes == {"held", "stuck", "low", "paid", "alarm_target_failing", "alarm_test"}


def test_a_catalogue_is_whole() -> None:
    """Each code once, in both languages."""
    with pytest.raises(InvariantBroken, match="twice"):
        Catalogue([a_kind("a"), a_kind("a")])
    with pytest.raises(InvariantBroken, match="lacks a language"):
        Catalogue([AlarmKind(code="a", severity=Severity.ERROR, texts={"en": Text(summary="", action="")})])


def test_one_fact_from_two_rows_is_one_fact() -> None:
    """With the older since, and the detail one of them has."""
    twice = [
        Fact(code="b", subject="x", detail="", since_ms=UnixMs(5)),
        Fact(code="b", subject="x", detail="why", since_ms=UnixMs(7)),
    ]

    assert by_code(twice)["b"] == [Fact(code="b", subject="x", detail="why", since_ms=UnixMs(5))]


def test_facts_are_grouped_the_oldest_first() -> None:
    """By their code."""
    facts = [Fact(code="b", subject=str(at), detail="", since_ms=UnixMs(at)) for at in (3, 1, 2)]

    assert [fact.subject for fact in by_code(facts)["b"]] == ["1", "2", "3"]


@pytest.mark.parametrize("seed", range(15))
async def test_when_nothing_changes_any_more_the_last_word_is_the_fact(seed: int) -> None:
    """Two tellers, kills, refusals, and a fact that comes and goes: the model's property."""
    chance, world = random.Random(seed), World()  # noqa: S311 -- a story, no secret
    stands = False
    for _ in range(chance.randrange(5, 60)):
        stands = chance.random() < 0.5
        world.inbox.troubles = [chance.choice([None, None, Killed(), NotDelivered("429")])]
        seen = [world.fact()] if stands else []
        await asyncio.gather(*(world.notifier(name).run(seen) for name in ("a", "b")), return_exceptions=True)
        world.clock.advance(chance.choice([1_000, 61_000, 130_000, HOUR_MS]))
    world.inbox.troubles = []
    fact = world.fact()
    await world.look(*([fact] if stands else []), minutes=130)

    if world.inbox.words:
        assert world.inbox.words[-1] == ("held", "stands" if stands else "ended")
    else:
        assert not stands
