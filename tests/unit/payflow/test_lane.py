"""A lane: who may run it, what it does in which order, how it ends, and when it runs next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest

from devstack.conta_azul.books import Books
from foundation.clock import UnixMs
from foundation.errors import Contention, StoreUnavailable, Transient
from foundation.tablestore.leases import Leases
from payflow import lane as lanes
from payflow.alarms import CATALOGUE
from payflow.conta_azul.answers import InstalmentPage
from payflow.conta_azul.routes import Search
from payflow.delivery import counting, rules
from payflow.documents.pdf import NotChecked
from payflow.errors import ApiRefused, ApiUnavailable, PlanBlocked, SendLogUnavailable, ServedElsewhere, Unauthorized
from payflow.lane import Ended, Lane
from payflow.ledger import listing
from payflow.ledger.lane import LaneLedger
from payflow.model import Account, BaixaId
from payflow.ports import ContaAzul
from payflow.progress import Cursor, Entry, due_entries
from payflow.state import Company, CompanyStatus, DeliveryState, Reason, Receipt, ReceiptState
from tests.fakes.conta_azul import BooksApi, Time
from tests.fakes.payflow import COMPANY, Book, a_company, a_delivery, a_receipt, an_instalment

INTERVAL_MS = 300_000


@dataclass
class Work:
    """Sends each receipt at once by default."""

    done: list[str] = field(default_factory=list)
    trouble: dict[str, Exception] = field(default_factory=dict)
    act: Callable[[Receipt], Receipt | None] = lambda receipt: replace(receipt, state=ReceiptState.SENT)

    async def advance(self, receipt: Receipt, company: Company, ledger: LaneLedger, api: ContaAzul) -> None:
        assert company.id
        assert api is not None
        self.done.append(receipt.baixa)
        if receipt.baixa in self.trouble:
            raise self.trouble[receipt.baixa]
        if after := self.act(receipt):
            await ledger.save(receipt, after)


@dataclass
class Told:
    """Alarms by code."""

    noted: list[str] = field(default_factory=list)
    details: list[tuple[str, str]] = field(default_factory=list)

    async def note(self, code: str, subject: str, detail: str) -> None:
        self.noted.append(code)
        self.details.append((subject, detail))


class Api(BooksApi):
    """A clinic's API that can be in trouble."""

    trouble: Exception | None = None

    async def account(self) -> Account:
        if self.trouble:
            raise self.trouble
        return await super().account()

    async def search(self, search: Search) -> InstalmentPage:
        if self.trouble:
            raise self.trouble
        return await super().search(search)


@dataclass
class World:
    """A clinic, its ledger, and a lane."""

    time: Time = field(default_factory=Time)
    book: Book = field(default_factory=Book)
    work: Work = field(default_factory=Work)
    told: Told = field(default_factory=Told)
    probes: int = 0

    def __post_init__(self) -> None:
        self.books = Books(self.time, company=COMPANY, document="12345678000195", name="Clínica")
        self.api = Api(self.books)

    @property
    def now(self) -> UnixMs:
        return UnixMs(int(self.time.now_s * 1000))

    async def probe(self, company: Company) -> Company:
        self.probes += 1
        return replace(company, route_family="eventos-financeiros", span_days=20_000)

    def lane(self, holder: str = "one") -> Lane:
        return Lane(
            ledger=self.book.lane,
            leases=Leases(self.book.company_rows, lambda: self.now),
            holder=holder,
            api_of=lambda _: self.api,
            probe=self.probe,
            work=self.work,
            alarms=self.told,
            clock=lambda: self.now,
            sleep=self.time.sleep,
            interval_ms=INTERVAL_MS,
        )

    async def run(self) -> Ended:
        return await self.lane().run()

    async def ready(self, **company: Any) -> World:
        """Store the company, its baseline done, and wake its lane."""
        stored = replace(a_company(), baseline_ms=UnixMs(self.now - 3_600_000), span_days=20_000, **company)
        await self.book.lane.write_company(stored)
        cursor = Cursor(upper_ms=self.now, all_changes_ms=self.now, paid_ms=self.now, check_ms=self.now)
        await self.book.lane.write_cursor(cursor)
        await self.book.entries.lower(COMPANY, self.now, CompanyStatus.ACTIVE)
        return self

    async def with_receipts(self, *baixas: str, due_in_ms: int = 0) -> World:
        for at, baixa in enumerate(baixas, start=1 - len(baixas)):
            receipt = a_receipt(baixa, due_ms=UnixMs(self.now + due_in_ms + at))
            await self.book.lane.add(None, an_instalment(f"p-{baixa}"), [receipt], [])
        return self

    async def receipt(self, baixa: str) -> Receipt:
        found = await self.book.lane.receipt(BaixaId(baixa))
        assert found is not None
        return found

    async def status(self) -> CompanyStatus:
        company = await self.book.lane.read_company()
        assert company is not None
        return company.status

    async def rests_ms(self) -> int:
        """Return how long the entry lets the lane rest."""
        (entry,) = await self.book.entries.all()
        return entry.next_due_ms - self.now


