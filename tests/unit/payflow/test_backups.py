"""Each company has its backup of the day in the second account, by São Paulo's clock."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from foundation.backup import manifest
from foundation.backup.ports import NoBackup
from foundation.clock import UnixMs
from foundation.errors import Rejected, StoreUnavailable
from payflow import backups
from payflow.backups import Backups, backup_is_due
from payflow.installation import Installation
from payflow.ledger import keys, schema
from payflow.ledger.backup import LEFT_OUT
from payflow.state import CompanyStatus
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.clock import FrozenClock
from tests.fakes.payflow import COMPANY, a_company, a_delivery, a_receipt, an_instalment
from tests.unit.payflow.test_installation import OTHER, Account, installed

DAY_MS = 86_400_000


def at(text: str) -> UnixMs:
    """Return a moment of UTC."""
    return UnixMs(int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000))


@pytest.fixture
def clock() -> FrozenClock:
    """Noon in São Paulo."""
    return FrozenClock(at("2026-11-29T15:00:00"))


async def two_companies() -> tuple[Installation, Account]:
    """Return an installation of two companies with a receipt and a mail each."""
    base, ledger, _ = await installed()
    ledger.rows.put("identity", {"ledger_id": base.identity.ledger_id})
    ledger.rows.put("schema", {"level": schema.LEVEL})
    for company in (COMPANY, OTHER):
        lane = base.lane(company)
        await lane.write_company(a_company(id=company))
        await lane.entries.lower(company, UnixMs(0), CompanyStatus.ACTIVE)
        await lane.add(None, an_instalment(), [a_receipt(company=company)], [])
        await lane.write_delivery(a_delivery(company=company))
    return base, ledger


async def test_a_backup_comes_back_as_it_was_taken(clock: FrozenClock) -> None:
    """Its rows but for the index, whose they are, and the row of whose ledger it is."""
    base, ledger = await two_companies()
    store = MemoryBlobs()
    kept = await Backups(base=base, store=store, clock=clock).run(COMPANY)

    found = await backups.load_backup(store, kept.name)

    rows = ledger.rows_of(COMPANY).dump()
    assert (found.company, found.ledger_id, found.began_ms) == (COMPANY, base.identity.ledger_id, kept.begun_ms)
    assert found.identity == {"ledger_id": base.identity.ledger_id}
    assert found.rows == {key: values for key, values in rows.items() if not key.startswith((*LEFT_OUT, keys.BACKUP))}
    assert "receipt" in kept.counts["company"]
    assert rows[keys.BACKUP]["at_ms"] == kept.begun_ms


async def test_each_company_has_one_a_day_and_seven_days_are_kept(clock: FrozenClock) -> None:
    """By a clock that goes on hour by hour for nine days; the hour is two in the morning in São Paulo."""
    base, _ = await two_companies()
    use_case = Backups(base=base, store=MemoryBlobs(), clock=clock)
    hours = list[int]()
    for _ in range(9 * 24):
        if await use_case.run_due():
            hours.append(clock() // 3_600_000 % 24)
        clock.advance(3_600_000)

    assert hours == [15] + [5] * 9  # at once on the first day; 05:00 UTC is 02:00 there
    for company in (COMPANY, OTHER):
        assert len(await manifest.backup_names(use_case.store, use_case.prefix(company))) == 8


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        ("2026-11-28T05:00:40", "2026-11-29T04:59:59", False),
        ("2026-11-28T05:00:40", "2026-11-29T05:00:00", True),
        ("2026-11-29T05:00:40", "2026-11-29T23:59:59", False),
        ("2018-12-01T03:59:59", "2018-12-01T04:00:00", True),  # summer time: 02:00 was 04:00 UTC
        ("2018-12-01T04:00:40", "2018-12-01T05:00:40", False),
        ("2026-11-29T12:00:40", "2026-11-29T12:00:00", False),  # a little ahead: another machine's clock
        ("2027-11-29T12:00:00", "2026-11-29T12:00:00", True),
    ],
)
def test_it_is_due_once_two_in_the_morning_has_passed_in_sao_paulo(last: str, now: str, due: bool) -> None:
    """Whatever the country's law says of summer; `backup` on a machine whose clock was a year ahead stops none."""
    assert backup_is_due(at(last), at(now)) is due


