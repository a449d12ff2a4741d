"""The alert rules of infra/: what they ask for is what the service writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from distributor.adapters.alarms import LogAlarms
from distributor.functions import orders, workers
from distributor.ports import Alarm
from tests import bicep
from tests.unit.test_runbook import ENTRIES

ROOT = Path(__file__).parents[2]


def rules() -> dict[str, str]:
    """Return the query of each alert, by its name."""
    declared = bicep.module("alerts.bicep")["variables"]
    names = {name: one["value"] for name, one in declared.items()}
    return {rule["name"]: bicep.value(rule["query"], names) for rule in declared["rules"]["value"]}


def test_every_code_an_alert_asks_for_can_be_raised() -> None:
    """The runbook's headings are the alarms of the code, see its own test."""
    asked = " ".join(query for name, query in rules().items() if name in ("poison", "held", "low", "other-alarm"))
    codes = set(re.findall(r'"([a-z_]+)"', asked)) - {"alarm", "held_"}

    assert codes
    assert codes <= set(ENTRIES)
    assert any(entry.startswith("held_") for entry in ENTRIES)


def test_every_alarm_is_in_one_alert() -> None:
    """What is left over by the named ones is what the last one takes."""
    named = {code for name in ("poison", "low") for code in re.findall(r'"([a-z_]+)"', rules()[name])} - {"alarm"}
    left_over = re.search(
        r'code != "(\w+)" and not\(code startswith "held_"\) and code !in \(([^)]*)\)', rules()["other-alarm"]
    )

    assert left_over
    assert {left_over[1], *re.findall(r'"(\w+)"', left_over[2])} == named


def test_the_alerts_on_requests_name_functions() -> None:
    """A function that is renamed would never be missed."""
    assert 'Name == "sweep"' in rules()["no-sweep"]
    assert workers.sweep._function.get_function_name() == "sweep"
    assert 'Name startswith "receive_"' in rules()["refusing"]
    assert orders.receive_order._function.get_function_name() == "receive_order"


async def test_an_alarm_line_has_what_the_alerts_read(caplog: pytest.LogCaptureFixture) -> None:
    """One JSON object with event, code, subject and summary."""
    await LogAlarms().raise_(Alarm(code="low_gas", summary="Little gas.", action="Send POL.", subject="0xab"))

    line = json.loads(caplog.messages[0])
    assert {"event": "alarm", "code": "low_gas", "subject": "0xab", "summary": "Little gas."}.items() <= line.items()
    assert {"code", "subject", "summary"} <= set(re.findall(r"line\.(\w+)", rules()["held"]))


def test_no_alarm_is_sampled_away() -> None:
    """Application Insights thins out what is not excluded."""
    insights = json.loads((ROOT / "host.json").read_text("utf-8"))["logging"]["applicationInsights"]

    assert {"Request", "Trace"} <= set(insights["samplingSettings"]["excludedTypes"].split(";"))