@pytest.fixture
async def world() -> World:
    """A clinic that is connected, with nothing to do."""
    return await World().ready()


async def test_nothing_to_do_rests_for_an_interval(world: World) -> None:
    """Never longer, whatever is open (R6)."""
    assert await world.run() is Ended.DONE
    assert await world.rests_ms() == INTERVAL_MS


async def test_while_every_company_is_held_a_lane_does_nothing(world: World) -> None:
    """It is asked under the lease: who waits for the lease to be free misses no lane that began before."""
    await world.with_receipts("b1")
    leases: list[str] = []

    async def held() -> bool:
        leases.extend(key for key in world.book.company_rows.dump() if key.startswith("lease:"))
        return True

    assert await replace(world.lane(), held=held).run() is Ended.RESTING
    assert (len(leases), world.work.done) == (1, [])
    assert await world.run() is Ended.DONE
    assert world.work.done == ["b1"]


async def test_a_send_log_that_is_away_is_an_alarm_and_no_receipts_fault(world: World) -> None:
    """Nothing is sent, nothing is counted, and the lane comes back in a minute."""
    await world.with_receipts("b1", "b2")
    world.work.trouble = {"b1": SendLogUnavailable("the send log does not answer")}

    for _ in range(6):
        assert await world.run() is Ended.LATER
        world.time.now_s += 60

    assert world.told.noted == ["send_log_unreachable"] * 6
    assert (await world.receipt("b1")).faults == 0


@pytest.mark.parametrize(
    ("waits", "hours", "code"),
    [
        ({"state": ReceiptState.READY, "reason": Reason.NO_RECIPIENT}, 0.9, None),
        ({"state": ReceiptState.READY, "reason": Reason.NO_RECIPIENT}, 1.1, "receipt_without_address"),
        ({"state": ReceiptState.WAITING_DOCUMENT}, 23, None),
        ({"state": ReceiptState.WAITING_DOCUMENT}, 25, "document_late"),
    ],
)
async def test_what_is_asked_for_in_vain_is_told(
    world: World, waits: dict[str, Any], hours: float, code: str | None
) -> None:
    """Its state waits for no person, and without a word none would come; it is active from one ask to the next."""
    receipt = a_receipt(found_ms=UnixMs(world.now - int(hours * 3_600_000)), due_ms=world.now, **waits)
    await world.book.lane.add(None, an_instalment(), [receipt], [])

    await world.run()

    assert world.told.noted == ([code] if code else [])
    if code:
        assert CATALOGUE.find(code).sighting_ms > {"document_late": 18, "receipt_without_address": 1}[code] * 3_600_000


async def test_a_booked_payment_is_found_and_worked_in_one_run(world: World) -> None:
    """The look, then its receipt."""
    world.time.now_s += 300
    payment = world.books.pay(world.books.bill(world.books.person("Ana"), 100_00, due=date(2026, 1, 10)))

    assert await world.run() is Ended.DONE
    assert world.work.done == [payment.id]


