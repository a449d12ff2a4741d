"""The charts of thirty UTC days: what was paid, how long it took, what it cost; from one row a day."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from distributor.cli.amounts import NATIVE_DECIMALS, tokens
from distributor.cli.language import N_, _
from distributor.console.desk import Desk
from distributor.day_totals import DayTotals
from distributor.ledger.days import CountedDays
from distributor.settings.use_cases import StatusSettings
from foundation.clock import DAY_MS, UnixMs, utc_day
from foundation.console.charts import Chart, ChartKind, Level, Point, Series, Value

DAYS_SHOWN: Final = 30
_NOTHING: Final = Point(value=None, text="-")
_WITHIN: Final = (
    *(N_("15 s"), N_("30 s"), N_("1 min"), N_("2 min"), N_("5 min"), N_("10 min"), N_("30 min"), N_("1 h"), N_("6 h")),
    N_("1 day"),
    N_("longer"),
)
"""The classes of times to paid (``PAID_WITHIN_S``) in words."""
_MARKED: Final = (0, 2, 4, 6, 8, 10)
"""The classes that have a line in the chart of times: six fit beside it."""

Show = Callable[[DayTotals], Point]


@dataclass(frozen=True, kw_only=True, slots=True)
class ThirtyDays:
    """The days up to today, the oldest first; None: not counted, as before the first row, or not readable."""

    days: Sequence[str]
    totals: Sequence[DayTotals | None]
    decimals: int

    @classmethod
    def of(cls, counted: CountedDays, days: Sequence[str], decimals: int) -> ThirtyDays:
        """Return *days* as they were *counted*; one behind the first that was is without orders where it has no row."""
        torn = {each.key.partition(":")[2] for each in counted.unreadable}

        def total(day: str) -> DayTotals | None:
            unknown = counted.began is None or day < counted.began or day in torn
            return None if unknown else counted.totals.get(day, DayTotals(day=day))

        return cls(days=days, totals=[total(day) for day in days], decimals=decimals)

    def charts(self) -> Sequence[Chart]:
        """Return the five charts, in the reader's language."""
        return (self._orders(), self._tokens(), self._times(), self._gas(), self._cost())

    def _orders(self) -> Chart:
        about = _("{count} orders became paid from {first} to {last}.")
        count = sum(each.orders for each in self.totals if each)
        shown: Show = lambda day: Point(value=day.orders, text=f"{day.orders:,}")  # noqa: E731 -- one of five
        return self._chart("orders", _("Orders paid"), self._say(about, count=count), self._series(_("Orders"), shown))

    def _tokens(self) -> Chart:
        units = sum(each.units for each in self.totals if each)
        about = self._say(_("{count} tokens were paid from {first} to {last}."), count=self._amount(units))
        return self._chart("tokens", _("Tokens paid"), about, self._series(_("Tokens"), self._token_point))

    def _token_point(self, day: DayTotals) -> Point:
        return Point(value=Decimal(day.units).scaleb(-self.decimals), text=self._amount(day.units))

    def _times(self) -> Chart:
        about = self._say(
            _("Within what time half, and 95 of 100, of each day's orders were paid, from {first} to {last}.")
        )
        lines = [
            self._series(_("Half of the orders (p50)"), lambda day: _within(day, 50)),
            self._series(_("95 of 100 orders (p95)"), lambda day: _within(day, 95)),
        ]
        highest = max((point.value or 0 for each in lines for point in each.points), default=0)
        title = _("Time from receipt to paid")
        return self._chart("times", title, about, *lines, shape=ChartKind.LINES, levels=_levels(highest))

    def _gas(self) -> Chart:
        about = self._say(_("What gas each day's transactions used for each payout, from {first} to {last}."))
        return self._chart("gas", _("Gas per payout"), about, self._series(_("Gas"), _gas_point))

    def _cost(self) -> Chart:
        wei = sum(each.gas_cost_wei for each in self.totals if each)
        about = self._say(_("{count} POL were spent on gas from {first} to {last}."), count=_pol(wei))
        return self._chart("pol", _("POL spent on gas"), about, self._series("POL", _cost_point))

    def _chart(
        self,
        name: str,
        title: str,
        about: str,
        *series: Series,
        shape: ChartKind = ChartKind.BARS,
        levels: Sequence[Level] = (),
    ) -> Chart:
        return Chart(
            name=name,
            title=title,
            summary=about,
            across=_("Day (UTC)"),
            labels=self.days,
            series=series,
            shape=shape,
            levels=levels,
        )

    def _series(self, name: str, show: Show) -> Series:
        return Series(name=name, points=[_NOTHING if day is None else show(day) for day in self.totals])

    def _say(self, text: str, **values: object) -> str:
        return text.format(first=self.days[0], last=self.days[-1], **values)

    def _amount(self, units: int) -> str:
        return tokens(units, self.decimals).grouped


async def charts_page(desk: Desk) -> Mapping[str, Any]:
    """Return what fills the page of charts; two reads of the ledger, whatever its history."""
    days = charted_days(desk.clock())
    settings = await desk.parts.settings(StatusSettings)
    counted = await (await desk.parts.ledger()).days(days[0], days[-1])
    return {
        "charts": ThirtyDays.of(counted, days, settings.decimals).charts(),
        "began": counted.began,
        "first": days[0],
        "unreadable": [each.key for each in counted.unreadable],
    }


def charted_days(now: UnixMs) -> Sequence[str]:
    """Return the thirty UTC days up to that of *now*, the oldest first."""
    return [utc_day(UnixMs(now - DAY_MS * before)) for before in reversed(range(DAYS_SHOWN))]


def _within(day: DayTotals, percent: int) -> Point:
    """Return the class of times as a point one above its number: zero is no time at all."""
    number = day.class_at(percent)
    return _NOTHING if number is None else Point(value=number + 1, text=_(_WITHIN[number]))


def _levels(highest: Value) -> Sequence[Level]:
    """Return lines up to the first at or above *highest*."""
    reached = [number for number in _MARKED if number == 0 or _MARKED[_MARKED.index(number) - 1] + 1 < highest]
    return [Level(value=0, text="0"), *(Level(value=number + 1, text=_(_WITHIN[number])) for number in reached)]


def _gas_point(day: DayTotals) -> Point:
    if not day.payouts:
        return _NOTHING
    each = day.gas_used // day.payouts
    return Point(value=each, text=f"{each:,}")


def _cost_point(day: DayTotals) -> Point:
    return Point(value=Decimal(day.gas_cost_wei).scaleb(-NATIVE_DECIMALS), text=_pol(day.gas_cost_wei))


def _pol(wei: int) -> str:
    return tokens(wei, NATIVE_DECIMALS).grouped
