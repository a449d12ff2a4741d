from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from distributor.adapters.alarms import REPEAT_AFTER_MS, LogAlarms, OnceAnHour, RegisteredAlarms
from distributor.payout.catalogue import CATALOGUE
from distributor.ports import Alarm
from distributor.reasons import shop_unknown
from foundation.alarms.register import Register
from foundation.errors import ConfigurationError
from foundation.tablestore.memory import MemoryRows
from tests.fakes.alarms import ListAlarms
from tests.fakes.clock import FrozenClock

ALARM = Alarm(code="gas_short", summary="Gas for 3 payouts is left.", action="Send POL.", subject="0xOperator")


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """Return what the alarms logged."""
    return [json.loads(record.message) for record in caplog.records if record.name.startswith("distributor")]


async def test_an_alarm_is_an_error_line_that_says_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    """What happened, to what, what next; without any receiver."""
    alarms = LogAlarms()
    await alarms.raise_(ALARM)
    await alarms.aclose()

    assert caplog.records[0].levelno == logging.ERROR
    assert lines(caplog) == [
        {
            "event": "alarm",
            "code": "gas_short",
            "summary": "Gas for 3 payouts is left.",
            "action": "Send POL.",
            "subject": "0xOperator",
        }
    ]


async def test_an_alarm_that_stands_is_told_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    """Settlement looks every two seconds; a person need not."""
    notification, clock = ListAlarms(), FrozenClock()
    alarms = OnceAnHour(notification, clock)
    caplog.set_level(logging.INFO)

    for _ in range(4):
        await alarms.raise_(ALARM)
        clock.advance(REPEAT_AFTER_MS // 2)

    assert notification.raised == [ALARM, ALARM]
    assert [(line["event"], line["code"]) for line in lines(caplog)] == [("alarm_stands", "gas_short")] * 2


@pytest.mark.parametrize("changes", [{"subject": "0xOther"}, {"code": "paused"}, {"summary": "Gas for none is left."}])
async def test_news_is_told_at_once(changes: dict[str, str]) -> None:
    """Another order, another trouble, or the same one in other words."""
    notification = ListAlarms()
    alarms = OnceAnHour(notification, FrozenClock())

    await alarms.raise_(ALARM)
    await alarms.raise_(replace(ALARM, **changes))

    assert len(notification.raised) == 2


async def registered(rows: MemoryRows, clock: FrozenClock) -> tuple[RegisteredAlarms, ListAlarms, Register]:
    """Return alarms over a register, what went to the log, and the register."""
    log, register = ListAlarms(), Register(rows=rows, clock=clock, catalogue=CATALOGUE)

    async def find() -> Register:
        return register

    return RegisteredAlarms(log, find, clock), log, register


async def test_an_alarm_is_logged_at_once_and_noted_for_the_sweep() -> None:
    """Nothing is posted where it is raised: that may be inside a shop's request."""
    rows, clock = MemoryRows(), FrozenClock()
    alarms, log, register = await registered(rows, clock)

    await alarms.raise_(ALARM)

    (fact,) = await register.facts()
    assert log.raised == [ALARM]
    assert (fact.code, fact.subject, fact.detail) == ("gas_short", "0xOperator", "Gas for 3 payouts is left.")


async def test_an_alarm_at_each_turn_is_one_note_a_minute() -> None:
    """Settlement looks every two seconds; the row need not."""
    rows, clock = MemoryRows(), FrozenClock()
    alarms, _, register = await registered(rows, clock)

    for _ in range(60):
        await alarms.raise_(ALARM)
        clock.advance(2_000)

    assert rows.commits == 2
    assert (await register.facts())[0].since_ms == clock() - 120_000


@pytest.mark.parametrize(("code", "subject"), [("held_reverted", "default:ORD1"), ("waiting_paused", "")])
async def test_what_has_a_row_of_its_own_is_not_noted_twice(code: str, subject: str) -> None:
    """The sweep tells it from that row."""
    rows = MemoryRows()
    alarms, log, _ = await registered(rows, FrozenClock())

    await alarms.raise_(replace(ALARM, code=code, subject=subject))

    assert (log.codes, rows.dump()) == ([code], {})


async def test_one_shops_reason_to_wait_is_noted_since_no_row_says_it() -> None:
    """The row of the reason names what the first orders wait for; an order refused at the webhook is in no row."""
    alarms, _, register = await registered(MemoryRows(), FrozenClock())

    await alarms.raise_(shop_unknown("shop-b", "Order shop-b:1 was sent with another secret."))

    (fact,) = await register.facts()
    assert (fact.code, fact.subject) == ("waiting_shop_unknown", "shop-b")


@pytest.mark.parametrize("trouble", ["store", "setting"])
async def test_an_alarm_that_cannot_be_noted_is_in_the_log(caplog: pytest.LogCaptureFixture, trouble: str) -> None:
    """And stops nothing; the next sighting is noted."""
    rows, clock = MemoryRows(), FrozenClock()
    alarms, log, register = await registered(rows, clock)
    if trouble == "store":
        rows.go_down()
    else:

        async def missing() -> Register:
            raise ConfigurationError("LEDGER_CONNECTION is not set")

        alarms = RegisteredAlarms(log, missing, clock)

    await alarms.raise_(ALARM)

    assert log.raised == [ALARM]
    assert "alarm_not_noted" in caplog.text
    rows.come_back()
    alarms, *_ = await registered(rows, clock)
    await alarms.raise_(ALARM)
    assert len(await register.facts()) == 1