async def test_a_new_company_is_probed_and_gets_its_baseline() -> None:
    """Once."""
    world = await World().ready(route_family="")
    cursor = await world.book.lane.read_cursor()
    await world.book.lane.write_cursor(replace(cursor, upper_ms=UnixMs(0)))

    await world.run()
    await world.run()

    assert world.probes == 1
    assert (await world.book.lane.read_cursor()).upper_ms == world.now


async def test_one_instance_runs_it(world: World) -> None:
    """Another instance and another message of the same one leave at once; the lease is given back at the end."""
    await world.with_receipts("b1")

    one = world.lane("one")
    ended = await asyncio.gather(one.run(), one.run(), world.lane("two").run())

    assert sorted(ended) == [Ended.BUSY, Ended.BUSY, Ended.DONE]
    assert world.work.done == ["b1"]
    assert await world.lane("two").run() is Ended.DONE


async def test_the_longest_due_is_first_and_all_are_done(world: World) -> None:
    """More than one batch."""
    names = [f"b{at:02d}" for at in range(25)]
    for late, name in enumerate(reversed(names)):
        await world.with_receipts(name, due_in_ms=-late)

    await world.run()

    assert world.work.done == names


async def test_what_is_due_soon_is_waited_for(world: World) -> None:
    """A document is asked for after fifteen seconds: no message carries a delay."""
    await world.with_receipts("b1", due_in_ms=15_000)

    assert await world.run() is Ended.DONE
    assert world.work.done == ["b1"]
    assert world.time.slept == [15.0]


async def test_what_is_due_later_is_what_the_entry_says(world: World) -> None:
    """Within the interval."""
    await world.with_receipts("b1", due_in_ms=100_000)

    await world.run()

    assert world.work.done == []
    assert await world.rests_ms() == 100_000


@pytest.mark.parametrize(
    "status", [CompanyStatus.PAUSED, CompanyStatus.CONFIRM, CompanyStatus.DISCONNECTED, CompanyStatus.BLOCKED_PLAN]
)
async def test_a_company_that_may_not_is_left_alone(status: CompanyStatus) -> None:
    """Nothing is asked and nothing sent; its entry is looked at again after an interval."""
    world = await World().ready(status=status, status_ms=UnixMs(World().now))
    await world.with_receipts("b1")

    assert await world.run() is Ended.RESTING
    assert (world.work.done, world.api.asked) == ([], {})
    assert await world.rests_ms() == INTERVAL_MS


async def test_without_a_company_nothing_happens() -> None:
    """A message that is older than a purge."""
    world = World()

    assert await world.run() is Ended.RESTING


async def test_a_blocked_plan_is_told_and_asked_again_each_hour(world: World) -> None:
    """One alarm, and it comes back by itself."""
    world.time.now_s += 300
    world.api.trouble = PlanBlocked()
    assert await world.run() is Ended.RESTING
    assert await world.status() is CompanyStatus.BLOCKED_PLAN

    world.time.now_s += 3600
    assert await world.run() is Ended.RESTING
    world.api.trouble = None
    world.time.now_s += 3600
    assert await world.run() is Ended.DONE

    assert await world.status() is CompanyStatus.ACTIVE
    assert world.told.noted == ["blocked_plan", "blocked_plan"]


@pytest.mark.parametrize(("trouble", "code"), [(Unauthorized(), "needs_reconnect"), (ApiRefused(), "api_refused")])
async def test_what_a_person_must_mend_is_told(world: World, trouble: Exception, code: str) -> None:
    """As often as it is seen; the register tells it once."""
    world.time.now_s += 300
    world.api.trouble = trouble

    assert await world.run() is Ended.RESTING
    assert world.told.noted == [code]


