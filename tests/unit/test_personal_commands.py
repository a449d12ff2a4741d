"""``export`` and ``purge``: dry first, refused with an exit, listing what stays; nothing of the person in the trail."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from distributor.cli.chain import erase_again
from distributor.cli.context import DONE, REFUSED, CommandContext, CommandRefused
from distributor.cli.headings import HEADINGS
from distributor.cli.language import speaking
from distributor.cli.personal import EXITS, export, purge
from distributor.ledger.purging import Unfinished
from distributor.model import OrderKey
from distributor.payout.order_indexing import OrderIndexing
from distributor.payout.sweep import Sweep
from distributor.recovery.purging import Purging
from distributor.wiring import Container
from foundation.alarms.model import FACTS
from foundation.errors import ConfigurationError
from foundation.tablestore.memory import MemoryRows
from tests.factories import ALICE, BOB, IDENTITY
from tests.fakes.parts import InMemory
from tests.fakes.purging import Eraser, paid_yesterday
from tests.unit.test_wiring import GOOD

DAYS = 30
OURS = GOOD | {
    "CHAIN_ID": str(IDENTITY.chain_id),
    "TOKEN_ADDRESS": IDENTITY.token,
    "AUTHORITY_ADDRESS": IDENTITY.authority,
    "RESERVE_ADDRESS": IDENTITY.reserve,
}


class Parts(InMemory):
    """The parts of commands, with the journal of an eraser."""

    eraser: Eraser

    async def purging(self) -> Purging:
        return self.eraser.purging


@pytest.fixture
async def eraser() -> Eraser:
    """Two orders of alice, paid two days ago, and a sweep that has found all orders indexed."""
    eraser = await paid_yesterday("A1", "A2")
    await Sweep(ledger=eraser.bench.ledger, clock=eraser.bench.clock).run()
    await OrderIndexing(ledger=eraser.bench.ledger).run()
    return eraser


class Desk:
    """One command and what it said."""

    def __init__(self, eraser: Eraser, **asked: Any) -> None:
        parts = Parts(OURS, eraser.bench)
        parts.eraser = eraser
        self.said, self.shown = list[str](), list[str]()
        nobody = dict.fromkeys(("wallet", "order", "shop", "out"))
        rest = {"replay": False, "apply": False, "headings": False, "json": True, "by": "op", "why": "asked"}
        options = Namespace(**{**nobody, **rest, **asked})
        self.context = CommandContext(
            parts, options, clock=eraser.bench.clock, say=self.said.append, show=self.shown.append
        )

    @property
    def answer(self) -> Any:
        """The command's answer."""
        return json.loads(self.shown[-1])


async def test_a_purge_is_a_dry_run_and_then_done(eraser: Eraser) -> None:
    """The same counts; then the ids, references and hashes that stay, and what nobody can erase."""
    dry, real = Desk(eraser, wallet=ALICE), Desk(eraser, wallet=ALICE, apply=True)

    assert await purge(dry.context) == DONE
    assert eraser.journal.blobs == {}
    assert await purge(real.context) == DONE

    assert real.answer["rows"] == dry.answer["rows"]
    assert [each["order"] for each in real.answer["stays"]] == ["default:A1", "default:A2"]
    assert len(real.answer["stays"][0]["hash"]) > 0
    assert any("public chain" in line for line in real.said)
    entry = next(values for key, values in eraser.bench.audit.entries.items() if key.startswith("purge:"))
    assert (entry["by"], entry["subject"], entry["rows"]) == ("op", "wallet", 7)
    assert ALICE not in str(eraser.bench.audit.entries)


@pytest.mark.parametrize("asked", [{"order": OrderKey("default", "A1")}, {"shop": "default"}])
async def test_an_order_or_a_shop_is_named_instead(eraser: Eraser, asked: dict[str, Any]) -> None:
    """One order, or all of a shop."""
    desk = Desk(eraser, apply=True, **asked)

    assert await purge(desk.context) == DONE
    assert (await eraser.bench.order("A1")).wallet == ""


async def test_what_is_not_finished_is_refused_with_its_exit(eraser: Eraser) -> None:
    """With --apply too: nothing is written."""
    await eraser.bench.received("N1")
    desk = Desk(eraser, wallet=ALICE, apply=True)

    assert await purge(desk.context) == REFUSED

    assert desk.answer["unfinished"] == [{"order": "default:N1", "why": "waits", "do": EXITS[Unfinished.WAITS]}]
    assert (await eraser.bench.order("A1")).wallet == ALICE


def test_each_cause_has_an_exit() -> None:
    """None is shown without what to do."""
    assert EXITS.keys() == set(Unfinished)


async def test_a_purge_waits_until_orders_are_indexed() -> None:
    """Some of a wallet would not be found, and be called erased."""
    desk = Desk(await paid_yesterday("A1"), wallet=ALICE, apply=True)

    with pytest.raises(CommandRefused, match="still being indexed"):
        await purge(desk.context)


async def test_the_journal_is_replayed_after_a_restore(eraser: Eraser) -> None:
    """Dry first; what is erased by it is what was erased before."""
    assert isinstance(eraser.bench.rows, MemoryRows)
    backup = eraser.bench.rows.dump()
    await purge(Desk(eraser, wallet=ALICE, apply=True).context)
    eraser.bench.rows.restore(backup)

    dry, real = Desk(eraser, replay=True), Desk(eraser, replay=True, apply=True)
    assert (await purge(dry.context), await purge(real.context)) == (DONE, DONE)

    assert dry.answer["rows"] == real.answer["rows"]
    assert (await eraser.bench.order("A1")).wallet == ""


