"""What the metrics say is what the ledger says; their names are promises."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from distributor.functions import metrics as route
from distributor.ledger import keys
from distributor.metrics import KEPT_MS, KINDS, Metrics
from distributor.model import HoldReason
from distributor.payout.catalogue import CATALOGUE
from distributor.state import PAID_WITHIN_S, Stats, WaitingReason, counted_by_time
from distributor.units import Wei
from foundation.alarms.model import LOG, Fact
from foundation.alarms.notifier import Notifier
from foundation.alarms.register import Register
from foundation.alarms.targets import LogTarget
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.queries import past
from tests.factories import OPERATOR, an_address
from tests.fakes.bench import Bench, a_closing
from tests.fakes.functions import FakeContainer, a_context
from tests.unit.test_facts import bench
from tests.unit.test_function_app import a_question

__all__ = ["bench"]

SECOND = an_address("the operator of lane b")
ROOT = Path(__file__).parents[2]
LINE = re.compile(r"^(ballx_\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? (\S+)$")


def metrics_of(bench: Bench) -> Metrics:
    """Return the metrics of that ledger."""
    assert isinstance(bench.rows, MemoryRows)
    register = Register(rows=bench.rows, clock=bench.clock, catalogue=CATALOGUE)
    return Metrics(ledger=bench.ledger, register=register, clock=bench.clock, chain_id=137, decimals=18)


async def shown(bench: Bench) -> dict[str, float]:
    """Return each line of a scrape without the chain, and its value."""
    text = (await metrics_of(bench).text()).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {
        line.rpartition(" ")[0].replace('chain="137",', "").replace('{chain="137"}', ""): float(line.rpartition(" ")[2])
        for line in lines
    }


async def busy(bench: Bench) -> None:
    """Bring every kind of row into the ledger."""
    transaction = await bench.bound("PAID")
    bench.clock.advance(45_000)
    await bench.ledger.close(transaction, a_closing("PAID"))
    await bench.bound("BOUND")
    await bench.received("WAITS", "HELD")
    await bench.ledger.hold(await bench.order("HELD"), HoldReason.SIMULATION, "refused")
    await bench.ledger.service.set_waiting(WaitingReason.GAS_SHORT, "3 left")
    await bench.ledger.admin.pause("ana", "a look")
    state = await bench.ledger.service.monitor_state()
    await bench.ledger.service.save_monitor_state(
        replace(
            state,
            swept_ms=bench.clock(),
            watched_ms=bench.clock(),
            gas_wei=Wei(3 * 63_000 * 10**9 + 1),
            backup_ms=bench.clock(),
            lane_gas=(f"{OPERATOR} {3 * 63_000 * 10**9 + 1}", f"{SECOND} {2 * 10**18}"),
        )
    )
    notifier = Notifier(register=metrics_of(bench).register, targets={LOG: LogTarget()}, holder="me")
    await notifier.run([Fact(code="low_gas", subject="", detail="", since_ms=bench.clock())])
    bench.clock.advance(60_000)


async def test_a_scrape_says_what_the_ledger_says(bench: Bench) -> None:
    """Orders by state, ages, the reason, the switch, alarms, totals, and the time to paid."""
    await busy(bench)
    said = await shown(bench)

    assert [said[f'ballx_orders{{state="{state}"}}'] for state in ("waiting", "bound", "held")] == [1, 1, 1]
    by_shop = [said[f'ballx_shop_orders{{shop="default",state="{state}"}}'] for state in ("waiting", "held")]
    assert by_shop == [1, 1]
    assert said['ballx_waiting_reason{code="gas_short"}'] == 1
    assert (said['ballx_paused{state="paused"}'], said['ballx_paused{state="halted"}']) == (1, 0)
    assert said['ballx_alarm{code="low_gas",severity="warning"}'] == 1
    assert said["ballx_payouts_left"] == said[f'ballx_lane_payouts_left{{operator="{OPERATOR}"}}'] == 3
    second = f'{{operator="{SECOND}"}}'
    assert (said[f"ballx_lane_gas_pol{second}"], said[f"ballx_lane_payouts_left{second}"]) == (2, 31_746)
    assert said["ballx_sweep_age_seconds"] == 60
    assert said['ballx_callbacks{state="announced"}'] == 2
    assert said['ballx_callbacks{state="due"}'] == said['ballx_callbacks{state="stopped_addresses"}'] == 0
    who = f'operator="{OPERATOR}"'
    assert said[f'ballx_transactions_open{{{who},state="signed"}}'] == 1
    assert said[f"ballx_orders_paid_total{{{who}}}"] == 1
    assert said[f"ballx_gas_used_total{{{who}}}"] == 63_000
    assert said[f"ballx_gas_cost_pol_total{{{who}}}"] == 63_000 * 10**9 / 10**18
    buckets = [said[f'ballx_time_to_paid_seconds_bucket{{le="{le}",{who}}}'] for le in ("30", "60", "+Inf")]
    assert buckets == [0, 1, 1]
    assert said[f"ballx_time_to_paid_seconds_sum{{{who}}}"] == 45


async def test_an_empty_ledger_has_metrics_too(bench: Bench) -> None:
    """Zero is said and not left out, so that a rule can compare."""
    said = await shown(bench)

    assert said["ballx_oldest_waiting_seconds"] == 0
    assert "ballx_payouts_left" not in said
    assert said[f'ballx_orders_paid_total{{operator="{OPERATOR}"}}'] == 0


async def test_a_scrape_is_kept_for_fifteen_seconds(bench: Bench) -> None:
    """Several collectors cost one."""
    metrics = metrics_of(bench)
    first = await metrics.text()
    await bench.received("A")
    bench.clock.advance(KEPT_MS - 1)
    assert await metrics.text() == first

    bench.clock.advance(1)
    assert await metrics.text() != first


def test_times_are_counted_in_classes_from_an_older_versions_row_on() -> None:
    """Times are counted from the first closing of this version on."""
    assert counted_by_time(Stats(orders_paid=5), [14_999, 15_000, 15_001, -3, 90_000_000]) == (
        (3, 1, *(0,) * 8, 1),
        14_999 + 15_000 + 15_001 + 90_000_000,
    )
    assert len(PAID_WITHIN_S) == 10


async def test_no_label_holds_an_order_or_a_wallet(bench: Bench) -> None:
    """Only what the catalogue of names declares, and the values of its labels."""
    await busy(bench)
    text = (await metrics_of(bench).text()).decode()

    names = {match[1] for line in text.splitlines() if (match := LINE.match(line))}
    assert names == set(KINDS)
    labels = {label for kind in KINDS.values() for label in kind.labels}
    assert labels == {"chain", "operator", "shop", "state", "code", "severity"}
    assert not any(word in text for word in ("WAITS", "BOUND", "default:", "refused"))


def test_the_paper_has_every_metric() -> None:
    """Name, kind, labels and meaning."""
    paper = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(ballx_\w+)` \| (\w+) \| (.+?) \| (.+) \|$", paper, re.MULTILINE)

    assert [(name, kind, re.findall(r"\w+", labels), said) for name, kind, labels, said in rows] == [
        (kind.name, kind.kind, [label for label in kind.labels if label != "chain"], kind.meaning)
        for kind in KINDS.values()
    ]


async def test_the_route_answers_in_the_text_format(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may cache it."""
    parts = FakeContainer(acts={"metrics": cast("Any", metrics_of(bench))})
    monkeypatch.setattr(route, "container", lambda: parts)

    answer = await route.metrics(a_question(), a_context())

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert b"ballx_sweep_age_seconds" in answer.get_body()


async def test_a_ledger_without_an_operator_shows_no_commitments(bench: Bench) -> None:
    """Before `init` nothing was bound; zero would say that it was looked up."""
    assert isinstance(bench.rows, MemoryRows)
    for row in await bench.rows.scan(keys.NONCES, past(keys.NONCES), limit=9):
        bench.rows.remove(row.key)

    said = await shown(bench)

    assert [name for name in said if name.startswith("ballx_committed_tokens")] == []
    assert said["ballx_sweep_age_seconds"] >= 0