async def test_an_api_that_is_away_is_tried_in_a_minute(world: World) -> None:
    """No alarm for that; the cursor stays."""
    world.time.now_s += 300
    world.api.trouble = ApiUnavailable()

    assert await world.run() is Ended.LATER
    assert await world.rests_ms() == 60_000


async def test_a_receipt_that_fails_does_not_stop_the_others(world: World) -> None:
    """Five unexpected errors, then a person."""
    await world.with_receipts("b1", "b2")
    world.work.trouble["b1"] = ValueError("what")

    for _ in range(counting.FAULTS_MAX):
        await world.run()
        world.time.now_s += 600

    bad = await world.receipt("b1")
    assert (bad.state, bad.reason, bad.faults) == (ReceiptState.HELD, Reason.INTERNAL, 5)
    assert (await world.receipt("b2")).state is ReceiptState.SENT
    assert world.told.noted == ["receipt_internal"]


async def test_a_receipt_that_does_not_move_is_a_fault(world: World) -> None:
    """Else the lane would turn on the spot."""
    await world.with_receipts("b1")
    world.work.act = lambda _: None

    await world.run()

    assert world.work.done == ["b1"]
    assert (await world.receipt("b1")).faults == 1


async def test_one_receipt_without_an_answer_waits_a_minute(world: World) -> None:
    """The others go on; three in a row are the API."""
    await world.with_receipts("b1", "b2")
    world.work.trouble["b1"] = ApiUnavailable()
    assert await world.run() is Ended.DONE
    assert world.work.done == ["b1", "b2"]
    assert (await world.receipt("b2")).state is ReceiptState.SENT

    await world.with_receipts("b3", "b4", "b5")
    world.work.trouble |= {name: ApiUnavailable() for name in ("b3", "b4", "b5")}
    assert await world.run() is Ended.LATER


async def test_a_receipt_that_another_worker_moved_is_left(world: World) -> None:
    """Contention is nobody's fault."""
    await world.with_receipts("b1")

    def taken(receipt: Receipt) -> None:
        values = {**world.book.company_rows.dump()[f"receipt:{world.book.lane.name(receipt.baixa)}"]}
        world.book.company_rows.put(f"receipt:{world.book.lane.name(receipt.baixa)}", values)

    world.work.act = taken
    world.work.trouble["b1"] = Contention()
    await world.run()

    assert (await world.receipt("b1")).faults in (0, 1)


async def test_an_answer_that_came_too_late_puts_nothing_off(world: World) -> None:
    """Another worker moved the receipt on while Conta Azul was silent: that is what is true."""
    await world.with_receipts("b1")
    key = f"receipt:{world.book.lane.name(BaixaId('b1'))}"

    def moved_and_silent(_receipt: Receipt) -> None:
        world.book.company_rows.put(key, world.book.company_rows.dump()[key])
        raise ApiUnavailable

    world.work.act = moved_and_silent
    await world.lane()._advance(await world.receipt("b1"), a_company(), world.api, lanes._Run(until_ms=world.now))

    assert (await world.receipt("b1")).due_ms == world.now


async def test_a_temporary_failure_ends_the_run(world: World) -> None:
    """The ledger, the send log or the mail server is away: nobody's receipt is blamed."""
    await world.with_receipts("b1", "b2")
    world.work.trouble["b1"] = Transient()

    assert await world.run() is Ended.LATER
    assert world.work.done == ["b1"]
    assert (await world.receipt("b1")).faults == 0


async def sending(world: World, **mail: Any) -> Receipt:
    """Store that the receipt b1 is being sent, with its mail."""
    await world.with_receipts("b1")
    lane, receipt = world.book.lane, await world.receipt("b1")
    delivery = a_delivery(**{"due_ms": world.now, **mail})
    return await lane.save(
        receipt, replace(receipt, state=ReceiptState.SENDING), also=lambda write: lane.put_delivery(write, delivery)
    )