async def test_one_companys_trouble_keeps_no_other_from_its_backup(
    clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A restore of one is under way; it is logged, and its age is the alarm. Of a company at rest there is none."""
    base, ledger = await two_companies()
    ledger.rows_of(COMPANY).put(keys.RESTORING, {})
    use_case = Backups(base=base, store=MemoryBlobs(), clock=clock)
    caplog.set_level(logging.INFO)

    made = await use_case.run_due()

    assert [kept.name.split("/")[2] for kept in made] == [OTHER]
    assert "restore of this company is under way" in caplog.text
    clock.advance(DAY_MS)
    for company in (COMPANY, OTHER):
        await base.entries.lower(company, UnixMs(0), CompanyStatus.DISCONNECTED)
    assert await use_case.run_due() == []


async def test_a_company_whose_last_backup_cannot_be_read_has_one_now(clock: FrozenClock) -> None:
    """It is the first of the two: the other one has its own as well."""
    base, ledger = await two_companies()
    ledger.rows_of(COMPANY).put(keys.BACKUP, {"at_ms": "yesterday"})

    made = await Backups(base=base, store=MemoryBlobs(), clock=clock).run_due()

    assert sorted(kept.name.split("/")[2] for kept in made) == sorted([COMPANY, OTHER])
    assert ledger.rows_of(COMPANY).dump()[keys.BACKUP]["at_ms"] == clock()


async def test_an_account_that_is_away_leaves_the_backup_of_before(clock: FrozenClock) -> None:
    """And it is tried again by the next hour."""
    base, _ = await two_companies()
    store = MemoryBlobs()
    use_case = Backups(base=base, store=store, clock=clock)
    kept = await use_case.run(COMPANY)
    clock.advance(DAY_MS)
    store.down_after = 0
    with pytest.raises(StoreUnavailable):
        await use_case.run(COMPANY)
    assert await use_case.run_due() == []
    assert await manifest.backup_names(store, use_case.prefix(COMPANY)) == [kept.name]
    store.down_after = None
    assert len(await use_case.run_due()) == 2


async def test_a_restore_that_begins_meanwhile_makes_the_copy_none(clock: FrozenClock) -> None:
    """Its rows are half those of an older one."""
    base, ledger = await two_companies()
    rows = ledger.rows_of(COMPANY)

    class Restored(MemoryBlobs):
        async def put(self, name: str, body: bytes) -> None:
            rows.put(keys.RESTORING, {})
            await super().put(name, body)

    store = Restored()
    with pytest.raises(Rejected, match="under way"):
        await Backups(base=base, store=store, clock=clock).run(COMPANY)
    assert await manifest.backup_names(store, "") == []
    assert await rows.get(keys.BACKUP) is None


async def test_a_backup_of_a_newer_schema_or_another_app_is_refused(clock: FrozenClock) -> None:
    """Before anything is put back."""
    base, _ = await two_companies()
    store = MemoryBlobs()
    kept = await Backups(base=base, store=store, clock=clock).run(COMPANY)
    newer = replace(kept, source=replace(kept.source, schema=schema.LEVEL + 1))
    store.blobs[manifest.manifest_name(kept.name)] = manifest.manifest_text(newer)
    with pytest.raises(NoBackup, match="has the schema"):
        await backups.load_backup(store, kept.name)
    other = replace(kept, source=replace(kept.source, app="distributor"))
    store.blobs[manifest.manifest_name(kept.name)] = manifest.manifest_text(other)
    with pytest.raises(NoBackup, match="of the app distributor"):
        await backups.load_backup(store, kept.name)
