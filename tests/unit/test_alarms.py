from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from distributor.adapters.alarms import REPEAT_AFTER_MS, LogAlarms, OnceAnHour, WebhookAlarms
from distributor.ports import Alarm
from tests.fakes.alarms import ListAlarms
from tests.fakes.clock import FrozenClock

ALARM = Alarm(code="gas_short", summary="Gas for 3 payouts is left.", action="Send POL.", subject="0xOperator")


class Chat:
    """A chat service of its own: keeps what is posted, answers as told."""

    def __init__(self, status: int = 200, delay_s: float = 0) -> None:
        self.status, self.delay_s = status, delay_s
        self.posted: list[dict[str, str]] = []

    async def _keep(self, request: web.Request) -> web.Response:
        self.posted.append(await request.json())
        await asyncio.sleep(self.delay_s)
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Serve on a free port; yield the URL with its key."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._keep)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/services/hook-key"
        finally:
            await runner.cleanup()


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """Return what the alarms logged."""
    return [json.loads(record.message) for record in caplog.records if record.name.startswith("distributor")]


async def raise_at(url: str, timeout_s: float = 5) -> None:
    """Raise the alarm once."""
    alarms = WebhookAlarms(url, timeout_s=timeout_s)
    try:
        await alarms.raise_(ALARM)
    finally:
        await alarms.aclose()


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


async def test_an_alarm_is_posted_in_words_and_in_fields(caplog: pytest.LogCaptureFixture) -> None:
    """A chat shows ``text``; a program reads the rest."""
    chat = Chat()
    async with chat.listening() as url:
        await raise_at(url)

    assert chat.posted == [
        {
            "text": "BALLX payouts: Gas for 3 payouts is left. (0xOperator)\nTo do: Send POL.",
            "code": "gas_short",
            "summary": "Gas for 3 payouts is left.",
            "action": "Send POL.",
            "subject": "0xOperator",
        }
    ]
    assert [line["event"] for line in lines(caplog)] == ["alarm"]


async def test_alarms_share_one_connection(caplog: pytest.LogCaptureFixture) -> None:
    """An alarm about nothing in particular names nothing."""
    chat = Chat()
    async with chat.listening() as url:
        alarms = WebhookAlarms(url)
        await alarms.raise_(Alarm(code="paused", summary="Paused.", action="Resume."))
        await alarms.raise_(ALARM)
        await alarms.aclose()

    assert [posted["code"] for posted in chat.posted] == ["paused", "gas_short"]
    assert chat.posted[0]["text"] == "BALLX payouts: Paused.\nTo do: Resume."
    assert len(lines(caplog)) == 2


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_a_refused_post_is_logged_and_stops_nothing(caplog: pytest.LogCaptureFixture, status: int) -> None:
    """A redirect is a refusal too: what is posted goes nowhere else."""
    chat = Chat(status)
    async with chat.listening() as url:
        await raise_at(url)

    assert lines(caplog)[1] == {"event": "alarm_not_delivered", "code": "gas_short", "status": status}
    assert len(chat.posted) == 1


async def test_a_silent_receiver_is_left_after_the_timeout(caplog: pytest.LogCaptureFixture) -> None:
    """The work waits no longer than that."""
    async with Chat(delay_s=0.5).listening() as url:
        await raise_at(url, timeout_s=0.1)

    assert lines(caplog)[1] == {"event": "alarm_not_delivered", "code": "gas_short", "cause": "TimeoutError"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/services/hook-key", "http://[/hook-key"])
async def test_no_receiver_is_no_failure_and_no_line_shows_its_url(caplog: pytest.LogCaptureFixture, url: str) -> None:
    """The URL is a secret; only the kind of trouble is told."""
    await raise_at(url)

    assert lines(caplog)[1]["event"] == "alarm_not_delivered"
    assert "hook-key" not in caplog.text


async def test_an_alarm_that_stands_is_told_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    """Settlement looks every two seconds; a person need not."""
    told, clock = ListAlarms(), FrozenClock()
    alarms = OnceAnHour(told, clock)
    caplog.set_level(logging.INFO)

    for _ in range(4):
        await alarms.raise_(ALARM)
        clock.advance(REPEAT_AFTER_MS // 2)

    assert told.raised == [ALARM, ALARM]
    assert [(line["event"], line["code"]) for line in lines(caplog)] == [("alarm_stands", "gas_short")] * 2


@pytest.mark.parametrize("changes", [{"subject": "0xOther"}, {"code": "paused"}, {"summary": "Gas for none is left."}])
async def test_news_is_told_at_once(changes: dict[str, str]) -> None:
    """Another order, another trouble, or the same one in other words."""
    told = ListAlarms()
    alarms = OnceAnHour(told, FrozenClock())

    await alarms.raise_(ALARM)
    await alarms.raise_(replace(ALARM, **changes))

    assert len(told.raised) == 2