async def test_a_mail_on_its_way_is_not_counted(world: World) -> None:
    """Its deadline judges it, and the lane does not turn on the spot until then."""
    deadline = UnixMs(world.now + 300_000)
    await sending(world, state=DeliveryState.SENDING, attempt_deadline_ms=deadline)
    world.work.act = lambda _: None

    lane = world.lane()
    await lane._count(await world.receipt("b1"))
    await lane._count(a_receipt("nobody"))

    left = await world.receipt("b1")
    assert (left.faults, left.due_ms) == (0, deadline + rules.GRACE_MS + 1)

    world.time.now_s += 3_600
    await lane._count(left)
    assert (await world.receipt("b1")).due_ms == world.now + lanes.RETRY_MS


async def test_a_mail_that_cannot_be_tried_is_held_with_an_alarm(world: World) -> None:
    """Five errors before the claim; then nobody can claim it, and a person's release makes it anew."""
    receipt = await sending(world)
    sent = a_delivery(number=2, state=DeliveryState.SENT, due_ms=world.now)
    await world.book.lane.save(receipt, receipt, also=lambda write: world.book.lane.put_delivery(write, sent))
    world.work.trouble["b1"] = NotChecked()

    for _ in range(counting.FAULTS_MAX):
        await world.run()
        world.time.now_s += 600

    held = await world.receipt("b1")
    assert (held.state, held.reason, world.work.done) == (ReceiptState.HELD, Reason.INTERNAL, ["b1"] * 5)
    assert world.told.noted == ["receipt_internal"]
    mails = await world.book.lane.deliveries(held.baixa)
    assert [mail.state for mail in mails] == [DeliveryState.CANCELLED, DeliveryState.SENT]


async def test_what_has_ended_is_not_counted(world: World) -> None:
    """An error after the last word changes nothing that is known."""
    await world.with_receipts("b1")
    receipt = await world.receipt("b1")
    await world.book.lane.save(receipt, replace(receipt, state=ReceiptState.SENT))

    await world.lane()._count(await world.receipt("b1"))

    assert (await world.receipt("b1")).faults == 0


async def test_a_fault_that_meets_another_worker_is_not_counted(world: World) -> None:
    """That one has moved the receipt on."""
    await world.with_receipts("b1")
    key = f"receipt:{world.book.lane.name(BaixaId('b1'))}"
    values = world.book.company_rows.dump()[key]
    world.book.company_rows.after_next_read(lambda: world.book.company_rows.put(key, values))

    await world.lane()._count(await world.receipt("b1"))
    world.book.company_rows.after_next_read(lambda: world.book.company_rows.put(key, values))
    await world.lane()._count(a_receipt("b1"))

    assert (await world.receipt("b1")).faults in (0, 1)


async def test_when_time_is_up_the_lane_stops_between_two_receipts(world: World) -> None:
    """And is woken again at once."""
    await world.with_receipts("b1", "b2", "b3")

    def slow(receipt: Receipt) -> Receipt:
        world.time.now_s += 100
        return replace(receipt, state=ReceiptState.SENT)

    world.work.act = slow

    assert await world.run() is Ended.TIME
    assert world.work.done == ["b1", "b2"]
    assert await world.rests_ms() <= 0


