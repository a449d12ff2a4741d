"""A log line is one JSON object with all that is bound."""

import asyncio
import contextlib
import json
import logging

import pytest

from foundation import logs

_log = logging.getLogger("distributor.test")


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """What was written, read as JSON."""
    return [json.loads(record.getMessage()) for record in caplog.records]


@pytest.fixture(autouse=True)
def _level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="distributor.test")


def test_a_line_is_one_json_object(caplog: pytest.LogCaptureFixture) -> None:
    """Level, event and fields; a line break in a value cannot make a second line."""
    logs.info(_log, "order_received", order_id="1001", why="a\nb")
    logs.warning(_log, "node_down")
    logs.error(_log, "invariant_broken", ok=False, nonce=None)

    assert lines(caplog) == [
        {"event": "order_received", "order_id": "1001", "why": "a\nb"},
        {"event": "node_down"},
        {"event": "invariant_broken", "ok": False, "nonce": None},
    ]
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "ERROR"]
    assert "\n" not in caplog.records[0].getMessage()


def test_what_is_bound_is_in_every_line(caplog: pytest.LogCaptureFixture) -> None:
    """Inner fields join outer ones and are gone with their block, also when it breaks."""
    with logs.bound(request_id="r1"):
        with contextlib.suppress(KeyError), logs.bound(order_id="1001"):
            logs.info(_log, "inner")
            raise KeyError
        logs.info(_log, "outer", request_id="own")
    logs.info(_log, "outside")

    assert lines(caplog) == [
        {"event": "inner", "request_id": "r1", "order_id": "1001"},
        {"event": "outer", "request_id": "own"},
        {"event": "outside"},
    ]


async def test_two_tasks_do_not_mix(caplog: pytest.LogCaptureFixture) -> None:
    """All invocations share one loop; each writes its own request id."""

    async def request(name: str) -> None:
        with logs.bound(request_id=name):
            await asyncio.sleep(0)
            logs.info(_log, "line", asked=name)

    await asyncio.gather(request("a"), request("b"))

    assert [line["request_id"] for line in lines(caplog)] == [line["asked"] for line in lines(caplog)] == ["a", "b"]


def test_large_numbers_stay_exact(caplog: pytest.LogCaptureFixture) -> None:
    """A reader that knows only doubles would round an amount; it is written as text."""
    logs.info(_log, "paid", amount_units=12_500_000_000_000_000_001, nonce=7)

    assert lines(caplog) == [{"event": "paid", "amount_units": "12500000000000000001", "nonce": 7}]


def test_a_level_that_is_off_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Below the logger's level nothing is written."""
    caplog.set_level(logging.ERROR, logger="distributor.test")

    logs.info(_log, "order_received")

    assert not caplog.records


WALLET = "0x52908400098527886E0F7030069857D2E4169EE7"


def test_personal_data_is_masked_below_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Enough is left to find the lines of a wallet one knows; a text shows nothing of itself."""
    with logs.bound(wallet=WALLET):
        logs.info(_log, "order_received", reason="para Ana", order_id="1001")
        logs.info(_log, "order_bound", reason="Cashback for the order of Maria da Silva", amount_units=2**60)
    logs.info(_log, "order_paid", reason="", wallet=None)

    assert lines(caplog) == [
        {"event": "order_received", "wallet": "0x5290…9EE7", "reason": "…", "order_id": "1001"},
        {
            "event": "order_bound",
            "wallet": "0x5290…9EE7",
            "reason": "…",
            "amount_units": "1152921504606846976",
        },
        {"event": "order_paid", "reason": "", "wallet": None},
    ]


def test_personal_data_is_whole_in_what_a_person_must_look_at(caplog: pytest.LogCaptureFixture) -> None:
    """At WARNING and above somebody has to find the customer."""
    logs.warning(_log, "simulation_refused", wallet=WALLET)
    logs.error(_log, "alarm", reason="para Ana")

    assert [line.get("wallet") or line["reason"] for line in lines(caplog)] == [WALLET, "para Ana"]


def test_personal_data_is_whole_where_the_setting_asks_for_it(caplog: pytest.LogCaptureFixture) -> None:
    """At one's own desk."""
    logs.show_personal_data(shown=True)
    try:
        logs.info(_log, "order_received", wallet=WALLET)
    finally:
        logs.show_personal_data(shown=False)

    assert lines(caplog)[0]["wallet"] == WALLET
