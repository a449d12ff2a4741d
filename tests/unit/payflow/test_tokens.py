"""The rotating token: renewed by one worker, lost by none, given up only when it is really dead."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field, replace

import pytest

from foundation.clock import UnixMs
from foundation.errors import ConfigurationError, Contention, StoreUnavailable
from foundation.tablestore.memory import MemoryRows
from payflow.connect import grants
from payflow.connect.grants import Grant, InvalidGrant
from payflow.connect.tokens import BELIEVED_MS, MARK_MS, RENEW_MS, Tokens
from payflow.connection import Token
from payflow.errors import ApiUnavailable, Unauthorized, UnreadableAnswer
from payflow.state import CompanyStatus
from tests.fakes.payflow import NOW, Book, a_company


@dataclass
class Server:
    """An authorization server whose refresh tokens rotate: ``r1`` is answered with ``r2``, and is dead."""

    alive: int = 1
    grace: bool = False
    asked: list[str] = field(default_factory=list)
    lose: int = 0
    """So many answers are lost after the server has done it."""
    refuse: bool = False
    down: bool = False
    """It answers 503 and does nothing."""
    issued: int = 1

    async def exchange(self, code: str) -> Grant:
        raise NotImplementedError(code)

    async def refresh(self, token: str) -> Grant:
        self.asked.append(token)
        await asyncio.sleep(0)
        if self.down:
            raise ApiUnavailable
        if self.refuse or not self._takes(token):
            raise InvalidGrant
        self.issued += 1
        self.alive = self.issued
        await asyncio.sleep(0)
        if self.lose:
            self.lose -= 1
            raise ApiUnavailable
        return Grant(access=f"a{self.alive}", refresh=f"r{self.alive}", expires_s=3600)

    def _takes(self, token: str) -> bool:
        return token == f"r{self.alive}" or (self.grace and token == f"r{self.alive - 1}")


@dataclass
class World:
    """One company's ledger, its rescue, and the server."""

    book: Book = field(default_factory=Book)
    rescue: MemoryRows = field(default_factory=MemoryRows)
    server: Server = field(default_factory=Server)
    now: UnixMs = NOW
    told: list[str] = field(default_factory=list)

    def tokens(self) -> Tokens:
        """Return another worker's view."""
        return Tokens(self.book.lane, self.rescue, self.server, lambda: self.now, self.told.append)

    async def connected(self, *, left_ms: int = RENEW_MS) -> World:
        """Store the first token, and the company."""
        await self.book.lane.write_company(a_company())
        token = Token(generation=1, access="a1", refresh="r1", expires_ms=UnixMs(self.now + left_ms))
        self.book.company_rows.put("token", self.book.lane.codec.encode(token))
        return self

    async def token(self) -> Token:
        found = await self.book.lane.read_token()
        assert found is not None
        return found

    async def status(self) -> CompanyStatus:
        company = await self.book.lane.read_company()
        assert company is not None
        return company.status

    def put_rescue(self, generation: int, number: int) -> None:
        """Store a rescue, as a worker that died before it wrote the row."""
        token = Token(
            generation=generation, access=f"a{number}", refresh=f"r{number}", expires_ms=UnixMs(self.now + 3_600_000)
        )
        self.rescue.put("token", self.book.lane.codec.encode(token))


@pytest.fixture
async def world() -> World:
    """A company whose token is to be renewed."""
    return await World().connected()


async def test_a_token_with_time_left_is_used_as_it_is() -> None:
    """Nobody is asked, and the table once."""
    world = await World().connected(left_ms=RENEW_MS + 1)
    tokens = world.tokens()

    assert [await tokens.current(), await tokens.current()] == ["a1", "a1"]
    assert (world.server.asked, world.rescue.reads, world.book.company_rows.reads) == ([], 0, 2)


