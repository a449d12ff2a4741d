"""The charts of thirty days: what each shows, where they begin, and that the cost of reading them does not grow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributor.console.charts import DAYS_SHOWN, ThirtyDays, charted_days, charts_page
from distributor.console.desk import Desk
from distributor.console.site import Console
from distributor.day_totals import DayTotals
from distributor.ledger import Ledger, keys
from distributor.ledger.columns import encode
from distributor.ledger.days import CountedDays
from distributor.state import PAID_WITHIN_S
from distributor.units import TokenUnits, Wei
from foundation.clock import UnixMs, utc_day
from foundation.console.charts import Chart
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Row, Version
from tests.factories import NOW_MS, TOKEN
from tests.fakes.bench import Bench, a_closing, founded
from tests.fakes.clock import FrozenClock
from tests.fakes.parts import InMemory
from tests.fakes.rows import ListAudit
from tests.unit.test_console import ANA, SAME, Browser, a_console
from tests.unit.test_order_list import filled
from tests.unit.test_wiring import GOOD

DAYS = charted_days(UnixMs(NOW_MS))
TODAY = DAYS[-1]


def counted(*totals: DayTotals, began: str | None = DAYS[0]) -> CountedDays:
    """Return days as they were read."""
    return CountedDays(began=began, totals={each.day: each for each in totals}, unreadable=[])


def drawn(*totals: DayTotals, began: str | None = DAYS[0]) -> dict[str, Chart]:
    """Return the charts by name."""
    return {each.name: each for each in ThirtyDays.of(counted(*totals, began=began), DAYS, 18).charts()}


def texts(chart: Chart, of: int = 0) -> list[str]:
    """Return the words of one series."""
    return [point.text for point in chart.series[of].points]


A_DAY = DayTotals(
    day=TODAY,
    orders=20,
    units=TokenUnits(1_234_567 * TOKEN),
    paid_within=(0, 12, 7, *[0] * (len(PAID_WITHIN_S) - 3), 1),
    payouts=10,
    gas_used=1_000_005,
    gas_cost_wei=Wei(5 * 10**16),
)


def test_each_chart_shows_its_number() -> None:
    """Of one busy day behind twenty-nine without an order."""
    charts = drawn(A_DAY)

    assert {name: texts(chart)[-2:] for name, chart in charts.items()} == {
        "orders": ["0", "20"],
        "tokens": ["0", "1,234,567"],
        "times": ["-", "30 s"],
        "gas": ["-", "100,000"],
        "pol": ["0", "0.05"],
    }
    assert texts(charts["times"], of=1)[-1] == "1 min"
    assert charts["orders"].summary == f"20 orders became paid from {DAYS[0]} to {TODAY}."
    assert "1,234,567 tokens" in charts["tokens"].summary
    assert "0.05 POL" in charts["pol"].summary


def test_what_took_longer_than_a_day_says_so() -> None:
    """The last class has no bound."""
    late = replace(A_DAY, paid_within=(*[0] * len(PAID_WITHIN_S), 1))

    assert texts(drawn(late)["times"])[-1] == "longer"
    assert [each.text for each in drawn(late)["times"].levels] == [
        *("0", "15 s", "1 min", "5 min", "30 min", "6 h", "longer")
    ]


def test_a_quick_month_fills_the_chart_of_times() -> None:
    """The levels end where the times do."""
    quick = replace(A_DAY, paid_within=(1, *[0] * len(PAID_WITHIN_S)))

    assert [each.text for each in drawn(quick)["times"].levels] == ["0", "15 s"]


def test_days_before_the_first_are_unknown_and_later_ones_empty() -> None:
    """A day that was never counted is no day without orders."""
    began = DAYS[10]

    assert texts(drawn(A_DAY, began=began)["orders"]) == [*["-"] * 10, *["0"] * 19, "20"]


def test_a_huge_day_is_said_to_the_last_unit() -> None:
    """Beyond every float and beyond Decimal's usual digits."""
    units = TokenUnits(10**60 + 1)
    chart = drawn(replace(A_DAY, units=units))["tokens"]

    assert texts(chart)[-1].replace(",", "") == f"{10**42}.000000000000000001"