async def test_a_restore_replays_the_journal_by_itself(eraser: Eraser) -> None:
    """Before the ledger is anybody's."""
    assert isinstance(eraser.bench.rows, MemoryRows)
    backup = eraser.bench.rows.dump()
    await purge(Desk(eraser, wallet=ALICE, apply=True).context)
    eraser.bench.rows.restore(backup)
    parts = Parts(OURS, eraser.bench)
    parts.eraser = eraser

    report = await parts.replay_purges()

    assert (report.rows["order"], (await eraser.bench.order("A1")).wallet) == (2, "")


async def test_a_rebuild_names_what_was_erased_and_waits_again(eraser: Eraser) -> None:
    """It was cancelled, and the audit trail that knew is lost with the ledger: nobody else would stop its payment."""
    assert isinstance(eraser.bench.rows, MemoryRows)
    (order,) = await eraser.bench.received("C1", wallet=BOB)
    backup = eraser.bench.rows.dump()
    await eraser.bench.ledger.admin.cancel(order, "op", "not wanted")
    assert await purge(Desk(eraser, wallet=BOB, apply=True).context) == DONE
    eraser.bench.rows.restore(backup)
    desk = Desk(eraser)

    assert await erase_again(desk.context) == ["default:C1"]
    assert any("`cancel` them before you resume" in line for line in desk.said)
    await eraser.bench.ledger.admin.cancel(await eraser.bench.order("C1"), "op", "cancelled before the loss")
    quiet = Desk(eraser)
    assert (await erase_again(quiet.context), quiet.said) == ([], [])
    assert (await eraser.bench.order("C1")).wallet == ""


async def test_the_journal_lies_beside_the_backups_and_by_chain(eraser: Eraser) -> None:
    """Ledgers of two chains in one account do not read each other's; two of one chain need an account each."""
    parts = InMemory(OURS | {"BACKUP_STORAGE": "UseDevelopmentStorage=true"}, eraser.bench)

    purging = await parts.purging()

    assert purging.journal.prefix == f"{IDENTITY.chain_id}/"
    await parts.aclose()


async def test_the_retention_reads_its_setting(eraser: Eraser) -> None:
    """Thirty days where that is set."""
    container = Container(OURS | {"RETENTION_DAYS": "30"}, clock=eraser.bench.clock)

    assert (await container.retention()).days == DAYS
    await container.aclose()


async def test_without_an_account_for_the_journal_nothing_is_erased(eraser: Eraser) -> None:
    """The setting is named: a restore would bring everything back."""
    parts = InMemory(OURS, eraser.bench)

    with pytest.raises(ConfigurationError, match="BACKUP_STORAGE"):
        await parts.purging()


async def test_an_export_holds_all_that_is_stored(eraser: Eraser, tmp_path: Path) -> None:
    """Orders, transactions, attempts, totals, call-backs, decisions, alarms; no secret and no other's payment."""
    bench = eraser.bench
    assert isinstance(bench.rows, MemoryRows)
    bench.rows.put(f"{FACTS}x:default:A1", {"code": "x", "subject": "default:A1", "detail": "words"})
    await bench.audit.record("retry:default:A1:1", {"deed": "retry", "subject": "default:A1", "why": "looked"})
    announced, _ = await bench.ledger.call_backs.announced(limit=5)
    for each in announced:
        await bench.ledger.call_backs.fan_out(each, {"default"})  # type: ignore[arg-type]
    desk = Desk(eraser, wallet=ALICE)

    assert await export(desk.context) == DONE

    found = desk.answer
    assert {name: len(each) for name, each in found.items() if isinstance(each, list)} == {
        "orders": 2, "transactions": 1, "attempts": 1, "day_totals": 1, "found_payments": 0,
        "call_backs": 2, "decisions": 1, "alarms": 1,
    }  # fmt: skip
    assert (found["orders"][0]["wallet"], found["orders"][0]["reason"]) == (ALICE, "Reward")
    assert not {"signed_with", "owner", "raw", "data"} & {name for each in found["orders"] for name in each}
    out = tmp_path / "alice.json"
    assert await export(Desk(eraser, wallet=ALICE, out=out).context) == DONE
    assert json.loads(out.read_text("utf-8"))["orders"] == found["orders"]
    with pytest.raises(CommandRefused, match=r"alice\.json"):
        await export(Desk(eraser, wallet=ALICE, out=out).context)


async def test_an_export_has_headings_that_people_read(eraser: Eraser) -> None:
    """In the language in use; a technical column keeps its name."""
    with speaking("pt"):
        desk = Desk(eraser, wallet=ALICE, headings=True)
        await export(desk.context)

    assert desk.answer["Carteira"] == ALICE
    assert desk.answer["Pedidos"][0]["Motivo"] == "Reward"
    assert "operator" in desk.answer["Pedidos"][0]
    assert len(set(HEADINGS.values())) == len(HEADINGS)


async def test_after_a_purge_an_export_is_empty(eraser: Eraser) -> None:
    """The proof a person may be shown."""
    await purge(Desk(eraser, wallet=ALICE, apply=True).context)
    desk = Desk(eraser, wallet=ALICE)

    await export(desk.context)

    assert all(each == [] for each in desk.answer.values() if isinstance(each, list))