async def test_a_token_is_renewed_in_time(world: World) -> None:
    """Rescue and row hold the new one, a generation higher."""
    assert await world.tokens().current() == "a2"

    token = await world.token()
    assert (token.generation, token.refresh, token.refreshing) == (2, "r2", "")
    assert token.expires_ms == NOW + 3_600_000
    assert world.rescue.dump().keys() == {"token"}


async def test_ten_workers_ask_once(world: World) -> None:
    """The mark is written on the version that was read: one wins, the others use what is still good."""
    got = await asyncio.gather(*(world.tokens().current() for _ in range(10)))

    assert world.server.asked == ["r1"]
    assert set(got) <= {"a1", "a2"}


async def test_a_401_renews_once(world: World) -> None:
    """Another worker may have done it already."""
    assert await world.tokens().renewed("a0") == "a1"
    assert await world.tokens().renewed("a1") == "a2"
    assert await world.tokens().renewed("a1") == "a2"
    assert world.server.asked == ["r1"]


async def test_a_lost_answer_is_asked_for_again_at_once(world: World) -> None:
    """The old token's grace is short."""
    world.server.grace, world.server.lose = True, 1

    assert await world.tokens().renew() == "a3"
    assert world.server.asked == ["r1", "r1"]


async def test_two_lost_answers_leave_the_mark(world: World) -> None:
    """The access token is used while it lasts; then the stale mark is passed over."""
    world.server.grace, world.server.lose = True, 2
    assert await world.tokens().current() == "a1"
    assert (await world.token()).refreshing

    with pytest.raises(Contention):
        await world.tokens().renew()
    world.now = UnixMs(NOW + MARK_MS)
    world.server.alive = 1  # the grace still holds
    assert await world.tokens().renew() == "a4"


async def test_the_access_token_is_used_until_it_ends(world: World) -> None:
    """A server that is away costs nothing for half an hour."""
    world.server.down = True
    tokens = world.tokens()

    assert await tokens.current() == "a1"
    world.now = UnixMs(NOW + RENEW_MS - 1000)
    with pytest.raises(ApiUnavailable):
        await world.tokens().current()


async def test_invalid_grant_is_believed_the_second_time(world: World) -> None:
    """One alarm, and the row is as our own mark left it."""
    world.server.refuse = True
    with pytest.raises(ApiUnavailable):
        await world.tokens().renew()
    with pytest.raises(ApiUnavailable, match="a moment ago"):
        await world.tokens().renew()
    assert await world.status() is CompanyStatus.ACTIVE

    world.now = UnixMs(NOW + BELIEVED_MS)
    with pytest.raises(Unauthorized):
        await world.tokens().renew()

    assert await world.status() is CompanyStatus.NEEDS_RECONNECT
    assert (world.told, world.server.asked) == (["needs_reconnect"], ["r1", "r1"])
    assert await world.tokens().current() == "a1"
    with pytest.raises(Unauthorized):
        await world.tokens().renew()


async def test_a_server_error_is_no_invalid_grant(world: World) -> None:
    """However often: nobody is sent to sign in again."""
    world.server.down = True
    for minute in range(20):
        world.now = UnixMs(NOW + minute * MARK_MS)
        with pytest.raises(ApiUnavailable):
            await world.tokens().renew()

    assert await world.status() is CompanyStatus.ACTIVE


async def test_without_a_connection_there_is_no_token() -> None:
    """Nothing is asked."""
    world = World()

    with pytest.raises(Unauthorized):
        await world.tokens().current()
    assert await world.tokens().highest_generation() == 0


# Rescue ----------------------------------------------------------------------------------------------


async def test_a_rescue_of_a_higher_generation_is_taken(world: World) -> None:
    """A worker died between rescue and row; or the table was restored (R3-3, R3-4)."""
    world.server.alive = world.server.issued = 7
    world.put_rescue(5, 7)

    assert await world.tokens().current() == "a7"
    assert (await world.token()).generation == 5
    assert world.server.asked == []


async def test_a_rescue_of_a_lower_generation_is_not(world: World) -> None:
    """It is an old one."""
    world.put_rescue(1, 9)

    assert await world.tokens().current() == "a2"
    assert await world.tokens().highest_generation() == 2


