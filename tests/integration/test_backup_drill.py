"""
The restore drill on real storage and a real node: yesterday's backup, today's webhooks and payments, then the loss.

Nothing is paid twice, and nothing is lost, without a guard and through one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import pytest

from devstack.contracts import Devchain
from devstack.servers import Azurite
from distributor.ledger import keys
from distributor.recovery.backup import prefix_of
from distributor.recovery.purging import PurgeReport
from distributor.resources import Resources
from distributor.wiring import Container
from foundation.backup import manifest
from foundation.blobs import Blobs
from foundation.errors import StoreUnavailable
from foundation.tablestore.azure_tables import TableRows
from foundation.tablestore.ports import RowWrite, Version
from tests.integration.test_commands import ONE_TOKEN, Desk
from tests.integration.test_runbook_page import blocks_pass, empty

T = TypeVar("T")


@pytest.fixture(params=["without guard", "through a guard"])
def desk(
    request: pytest.FixtureRequest,
    environ: dict[str, str],
    devchain: Devchain,
    azurite: Azurite,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    """A person with a ledger of this test's own, and an account for backups."""
    settings = {**environ, "BACKUP_STORAGE": azurite.connection_string}
    if request.param == "through a guard":
        settings["GUARD_ADDRESS"] = devchain.new_guard()
        devchain.revoke(devchain.deployment.operator)
        devchain.grant(settings["GUARD_ADDRESS"])  # type: ignore[arg-type]  # an address, as text
    own = Desk(settings, devchain, capsys)
    own.run("init", "--apply", "--new-beginning", "the chain is shared with other tests")
    return own


def test_nothing_is_paid_twice_and_nothing_is_lost(desk: Desk) -> None:
    """In the copy one order is paid, one in the pool, two wait, one is cancelled; today all move."""
    desk.pay("PAID")
    desk.send("CANCELLED")
    desk.do("cancel", "CANCELLED")
    desk.send("POOL")
    desk.drain()
    desk.do("pause")
    desk.send("WAITS", "LATER")
    kept = desk.ask("backup")
    assert desk.ask("show")["backup"] == {"name": kept["backup"], "begun": kept["begun"]}
    assert kept["counts"]["ledger"]["order"] == 5

    desk.do("cancel", "LATER")
    with blocks_pass(desk.devchain):
        desk.do("resume")
        desk.pay("WAITS", "TODAY")
    desk.send("CANCELLED-TODAY", "UNPAID-TODAY")

    empty(desk)
    look = desk.ask("restore", "--from", kept["backup"], "--why", "drill")
    assert (look["open_transactions"], look["rows"]) == (1, kept["rows"])
    restored = desk.do("restore", "--from", kept["backup"])
    assert (restored["open_transactions"], restored["unbound"], restored["unreadable"]) == (1, 1, [])

    # nothing is paid from it, by no command either, and a shop's order of yesterday is answered as known
    assert desk.send("PAID", "POOL", "UNPAID-TODAY") == ["paid", "received", "received"]
    desk.drain()
    assert desk.ask("show")["waiting"]["reason"] == "ledger_foreign"
    desk.do("resume", code=1)
    assert "no identity" in desk.story

    with blocks_pass(desk.devchain):
        rebuilt = desk.do("rebuild")
    assert rebuilt["ledger_id"] == look["ledger_id"]
    desk.run("audit-chain")
    assert desk.ask("show")["halted"] is not None
    assert desk.ask("verify")["disagreements"] == []
    desk.do("resume")

    again = desk.send("PAID", "POOL", "WAITS", "TODAY", "CANCELLED", "LATER", "UNPAID-TODAY", "CANCELLED-TODAY")
    assert again[:4] == ["paid"] * 4
    assert again[4] == "cancelled"
    assert again[5] == "cancelled"  # the trail of audits was not lost, and says so
    desk.drain()
    desk.settle()
    assert desk.payouts() == [ONE_TOKEN] * 6
    assert desk.send("UNPAID-TODAY", "CANCELLED-TODAY") == ["paid", "paid"]
    assert desk.ask("verify")["disagreements"] == []
    assert desk.ask("backup")["counts"]["ledger"]["order"] == 8


