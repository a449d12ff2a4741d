"""How an office comes in: who gets a code, what it opens, and for how long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foundation.clock import UnixMs
from foundation.console.sessions import WHOLE_MS
from foundation.errors import Contention
from payflow.access import Access, Ask
from payflow.ledger.oauth import OAuthLedger, secret_digest
from payflow.model import CompanyId
from payflow.office.door import A_DAY, AGAIN_MS, AN_HOUR, ASKS_MAX, CODE_MS, HOUR_MS, TRIES_MAX
from payflow.state import Company, CompanyStatus
from tests.fakes.office import OfficeWorld
from tests.fakes.payflow import COMPANY

MINE, OTHER = "my browser", "another browser"


@pytest.fixture
async def world() -> OfficeWorld:
    """A company with a contact."""
    return await OfficeWorld().founded()


async def company_of(world: OfficeWorld) -> Company:
    """Return the company as the door sees it."""
    found = await world.door.company(COMPANY)
    assert found is not None
    return found


async def a_code(world: OfficeWorld, browser: str = MINE) -> str:
    """Ask for a code and return what was mailed."""
    assert await world.door.ask(COMPANY, browser)
    assert await world.door.mail_codes(COMPANY, world.post) == 1
    return world.codes[-1]


async def enters(world: OfficeWorld, code: str, browser: str = MINE) -> bool:
    """Say whether *code* opens the page for *browser*."""
    return await world.door.enter(await company_of(world), browser, code, "pt") is not None


async def test_a_code_opens_once(world: OfficeWorld) -> None:
    """Eight digits; the row holds a blind index of them; the second time it is nobody's."""
    code = await a_code(world)

    assert len(code) == 8
    assert code.isdecimal()
    assert code not in str(world.sign_ins.dump())
    assert await enters(world, code)
    assert not await enters(world, code)
    assert (await world.oauth.access(COMPANY)).asks == ()


async def test_of_two_posts_with_one_code_one_comes_in(world: OfficeWorld) -> None:
    """The row's version decides: the other one reads it again and finds the code used."""
    code, beside = await a_code(world), list[bool]()

    async def other() -> None:
        beside.append(await enters(world, code))

    real, once = world.oauth.rows.commit, [other]

    async def commit(group: object) -> object:
        if once:
            await once.pop()()
        return await real(group)  # type: ignore[arg-type]

    world.sign_ins.commit = commit  # type: ignore[assignment,method-assign]

    assert not await enters(world, code)
    assert beside == [True]


async def test_a_code_is_the_browsers_that_asked(world: OfficeWorld) -> None:
    """A stranger who reads it over a shoulder, or got it by a trick, has another cookie."""
    code = await a_code(world)

    assert not await enters(world, code, OTHER)
    assert not await enters(world, code, "")
    assert await enters(world, code)


async def test_two_browsers_have_a_code_each(world: OfficeWorld) -> None:
    """Who asks for one takes nobody's away; one more browser than fit ends the oldest ask."""
    mine = await a_code(world)
    theirs = await a_code(world, OTHER)

    assert not await enters(world, theirs)
    assert await enters(world, mine)
    for number in range(ASKS_MAX - 1):
        world.now = UnixMs(world.now + 1)
        assert await world.door.ask(COMPANY, f"browser {number}") == (number < AN_HOUR - 2)
    assert len((await world.oauth.access(COMPANY)).asks) == ASKS_MAX


async def test_a_code_ends_by_time(world: OfficeWorld) -> None:
    """Ten minutes after it was made."""
    code = await a_code(world)
    world.now = UnixMs(world.now + CODE_MS)

    assert not await enters(world, code)


async def test_an_ask_that_nobody_worked_ends_too(world: OfficeWorld) -> None:
    """A worker that wakes an hour later mails no code to nobody."""
    await world.door.ask(COMPANY, MINE)
    world.now = UnixMs(world.now + CODE_MS)

    assert await world.door.mail_codes(COMPANY, world.post) == 0
    assert world.codes == []


async def test_wrong_codes_are_counted(world: OfficeWorld) -> None:
    """After five the right one opens nothing either; a new one does."""
    code = await a_code(world)
    for _ in range(TRIES_MAX):
        assert not await enters(world, "00000000" if code != "00000000" else "11111111")
    assert not await enters(world, code)

    world.now = UnixMs(world.now + AGAIN_MS)
    assert await enters(world, await a_code(world))