async def test_a_lost_lease_stops_the_lane(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another instance has taken it: the heartbeat says so."""
    monkeypatch.setattr(lanes, "HEARTBEAT_S", 0.0)
    await world.with_receipts("b1", "b2")

    class _Slow(Work):
        async def advance(self, receipt: Receipt, company: Company, ledger: LaneLedger, api: ContaAzul) -> None:
            lease = await Leases(world.book.company_rows, lambda: world.now).find(f"lane:{COMPANY}")
            assert lease is not None
            stolen = {**world.book.company_rows.dump()[f"lease:lane:{COMPANY}"], "holder": "two"}
            world.book.company_rows.put(f"lease:lane:{COMPANY}", stolen)
            for _ in range(50):
                await asyncio.sleep(0)
            await super().advance(receipt, company, ledger, api)

    world.work = _Slow()
    assert await world.run() is Ended.TIME
    assert world.work.done == ["b1"]


async def test_a_heartbeat_survives_a_ledger_that_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tries again; the lease is only advice."""
    monkeypatch.setattr(lanes, "HEARTBEAT_S", 0.0)
    leases = Leases(world.book.company_rows, lambda: world.now)
    lease = await leases.acquire("x", "one", ttl_ms=1000)
    assert lease is not None
    world.book.company_rows.go_down()
    run = lanes._Run(until_ms=world.now)
    beat = asyncio.ensure_future(world.lane()._beat(lease, run))
    for _ in range(20):
        await asyncio.sleep(0)

    assert not run.lost
    beat.cancel()


async def test_a_ledger_that_is_away_is_no_answer(world: World) -> None:
    """The message is done again by the host."""
    world.book.company_rows.go_down()

    with pytest.raises(StoreUnavailable):
        await world.run()


async def test_a_look_leaves_time_to_the_receipts(world: World) -> None:
    """An import of years: half of the lane's time."""
    world.time.now_s += 300
    await world.with_receipts("b0")
    for _ in range(6):
        world.books.pay(world.books.bill(world.books.person("Ana"), 100_00, due=date(2026, 1, 10)))
    world.api.before_page = lambda _: world.time.__setattr__("now_s", world.time.now_s + 130)

    assert await world.run() is not Ended.BUSY
    assert "b0" in world.work.done


async def test_what_cannot_be_read_again_and_again_is_told(world: World) -> None:
    """Five readings, then an alarm with the instalment's name."""
    payment = world.books.pay(world.books.bill(world.books.person("Ana"), 100_00, due=date(2026, 1, 10)))
    world.api.broken.add(payment.parcela)
    for _ in range(6):
        world.time.now_s += 300
        await world.run()

    assert "instalment_unreadable" in world.told.noted


async def test_a_list_that_never_rests_is_told(world: World) -> None:
    """Three passes with something new each."""
    world.time.now_s += 300
    world.api.before_page = lambda _: world.books.pay(
        world.books.bill(world.books.person("Ana"), 100_00, due=date(2026, 1, 10))
    )

    await world.run()

    assert "look_unsettled" in world.told.noted


async def test_a_written_entry_keeps_the_lane_awake(world: World) -> None:
    """Somebody wrote something due while the lane looked for the last time."""
    values = world.book.entry_rows.dump()[COMPANY]
    world.book.entry_rows.after_next_read(lambda: world.book.entry_rows.put(COMPANY, values))

    await world.run()

    assert await world.rests_ms() <= 0


def test_the_timer_wakes_the_longest_due_first() -> None:
    """And nobody who rests."""
    entries = [
        Entry(company=COMPANY, next_due_ms=UnixMs(at), status=CompanyStatus.ACTIVE) for at in (300, 100, 200, 900)
    ]

    assert [entry.next_due_ms for entry in due_entries(entries, UnixMs(300))] == [100, 200, 300]


async def test_a_company_of_another_deployment_rests(world: World) -> None:
    """At the first mail that the log refuses: nothing more is looked for, and the entry says so to the timer."""
    await world.with_receipts("b1")
    world.work.trouble["b1"] = ServedElsewhere("https://other.example/oauth/callback")

    assert await world.run() is Ended.RESTING
    assert await world.status() is CompanyStatus.ELSEWHERE
    (entry,) = await world.book.entries.all()
    assert entry.status is CompanyStatus.ELSEWHERE
    assert await world.run() is Ended.RESTING
    assert world.work.done == ["b1"]


async def test_the_nightly_check_lists_receipts_of_a_version_before() -> None:
    """Once: from then on each receipt is listed in the group that creates it."""
    world = await World().ready()
    cursor = await world.book.lane.read_cursor()
    await world.book.lane.write_cursor(replace(cursor, check_ms=UnixMs(1)))
    assert not await listing.is_whole(world.book.lane)

    assert await world.lane().run() is Ended.DONE

    assert await listing.is_whole(world.book.lane)