def test_thirty_days_end_today() -> None:
    """UTC days, the oldest first, none twice."""
    assert len(set(DAYS)) == DAYS_SHOWN
    assert (DAYS[-1], DAYS[0]) == (utc_day(UnixMs(NOW_MS)), utc_day(UnixMs(NOW_MS - 29 * 86_400_000)))


# the page -----------------------------------------------------------------------------------------


async def signed_in(console: Console, languages: str = "en") -> Browser:
    """Return ana's browser."""
    browser = Browser(console, languages=languages)
    await browser.sign_in(ANA)
    return browser


async def page(bench: Bench, languages: str = "en") -> str:
    """Return the page of charts."""
    browser = await signed_in(a_console(bench), languages)
    assert (await browser.get("charts")).status == 200
    return browser.page.body


async def test_the_page_shows_what_was_just_paid() -> None:
    """Each chart with its table; the day it began is said."""
    bench = await founded()
    await bench.ledger.close(await bench.bound("ORD1", "ORD2"), a_closing("ORD1", "ORD2"))
    body = await page(bench)

    assert body.count('<svg viewBox="0 0 340') == 5
    assert body.count("<table>") == 5
    assert f"Days are counted since {TODAY}" in body
    assert "style=" not in body


async def test_the_page_speaks_portuguese() -> None:
    """Also inside the pictures."""
    bench = await founded()
    await bench.ledger.close(await bench.bound("ORD1"), a_closing("ORD1"))
    body = await page(bench, "pt-BR")

    assert "Gráficos de trinta dias" in body
    assert "Tempo do recebimento ao pagamento" in body
    assert "Gas per payout" not in body


async def test_a_page_without_a_day_says_when_it_begins() -> None:
    """A new ledger, or one that was updated today."""
    assert "No day has been counted yet" in await page(await founded())


async def test_a_torn_day_is_named_and_hides_no_other() -> None:
    """As in every list."""
    bench = await founded()
    assert isinstance(bench.rows, MemoryRows)
    await bench.ledger.close(await bench.bound("ORD1"), a_closing("ORD1"))
    bench.rows.put(keys.day_row(DAYS[-2]), {"orders": "many"})
    body = await page(bench)

    assert f"Rows that cannot be read: day:{DAYS[-2]}" in body
    assert body.count('<svg viewBox="0 0 340') == 5


async def test_nobody_sees_charts_without_a_session() -> None:
    """As every page."""
    stranger = Browser(a_console(await founded()))

    assert (await stranger.get("charts")).headers["Location"] == "/console/sign-in"


@pytest.mark.parametrize("history", [100, 100_000])
async def test_the_charts_cost_the_same_over_100_and_over_100_000_orders(history: int) -> None:
    """The first day there is, and a range of thirty; also over three years of days."""
    rows = filled(history)
    days = (utc_day(UnixMs(NOW_MS - 86_400_000 * before)) for before in range(history // 100))
    rows._rows |= {keys.day_row(day): a_row(day) for day in days}
    bench = Bench(Ledger(rows, ListAudit(), clock=FrozenClock(NOW_MS)), rows, ListAudit(), FrozenClock(NOW_MS))
    parts: Any = InMemory(GOOD | SAME, bench)
    before = rows.reads

    shown = await charts_page(Desk(parts=parts, clock=bench.clock))

    assert rows.reads - before == 2
    assert texts(shown["charts"][0])[-1] == "20"


def a_row(day: str) -> Row:
    """Return a stored day."""
    return Row(key=keys.day_row(day), values=encode(replace(A_DAY, day=day)), version=Version("v0"))
