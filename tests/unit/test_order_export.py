"""``orders --csv``: a table that is short says so, and nothing comes before it on standard output."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest

from distributor import cli
from distributor.cli.context import DONE, REFUSED, CommandContext, CommandRefused
from distributor.cli.order_list import orders, payouts
from distributor.order_query import FILTERS, sealed
from distributor.payout.order_indexing import OrderIndexing
from distributor.payout.sweep import Sweep
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Row
from tests.factories import IDENTITY
from tests.fakes.bench import Bench, founded
from tests.fakes.parts import InMemory
from tests.unit.test_wiring import GOOD


@pytest.fixture
async def bench() -> Bench:
    """A ledger with two orders."""
    bench = await founded()
    await bench.received("A1", "A2")
    return bench


async def export(bench: Bench, out: Path | None = None, **more: str) -> tuple[int, list[str], list[str]]:
    """Export January 2027, with *more* options; return the exit code, what was said, and the table."""
    said, shown = list[str](), list[str]()
    asked = {**dict.fromkeys((*FILTERS, "limit", "cursor")), "month": "2027-01", **more}
    dialect = {"semicolon": False, "decimal_comma": False, "bom": False}
    options = Namespace(json=False, csv=True, out=out, **asked, **dialect)
    parts = InMemory(GOOD | {"CHAIN_ID": str(IDENTITY.chain_id)}, bench)
    context = CommandContext(parts, options, clock=bench.clock, say=said.append, show=shown.append)
    return await orders(context), said, shown


async def whole(bench: Bench) -> None:
    """Let this version's sweep find every order indexed."""
    await Sweep(ledger=bench.ledger, clock=bench.clock).run()
    await OrderIndexing(ledger=bench.ledger).run()


async def test_a_table_is_refused_while_orders_are_still_being_indexed(bench: Bench, tmp_path: Path) -> None:
    """It would lack them, and look like any other; no file is left behind."""
    out = tmp_path / "month.csv"

    with pytest.raises(CommandRefused, match="still being indexed"):
        await export(bench, out)

    assert not out.exists()


async def test_a_table_that_lacks_a_torn_row_names_it(bench: Bench, tmp_path: Path) -> None:
    """The others are in it; the exit code is 1, into a file and to standard output."""
    await whole(bench)
    assert isinstance(bench.rows, MemoryRows)
    bench.rows.put("order:default:A2", {"source": "default"})

    for out in (None, tmp_path / "month.csv"):
        code, said, shown = await export(bench, out)

        assert code == REFUSED
        assert "1 rows cannot be read and are not in the table" in said[-1]
        written = shown if out is None else out.read_text().splitlines()
        assert [line.split(",")[4] for line in written] == ["order", "A1"]


async def test_a_whole_table_is_done(bench: Bench) -> None:
    """Every order once."""
    await whole(bench)

    code, _, shown = await export(bench)

    assert (code, len(shown)) == (DONE, 3)


@pytest.mark.parametrize("option", [{"limit": "20"}, {"cursor": sealed("time:0")}])
async def test_a_page_of_a_table_is_refused(bench: Bench, option: dict[str, str]) -> None:
    """A limit was passed over, and a cursor left out what lies before it."""
    await whole(bench)

    with pytest.raises(CommandRefused, match="--limit and --cursor"):
        await export(bench, None, **option)


async def test_an_id_that_no_order_can_have_is_a_difference(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that somebody changed: the table takes no such key, and the lines behind it are compared all the same."""
    await whole(bench)
    file = tmp_path / "month.csv"
    await export(bench, file)
    file.write_text(file.read_text().replace(",A1,", ",A1/2#?,"))
    shown, read = list[str](), list[str]()
    get = MemoryRows.get

    async def noted(rows: MemoryRows, key: str) -> Row | None:
        read.append(key)
        return await get(rows, key)

    monkeypatch.setattr(MemoryRows, "get", noted)
    asked = Namespace(json=True, file=file)
    parts = InMemory(GOOD | {"CHAIN_ID": str(IDENTITY.chain_id)}, bench)

    code = await payouts(CommandContext(parts, asked, clock=bench.clock, say=print, show=shown.append))

    answer = json.loads("".join(shown))
    assert (code, answer["differences"]) == (REFUSED, 1)
    assert answer["different"] == ["default:A1/2#?: the ledger has no such order"]
    assert not [key for key in read if "/" in key]


def test_only_the_table_is_on_standard_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Chain and ledger are named on the error stream: `orders --csv > month.csv` is a file that `payouts` reads."""

    async def run(context: CommandContext) -> int:
        context.say("Chain:    137")
        context.show("received_utc")
        return DONE

    parsed = Namespace(json=False, csv=True, app=None, settings=None, run=run)
    monkeypatch.setattr(cli, "parser", type("P", (), {"parse_args": lambda *_: parsed}))

    assert cli.main(["orders", "--csv"]) == DONE

    said = capsys.readouterr()
    assert (said.out, said.err) == ("received_utc\n", "Chain:    137\n")
