"""A company's thirty days as charts: mails that went out and failed, and how long payments waited for their mail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from foundation.console.charts import Chart, ChartKind, Level, Point, Series
from payflow.days import BOUNDS_S, Day, waited_s
from payflow.mail.formats import br_date
from payflow.office.language import N_

Say = Callable[[str], str]
_WORDS: Final = (
    *(N_("30 s"), N_("1 min"), N_("2 min"), N_("5 min"), N_("10 min"), N_("20 min"), N_("30 min"), N_("1 h")),
    *(N_("2 h"), N_("4 h"), N_("8 h"), N_("1 day"), N_("2 days"), N_("3 days")),
)
"""The classes of waiting (``BOUNDS_S``) in words; the last one holds what waited longer, too."""
_LEVELS: Final = (0, 3, 6, 8, 11, 13)
"""The classes that have a line."""
_MANY_S: Final = 0.95


def charts(days: Sequence[Day], language: str, say: Say) -> Sequence[Chart]:
    """Return both charts, in the reader's language; days as there are in it."""
    labels = [br_date(day.day) if language == "pt" else day.day for day in days]
    return (_mails(days, labels, say), _waits(days, labels, say))


def _mails(days: Sequence[Day], labels: Sequence[str], say: Say) -> Chart:
    sent, failed = sum(day.sent for day in days), sum(day.failed for day in days)
    return Chart(
        name="mails",
        title=say(N_("Mails a day")),
        summary=say(N_("{sent} mails went out and {failed} failed from {first} to {last}.")).format(
            sent=sent, failed=failed, first=labels[0], last=labels[-1]
        ),
        across=say(N_("Day")),
        labels=labels,
        series=[
            Series(name=say(N_("Sent")), points=[Point(value=day.sent, text=str(day.sent)) for day in days]),
            Series(name=say(N_("Failed")), points=[Point(value=day.failed, text=str(day.failed)) for day in days]),
        ],
    )


def _waits(days: Sequence[Day], labels: Sequence[str], say: Say) -> Chart:
    lines = ((N_("Half of the mails (p50)"), 0.5), (N_("95 of 100 mails (p95)"), _MANY_S))
    return Chart(
        name="waits",
        title=say(N_("From payment found to mail sent")),
        summary=say(
            N_("Within what time half, and 95 of 100, of each day's mails went out, from {first} to {last}.")
        ).format(first=labels[0], last=labels[-1]),
        across=say(N_("Day")),
        labels=labels,
        series=[Series(name=say(name), points=[_wait(day, share, say) for day in days]) for name, share in lines],
        shape=ChartKind.LINES,
        levels=[Level(value=at + 1, text=say(_WORDS[at])) for at in _LEVELS],
    )


def _wait(day: Day, share: float, say: Say) -> Point:
    found = waited_s([day], share)
    if found is None:
        return Point(value=None, text="-")
    at = BOUNDS_S.index(found)
    return Point(value=at + 1, text=say(_WORDS[at]))