async def test_a_rescue_ends_needs_reconnect(world: World) -> None:
    """Also while that is set (R3-5, R3-1)."""
    company = await world.book.lane.read_company()
    assert company is not None
    await world.book.lane.write_company(replace(company, status=CompanyStatus.NEEDS_RECONNECT))
    world.put_rescue(2, 2)

    assert await world.tokens().current() == "a2"
    assert await world.status() is CompanyStatus.ACTIVE


async def test_an_old_worker_refused_takes_the_new_one(world: World) -> None:
    """Its own token died because another renewed it: nobody needs to sign in."""
    slow = world.tokens()
    marked = await slow._mark(await world.token())
    world.now = UnixMs(NOW + MARK_MS)
    await world.tokens().renew()

    assert await slow._refused(marked) == "a2"
    assert await world.status() is CompanyStatus.ACTIVE


async def test_a_refusal_is_not_written_over_another_workers_mark(world: World) -> None:
    """The row is not as our own mark left it (R3-2)."""
    slow = world.tokens()
    marked = await slow._mark(await world.token())
    world.now = UnixMs(NOW + MARK_MS)
    await world.tokens()._mark(await world.token())

    with pytest.raises(Contention):
        await slow._refused(replace(marked, refused_ms=NOW))
    assert await world.status() is CompanyStatus.ACTIVE


async def test_a_new_token_is_saved_whatever_happened_to_the_row(world: World) -> None:
    """Given up by another meanwhile; a write in between each time (R3-1)."""
    values = world.book.company_rows.dump()["token"]
    for _ in range(3):
        world.book.company_rows.after_next_read(lambda: world.book.company_rows.put("token", values))

    token = await world.tokens().save(Grant(access="a2", refresh="r2", expires_s=60), above=1)

    assert (await world.token()).refresh == token.refresh == "r2"


async def test_a_row_that_never_rests_leaves_the_rescue(world: World) -> None:
    """The next worker takes it from there."""
    values = world.book.company_rows.dump()["token"]
    for _ in range(200):
        world.book.company_rows.after_next_read(lambda: world.book.company_rows.put("token", values))

    with pytest.raises(Contention):
        await world.tokens().save(Grant(access="a2", refresh="r2", expires_s=3600), above=1)
    world.book.company_rows._meanwhile.clear()
    world.server.alive = world.server.issued = 2
    assert await world.tokens().current() == "a2"


async def test_a_rescue_that_cannot_be_stored_is_told(world: World) -> None:
    """The row is written all the same: one copy is better than none."""
    tokens = world.tokens()
    await world.token()

    async def down(_: str) -> None:
        raise StoreUnavailable

    grant = Grant(access="a2", refresh="r2", expires_s=60)
    world.rescue.get = down  # type: ignore[method-assign, assignment]
    await tokens.save(grant, above=1)

    assert world.told == ["rescue_unreachable"]
    assert (await world.token()).generation == 2


async def test_a_contended_rescue_is_tried_again(world: World) -> None:
    """Two workers with a token each: the higher stays."""
    world.rescue.after_next_read(lambda: world.put_rescue(1, 1))
    tokens = world.tokens()
    await tokens.save(Grant(access="a9", refresh="r9", expires_s=60), above=4)
    await tokens._put_rescue(Token(generation=2, access="x", refresh="x", expires_ms=NOW))

    assert await world.tokens().highest_generation() == 5


async def test_a_rescue_that_is_always_contended_is_left(world: World) -> None:
    """Twenty tries, and then the row."""
    world.put_rescue(1, 1)
    for _ in range(200):
        world.rescue.after_next_read(lambda: world.put_rescue(1, 1))

    await world.tokens().save(Grant(access="a2", refresh="r2", expires_s=60), above=1)

    assert (await world.token()).generation == 2