@pytest.mark.parametrize("desk", ["without guard"], indirect=True)
def test_a_backup_is_put_back_by_the_commands_of_its_page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Typed as they are written; then shops are answered, and an order that waited is paid.

    What was erased is erased again before the restore ends, and once more when the rebuild has found what was paid.
    """
    erased = list[bool]()
    replay = Resources.replay_purges

    async def replaying(self: Resources) -> PurgeReport:
        erased.append(await (await self.ledger()).identity() is None)
        return await replay(self)

    monkeypatch.setattr(Resources, "replay_purges", replaying)
    desk.pay("A-1")
    desk.send("A-2")
    kept = desk.ask("backup")
    desk.lose_the_ledger()

    with blocks_pass(desk.devchain):
        typed = desk.page("Put a backup back", {"NAME": kept["backup"]})

    assert typed == ["backup", "restore", "restore", "rebuild", "audit-chain", "resume"]
    assert erased == [True, False]
    assert desk.send("A-1") == ["paid"]
    desk.pay("A-2")
    assert desk.payouts() == [ONE_TOKEN] * 2


@pytest.mark.parametrize("desk", ["without guard"], indirect=True)
def test_a_backup_that_is_old_is_made_by_the_page_of_its_alarm(desk: Desk) -> None:
    """The command says what is in the way, until nothing is."""
    there = desk.environ.pop("BACKUP_STORAGE")
    desk.run("backup", code=2)
    assert "BACKUP_STORAGE is not set" in desk.story
    desk.environ["BACKUP_STORAGE"] = there
    desk.run("backup")
    assert desk.ask("show")["backup"] is not None


@pytest.mark.parametrize("desk", ["without guard"], indirect=True)
def test_the_audit_trail_comes_back_where_its_account_was_lost_too(desk: Desk) -> None:
    """What was cancelled before the backup stays cancelled after the rebuild, and shops' secrets have their shops."""
    desk.send("C-1")
    desk.do("cancel", "C-1")
    desk.pay("A-1")
    kept = desk.ask("backup")
    table = desk.environ["LEDGER_TABLE"] + "elsewhere"
    desk.environ["LEDGER_TABLE"] = table  # its audit trail is another table
    assert desk.ask("restore", "--from", kept["backup"], "--why", "drill")["rows"] == kept["rows"]
    desk.do("restore", "--from", kept["backup"])
    with blocks_pass(desk.devchain):
        desk.do("rebuild")
    desk.do("resume")

    assert desk.send("C-1", "A-1") == ["cancelled", "paid"]
    assert "cancel" in {each["what"] for each in desk.ask("history", "C-1")["decisions"]}
    desk.pay("A-2")
    assert desk.payouts() == [ONE_TOKEN] * 2


@pytest.mark.parametrize("desk", ["without guard"], indirect=True)
def test_an_order_that_was_cancelled_and_erased_since_is_not_paid(desk: Desk) -> None:
    """Its cancellation was lost with the audit trail: the rebuild names it, and the page says what to do."""
    desk.pay("A-1")
    desk.send("E-1")
    desk.service(_index)
    kept = desk.ask("backup")
    desk.do("cancel", "E-1")
    desk.do("purge", "--order", "E-1")
    desk.environ["LEDGER_TABLE"] += "elsewhere"
    desk.do("restore", "--from", kept["backup"])
    with blocks_pass(desk.devchain):
        assert desk.do("rebuild", code=1)["erased_unfinished"] == ["default:E-1"]

    desk.do("cancel", "E-1")
    desk.do("resume")
    desk.service(_index)
    desk.written("Put a backup back", "purge --replay")

    assert desk.send("E-1") == ["cancelled"]
    desk.drain()
    desk.pay("A-2")
    assert desk.payouts() == [ONE_TOKEN] * 2


