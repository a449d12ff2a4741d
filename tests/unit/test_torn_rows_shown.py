"""At three in the morning a row that cannot be read hides no other one from the commands that look."""

from __future__ import annotations

import pytest

from distributor import cli
from distributor.cli.arguments import parser
from distributor.cli.context import CommandContext
from distributor.model import HoldReason
from foundation.clock import Clock
from foundation.errors import InvariantBroken
from foundation.tablestore.memory import MemoryRows
from tests.fakes.bench import Bench, founded
from tests.fakes.parts import InMemory
from tests.unit.test_wiring import GOOD

LOOKS = ("show", "show --check", "held", "alarms", "verify")


@pytest.fixture
async def bench() -> Bench:
    """A ledger with an order in flight, one that waits, and two that are held."""
    bench = await founded()
    await bench.bound("A")
    await bench.received("B", "C", "D")
    for name in ("C", "D"):
        await bench.ledger.hold(await bench.order(name), HoldReason.SIMULATION, "refused")
    return bench


async def shown(bench: Bench, command: str) -> str:
    """Run *command* on that ledger; return what it shows."""
    clock: Clock = bench.clock
    parts, said = InMemory(GOOD, bench), list[str]()
    options = parser().parse_args(command.split())
    context = CommandContext(parts, options, clock=clock, say=said.append, show=said.append)
    await options.run(context)
    return "\n".join(said)


@pytest.mark.parametrize("row", ["held:default:C", "order:default:C", "order:default:A", "order:default:B"])
@pytest.mark.parametrize("command", LOOKS)
async def test_a_torn_row_of_an_order_hides_no_other_one(bench: Bench, command: str, row: str) -> None:
    """A newer version wrote it, or somebody edited it: the page is shown, and names the order."""
    assert isinstance(bench.rows, MemoryRows)
    bench.rows.put(row, {"status": "newer"})

    said = await shown(bench, command)

    if command in ("show", "held", "alarms"):
        assert "default:D" in said
    if command in ("held", "alarms") and row.endswith(":C"):
        assert row in said, "the detail names the row"


def test_a_row_that_a_command_cannot_do_without_is_named_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the same JSON as ever; the step is a line for people."""

    async def broken(*_: object) -> int:
        raise InvariantBroken("ledger row watch: column swept_ms is missing or no int")

    monkeypatch.setattr(cli, "_run", broken)

    assert cli.main(["show", "--json"]) == 1

    said = capsys.readouterr()
    assert '"error": "InvariantBroken"' in said.out
    assert "ledger row watch" in said.err
    assert "`verify` lists the rows" in said.err
