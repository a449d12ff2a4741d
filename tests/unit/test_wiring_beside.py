"""What is built beside the payouts: lists, metrics, copies, erasures, all over one ledger and its tables."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator

import pytest

from distributor.recovery.purging import PurgeReport, Purging
from distributor.wiring import Container
from foundation.errors import ConfigurationError
from foundation.tablestore.azure_tables import TableRows
from tests.fakes.clock import FrozenClock
from tests.unit.test_wiring import GOOD

GUARD = "0x" + "44" * 20
SECOND_ACCOUNT = f"DefaultEndpointsProtocol=https;AccountName=second;AccountKey={b64encode(b'key').decode()}"
"""Nothing connects to it: a client asks nothing before its first request."""


@pytest.fixture
def environ() -> dict[str, str]:
    """Settings with a guard and a second account."""
    return GOOD | {"GUARD_ADDRESS": GUARD, "BACKUP_CONNECTION": "SECOND", "SECOND": SECOND_ACCOUNT}


@pytest.fixture
async def container(environ: dict[str, str], clock: FrozenClock) -> AsyncIterator[Container]:
    """A container on these settings, closed in the end."""
    own = Container(environ, clock=clock)
    yield own
    await own.aclose()


def table_of(rows: object) -> str:
    """Return the table that *rows* are in."""
    assert isinstance(rows, TableRows)
    return rows._client.table_name


async def test_all_that_reads_shares_one_ledger(container: Container) -> None:
    """What a shop reads, lists and pages of numbers, and the day's sorting of orders."""
    ledger, reading = await container.ledger(), await container.shop_reading()
    orders, metrics, indexing = (
        await container.order_list(),
        await container.metrics(),
        await container.order_indexing(),
    )

    assert reading.ledger is orders.ledger is metrics.ledger is indexing.ledger is ledger
    assert reading.authentication is (await container.intake()).authentication
    assert reading.status is await container.status()
    assert (metrics.chain_id, metrics.decimals, orders.decimals) == (137, 18, 18)


async def test_what_copies_and_erases_works_on_the_ledgers_own_tables(
    container: Container, environ: dict[str, str]
) -> None:
    """And keeps its copies and its journal in the second account, never in the ledger's own."""
    environ["RETENTION_DAYS"] = "1000"
    retention, names = await container.retention(), (await container.parts.tables()).names
    backup, purging = await container.ledger_backup(), await container.parts.purging()

    assert [table_of(each) for each in (retention.rows, backup.rows, purging.rows)] == [names[0]] * 3
    assert [table_of(each) for each in (retention.audit, backup.trail, purging.audit)] == [names[1]] * 3
    assert retention.days == 1000
    assert await backup.open_store() is await container.parts.backups()
    assert purging.journal is await container.parts.purge_journal()


async def test_a_copy_in_the_ledgers_own_account_is_refused(environ: dict[str, str], clock: FrozenClock) -> None:
    """With that account both would be lost."""
    own = Container(environ | {"AzureWebJobsStorage": SECOND_ACCOUNT}, clock=clock)

    with pytest.raises(ConfigurationError, match="the ledger's own account"):
        await own.parts.backups()
    await own.aclose()


async def test_erasures_are_done_again_and_not_only_counted(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restore must not bring back what a person had erased."""
    asked = list[bool]()

    async def replay(_: Purging, *, apply: bool) -> PurgeReport:
        asked.append(apply)
        return PurgeReport()

    monkeypatch.setattr(Purging, "replay", replay)

    await container.parts.replay_purges()
    assert asked == [True]


async def test_the_guard_of_the_settings_is_paid_through(container: Container) -> None:
    """By distribution and by settlement, over one connection."""
    distribution, settlement = await container.payouts.distribution(), await container.payouts.settlement()

    assert distribution.lane.guard_way is not None
    assert distribution.lane.guard_way.address == GUARD
    assert distribution.lane.guard_way.guard is settlement.steps.guard_settling.guard is await container.parts.guard()
    assert distribution.lane.guard_way.adoption.ledger is distribution.ledger


async def test_without_an_address_a_sweep_says_nowhere_that_it_is_through(container: Container) -> None:
    """Nothing is asked and nothing is noted: the store that the settings name does not even answer here."""
    await container.heartbeat()

    assert (await container.parts.heartbeat()).url == ""
    assert not container.platform_signs_in()


async def test_the_past_and_new_heads_are_asked_over_connections_of_their_own(container: Container) -> None:
    """They are closed with the container."""
    assert await container.parts.history() is await container.parts.history()
    assert callable((await container.parts.new_heads()).pause)


async def test_a_wrong_age_is_no_reason_to_look_at_nothing(container: Container, environ: dict[str, str]) -> None:
    """The sweep goes by the usual ages meanwhile; the wrong setting has an alarm of its own."""
    usual = await container.parts.ages()
    environ["ALARM_WAITING_S"] = "soon"

    assert await container.parts.ages() == usual


async def test_the_shops_secrets_of_this_moment_are_the_keyrings(container: Container) -> None:
    """Fingerprints are made of them."""
    assert await container.parts.shop_secrets() == (await container.parts.keyring()).secrets()


async def test_one_stand_in_of_a_process_looks_for_a_dead_sweep(container: Container) -> None:
    """It keeps when it looked last, so it must be the same at each message; what it sends with is built anew."""
    stand_in = await container.stand_in()

    assert stand_in is await container.stand_in()
    assert stand_in.alarm_sweep == container.alarm_sweep
