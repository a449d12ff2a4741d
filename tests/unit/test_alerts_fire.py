"""Each alert rule, run over the lines that this service writes: it fires for what it should, and for nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from distributor.adapters.alarms import LogAlarms
from distributor.payout.catalogue import CATALOGUE
from distributor.ports import Alarm
from foundation import logs
from tests.unit.test_infra_alerts import rules


class Workspace:
    """The two tables of Application Insights, in a database that reads the rules' own language."""

    def __init__(self) -> None:
        try:
            import duckdb_kql
        except ImportError:
            missing = "duckdb-kql is not installed: pip install -r requirements-dev.txt"
            pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
        self._kql = duckdb_kql
        self._tables = duckdb_kql.connect()
        self._tables.sql("CREATE TABLE AppTraces (TimeGenerated TIMESTAMPTZ, Message VARCHAR)")
        self._tables.sql(
            "CREATE TABLE AppRequests (TimeGenerated TIMESTAMPTZ, Name VARCHAR, Success BOOLEAN, ResultCode VARCHAR,"
            " OperationId VARCHAR)"
        )

    def traces(self, *messages: str) -> None:
        for message in messages:
            self._tables.execute("INSERT INTO AppTraces VALUES (?, ?)", [datetime.now(UTC), message])

    def request(self, name: str, result: str, *, age: timedelta = timedelta()) -> None:
        row = [datetime.now(UTC) - age, name, result < "500", result, "an-operation"]
        self._tables.execute("INSERT INTO AppRequests VALUES (?, ?, ?, ?, ?)", row)

    def fires(self, rule: str) -> Sequence[tuple[str, str]]:
        """Return code and subject of each row the rule finds: its dimensions."""
        found: Sequence[tuple[Any, ...]] = self._kql.kql(self._tables, rules()[rule]).fetchall()
        return [(code, subject) for _, code, subject, _ in found]


@pytest.fixture
def workspace() -> Workspace:
    """An empty workspace, as a new app has it."""
    return Workspace()


async def alarm_line(caplog: pytest.LogCaptureFixture, code: str) -> str:
    """The line the service writes for an alarm."""
    caplog.clear()
    await LogAlarms().raise_(Alarm(code=code, summary="What happened.", action="What to do.", subject="default:A-1"))
    return caplog.messages[0]


async def test_each_alarm_fires_one_rule(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    """With code and subject; every code of the catalogue, in one look."""
    workspace.request("sweep", "0")
    workspace.traces(*[await alarm_line(caplog, code) for code in CATALOGUE.codes])

    assert sorted(workspace.fires("alarm")) == [(code, "default:A-1") for code in sorted(CATALOGUE.codes)]
    assert workspace.fires("not-working") == []


def test_other_lines_fire_none(workspace: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    """Text of the host, other events, and lines that only look like an alarm."""
    import logging

    with caplog.at_level(logging.INFO):
        logs.info(logging.getLogger("distributor"), "order_paid", order_id="A-1", code="held_simulation")
    alike = json.dumps({"event": "alarm_over", "code": "low_gas"})
    workspace.request("sweep", "0")
    workspace.traces("Executed 'Functions.sweep' (Succeeded)", "{", "[1]", alike, *caplog.messages)

    assert [rule for rule in rules() if workspace.fires(rule)] == []


def test_a_sweep_that_stopped_fires_and_one_that_runs_does_not(workspace: Workspace) -> None:
    """Never seen, seen too long ago, and failed ones alone: all are a sweep that does not run."""
    assert workspace.fires("not-working") == [("no_sweep", "")]

    workspace.request("sweep", "0", age=timedelta(minutes=6))
    workspace.request("distribute", "0")
    workspace.request("sweep", "500")
    assert workspace.fires("not-working") == [("no_sweep", "")]

    workspace.request("sweep", "0", age=timedelta(minutes=4))
    assert workspace.fires("not-working") == []


@pytest.mark.parametrize("name", ["receive_order", "receive_woocommerce_order"])
def test_a_webhook_that_answers_with_a_server_error_fires(workspace: Workspace, name: str) -> None:
    """A refusal of the sender's own fault does not, nor another function's error; a dead sweep hides none."""
    workspace.request("sweep", "0")
    for status in ("202", "401", "422", "429"):
        workspace.request(name, status)
    workspace.request("ready", "503")
    assert workspace.fires("not-working") == []

    workspace.request(name, "503")
    assert workspace.fires("not-working") == [("http_503", "webhook")]


def test_what_is_not_working_is_named_each_by_itself(workspace: Workspace) -> None:
    """Both at once are two alerts, and one that ends leaves the other."""
    workspace.request("receive_order", "500")

    assert sorted(workspace.fires("not-working")) == [("http_500", "webhook"), ("no_sweep", "")]