async def test_the_mails_are_bounded(world: OfficeWorld) -> None:
    """One a minute for a browser, six an hour and twenty a day for a company, in total."""
    assert await world.door.ask(COMPANY, MINE)
    assert not await world.door.ask(COMPANY, MINE)
    asked = [await world.door.ask(COMPANY, f"browser {number}") for number in range(AN_HOUR)]
    assert asked == [True] * (AN_HOUR - 1) + [False]
    total = AN_HOUR
    for _ in range(22):
        world.now = UnixMs(world.now + HOUR_MS)
        total += sum([await world.door.ask(COMPANY, f"{world.now} {number}") for number in range(AN_HOUR)])
    assert total == A_DAY
    world.now = UnixMs(world.now + 2 * HOUR_MS)
    assert await world.door.ask(COMPANY, MINE)


@pytest.mark.parametrize("asked", ["nobody", "oauth", "companies", "", "../x", "a b", "a\n", "é"])
async def test_what_is_no_company_is_answered_as_one(world: OfficeWorld, asked: str) -> None:
    """Names of other partitions too: no row is read or written for them, and it takes as long."""
    before = world.sign_ins.dump()

    assert await world.door.company(asked) is None
    assert not await world.door.ask(asked, MINE)
    assert world.sign_ins.dump() == before
    assert world.slept_s == [1.0]


@pytest.mark.parametrize("changes", [{"contact": ""}, {"status": CompanyStatus.DISCONNECTED}])
async def test_without_a_contact_or_a_connection_there_is_no_page(changes: dict[str, object]) -> None:
    """Nobody could be mailed."""
    world = await OfficeWorld().founded(**changes)

    assert await world.door.company(COMPANY) is None
    assert await world.door.mail_codes(COMPANY, world.post) == 0


async def test_an_entry_without_a_company_is_none(world: OfficeWorld) -> None:
    """As a connection leaves it that was cut between the two."""
    await world.book.entries.lower(CompanyId("other"), world.now, CompanyStatus.CONFIRM)
    world.book.company_rows.remove("company")

    assert await world.door.company("other") is None


async def test_a_session_ends_with_the_contact_and_with_the_epoch(world: OfficeWorld) -> None:
    """And by time, and without the key that signed it; a rotated key still opens it."""
    company = await company_of(world)
    session = await world.door.enter(company, MINE, await a_code(world), "pt")
    assert session is not None
    cookie = (await world.door.sessions(company)).cookie(session)

    async def reads() -> bool:
        return (await world.door.sessions(await company_of(world))).read(cookie) is not None

    assert await reads()
    world.keys = ["n" * 64, "k" * 64]
    assert await reads()
    world.keys = ["n" * 64]
    assert not await reads()
    world.keys = ["k" * 64]
    access = await world.oauth.access(COMPANY)
    await world.oauth.write_access(COMPANY, Access(epoch=2, version=access.version))
    assert not await reads()
    await world.oauth.write_access(COMPANY, Access(version=(await world.oauth.access(COMPANY)).version))
    assert await reads()
    stored = await world.book.lane.read_company()
    assert stored is not None
    await world.book.lane.write_company(replace(stored, contact="novo@example.org"))
    assert not await reads()


async def test_a_session_ends_by_time(world: OfficeWorld) -> None:
    """Eight hours after it began, whatever its use."""
    company = await company_of(world)
    session = await world.door.enter(company, MINE, await a_code(world), "pt")
    assert session is not None
    world.now = UnixMs(world.now + WHOLE_MS + 1)
    cookie = (await world.door.sessions(company)).cookie(session)

    assert (await world.door.sessions(company)).read(cookie) is None


async def test_a_row_that_is_written_without_a_pause_is_not_waited_for(
    world: OfficeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five tries; the page then says that the service does not answer."""

    async def lost(*_: object) -> None:
        raise Contention("another was first")

    monkeypatch.setattr(OAuthLedger, "write_access", lost)

    with pytest.raises(Contention):
        await world.door.ask(COMPANY, MINE)


async def test_a_code_that_the_mail_server_refuses_is_not_counted(world: OfficeWorld) -> None:
    """The page says how long to wait; the person asks once more."""

    async def refuse(_company: Company, _code: str) -> bool:
        return False

    await world.door.ask(COMPANY, MINE)

    assert await world.door.mail_codes(COMPANY, refuse) == 0


def test_a_line_is_the_ask_that_was_written() -> None:
    """With and without a code."""
    bare = Ask(browser=secret_digest(MINE), asked_ms=UnixMs(1))
    made = Ask(browser=secret_digest(MINE), asked_ms=UnixMs(1), code="ab", expires_ms=UnixMs(2), tries=3)

    assert [Ask.of(one.line()) for one in (bare, made)] == [bare, made]