async def test_a_company_that_is_gone_is_no_reason_to_fail() -> None:
    """The token's row is closed alone."""
    world = World()
    token = Token(generation=1, access="a1", refresh="r1", expires_ms=NOW, refused_ms=UnixMs(NOW - BELIEVED_MS))
    world.book.company_rows.put("token", world.book.lane.codec.encode(token))
    world.server.refuse = True

    with pytest.raises(Unauthorized):
        await world.tokens().renew()


@pytest.mark.parametrize("seed", range(150))
async def test_no_history_locks_a_clinic_out(seed: int) -> None:
    """
    Two workers, crashes at any await, lost answers, tokens given up and found again.

    Nobody is sent to sign in again while a good token is stored, and a good token is stored unless an answer was
    lost beyond the grace, or a worker died with it in hand.
    """
    chance = random.Random(seed)  # noqa: S311 -- a history, no secret
    world = await World().connected(left_ms=0)
    world.server.grace = chance.random() < 0.5
    died_in_hand = False
    for _ in range(chance.randint(2, 6)):
        world.server.lose = chance.choice([0, 0, 1, 2])
        before = world.server.issued
        workers = [asyncio.ensure_future(world.tokens().renew()) for _ in range(2)]
        for worker in workers:
            if chance.random() < 0.3:
                for _ in range(chance.randint(0, 40)):
                    await asyncio.sleep(0)
                worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        stored = {(await world.token()).refresh, await _rescued(world)}
        died_in_hand |= world.server.issued > before and f"r{world.server.alive}" not in stored
        world.now = UnixMs(world.now + chance.choice([1000, BELIEVED_MS, MARK_MS, 3_600_000]))

    world.server.lose = 0
    for _ in range(4):
        await asyncio.gather(world.tokens().renew(), return_exceptions=True)
        world.now = UnixMs(world.now + MARK_MS)
    good = f"r{world.server.alive}" in {(await world.token()).refresh, await _rescued(world)}

    assert good or died_in_hand
    assert not (good and await world.status() is CompanyStatus.NEEDS_RECONNECT)


async def _rescued(world: World) -> str:
    rescue = await world.tokens()._rescue()
    return rescue.refresh if rescue else ""


# What the server says --------------------------------------------------------------------------------

GOOD = {"access_token": "a", "refresh_token": "r", "expires_in": 3600, "token_type": "Bearer"}


def test_a_grant_is_read() -> None:
    """And never lives longer than a day for us."""
    assert grants.read_grant(200, json.dumps(GOOD).encode()) == Grant(access="a", refresh="r", expires_s=3600)
    assert grants.read_grant(200, json.dumps({**GOOD, "expires_in": 10**9}).encode()).expires_s == 86_400
    assert "access" not in repr(Grant(access="x", refresh="y", expires_s=1))


@pytest.mark.parametrize(
    ("status", "answer", "raised"),
    [
        (400, {"error": "invalid_grant"}, InvalidGrant),
        (401, {"error": "invalid_client"}, ConfigurationError),
        (400, {"error": "unauthorized_client"}, ConfigurationError),
        (400, {"error": "invalid_request"}, ApiUnavailable),
        (503, {}, ApiUnavailable),
        (200, [], UnreadableAnswer),
        (200, {**GOOD, "refresh_token": None}, UnreadableAnswer),
        (200, {**GOOD, "refresh_token": ""}, UnreadableAnswer),
        (200, {**GOOD, "access_token": 7}, UnreadableAnswer),
        (200, {**GOOD, "access_token": "a\n"}, UnreadableAnswer),
        (200, {**GOOD, "expires_in": "soon"}, UnreadableAnswer),
        (200, {**GOOD, "expires_in": 0}, UnreadableAnswer),
    ],
)
def test_what_is_no_grant_is_named(status: int, answer: object, raised: type[Exception]) -> None:
    """An answer without a token is a lost answer, not a token called None."""
    with pytest.raises(raised):
        grants.read_grant(status, json.dumps(answer).encode())