@pytest.mark.parametrize("desk", ["without guard"], indirect=True)
def test_a_restore_that_dies_is_run_again_and_no_rebuild_goes_before(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies in the middle; until every row is back the rebuild refuses, and a running restore meets its own rows."""
    desk.pay("A-1", "A-2", "A-3")
    kept = desk.ask("backup")
    commit, calls = TableRows.commit, list[int]()

    async def dying(self: TableRows, group: list[RowWrite]) -> Mapping[str, Version]:
        if any(write.key.startswith(keys.ORDERS) for write in group):
            calls.append(1)
            raise StoreUnavailable("killed")
        return await commit(self, group)

    monkeypatch.setattr(TableRows, "commit", dying)
    desk.lose_the_ledger()
    desk.do("restore", "--from", kept["backup"], code=1)
    monkeypatch.setattr(TableRows, "commit", commit)
    assert calls
    desk.do("rebuild", code=1)
    assert "restore was cut" in desk.story

    assert desk.do("restore", "--from", kept["backup"])["rows"] > 0
    with blocks_pass(desk.devchain):
        desk.do("rebuild")
    desk.do("resume")
    assert desk.send("A-1", "A-2", "A-3") == ["paid"] * 3
    assert desk.ask("verify")["disagreements"] == []


@pytest.mark.parametrize("desk", ["without guard"], indirect=True)
def test_what_must_not_be_restored_is_refused(desk: Desk) -> None:
    """Into a ledger that is there, of another ledger, damaged, of another app, of a newer version, or of no name."""
    desk.pay("A-1")
    kept = desk.ask("backup")
    name = kept["backup"]
    desk.do("restore", "--from", name, code=1)
    assert "not empty" in desk.story

    desk.lose_the_ledger()
    desk.do("restore", "--from", "distributor/1/none", code=1)
    assert "no backup" in desk.story
    desk.environ["LEDGER_ID"] = "0" * 32
    desk.do("restore", "--from", name, code=2)
    assert "another ledger" in desk.story
    del desk.environ["LEDGER_ID"]

    async def spoil(store: Blobs) -> None:
        blob, paper = manifest.blob_name(name), manifest.manifest_name(name)
        body, head = await store.get(blob), await store.get(paper)
        assert body
        assert head
        for other, papers, rows in (
            ("cut", head, body[:-30]),
            ("checksum", head.replace(b'"sha256": "', b'"sha256": "0'), body),
            ("app", head.replace(b'"app": "distributor"', b'"app": "payflow"'), body),
            ("format", head.replace(b'"format": 1', b'"format": 9'), body),
            ("schema", head.replace(b'"schema": ', b'"schema": 9'), body),
        ):
            await store.put(manifest.blob_name(other), rows)
            await store.put(manifest.manifest_name(other), papers)

    in_store(desk, spoil)
    for other, why in (
        ("cut", "not whole"),
        ("checksum", "damaged"),
        ("app", "of the app payflow"),
        ("format", "newer version"),
        ("schema", "asks for the rules"),
    ):
        desk.do("restore", "--from", other, code=1)
        assert why in desk.story
    assert desk.parts(_rows) == []


async def _rows(parts: Resources) -> list[str]:
    rows = (await parts.tables()).rows
    return [row.key for row in await rows.scan("", "~", limit=10)]


def in_store(desk: Desk, work: Callable[[Blobs], Awaitable[T]]) -> T:
    """Do something with the blobs of the backups."""

    async def working(parts: Resources) -> T:
        return await work(await parts.backups())

    return desk.parts(working)


@pytest.mark.parametrize("desk", ["without guard"], indirect=True)
def test_backups_are_listed_and_one_a_day_is_made_by_the_timer(desk: Desk) -> None:
    """The second wake-up of a day makes none."""

    async def wake(container: object) -> object:
        return await (await container.ledger_backup()).run_if_due()  # type: ignore[attr-defined]  # the container

    first = desk.service(wake)
    assert first is not None
    assert desk.service(wake) is None
    listed = desk.ask("backup", "--list")["backups"]
    assert first.name in listed  # type: ignore[attr-defined]  # a backup
    assert all(name.startswith(prefix_of(desk.devchain.deployment.chain_id)) for name in listed)


def test_two_accounts_are_meant(environ: dict[str, str]) -> None:
    """A backup in the ledger's own account does not count, and without a setting there is none."""
    own = "DefaultEndpointsProtocol=https;AccountName=ballx;AccountKey=eA=="

    async def asking(settings: dict[str, str]) -> str:
        parts = Resources(settings, clock=lambda: 0)  # type: ignore[arg-type, return-value]  # never asked
        try:
            await parts.backups()
        except Exception as error:  # noqa: BLE001 -- the words are looked at
            return str(error)
        finally:
            await parts.aclose()
        return ""

    same = {**environ, "AzureWebJobsStorage": own, "BACKUP_STORAGE": own}
    assert "the ledger's own account" in asyncio.run(asking(same))
    assert "BACKUP_STORAGE is not set" in asyncio.run(asking(environ))


async def _index(container: Container) -> None:
    """Let the sweep find that every order is indexed: until then nothing is erased."""
    await (await container.sweep()).run()
    await (await container.order_indexing()).run()
