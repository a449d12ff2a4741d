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

ROOT = Path(__file__).parents[2]


def rules() -> dict[str, str]:
    """Return the query of each alert, by its name."""
    declared = bicep.module("alerts.bicep")["variables"]
    names = {name: one["value"] for name, one in declared.items()}
    return {rule["name"]: bicep.value(rule["query"], names) for rule in declared["rules"]["value"]}


def resolves() -> dict[str, bool]:
    """Return of each alert whether it says by itself that it is over."""
    return {rule["name"]: rule["resolves"] for rule in bicep.module("alerts.bicep")["variables"]["rules"]["value"]}


def test_two_rules_suffice() -> None:
    """Each costs the same whether it fires or not: a condition is one, an event is the other."""
    assert set(rules()) == {"not-working", "alarm"}


def test_nothing_is_said_to_be_over_while_its_cause_stands() -> None:
    """The line of a held order is written once: a rule that resolves would send "Resolved" while the order is held."""
    body = bicep.of_type("Microsoft.Insights/scheduledQueryRules")["properties"]

    assert resolves() == {"not-working": True, "alarm": False}
    assert "autoMitigate: each.resolves\n" in bicep.read(bicep.INFRA / "alerts.bicep")
    assert "muteActionsDuration" not in body  # whose silence might take the next held order in


def test_the_alert_of_alarms_knows_no_code() -> None:
    """So a new one needs no change here, and the runbook has a heading for each, see its own test."""
    assert set(re.findall(r'"([a-z_]+)"', rules()["alarm"])) == {"alarm"}


def test_the_alerts_on_requests_name_functions() -> None:
    """A function that is renamed would never be missed."""
    assert 'Name == "sweep"' in rules()["not-working"]
    assert workers.sweep._function.get_function_name() == "sweep"
    assert 'Name startswith "receive_"' in rules()["not-working"]
    assert orders.receive_order._function.get_function_name() == "receive_order"


async def test_an_alarm_line_has_what_the_alerts_read(caplog: pytest.LogCaptureFixture) -> None:
    """One JSON object with event, code, subject and summary."""
    await LogAlarms().raise_(Alarm(code="low_gas", summary="Little gas.", action="Send POL.", subject="0xab"))

    line = json.loads(caplog.messages[0])
    assert {"event": "alarm", "code": "low_gas", "subject": "0xab", "summary": "Little gas."}.items() <= line.items()
    assert {"code", "subject", "summary"} <= set(re.findall(r"line\.(\w+)", rules()["alarm"]))


@pytest.mark.parametrize("host", ["host.json", "payflow/host.json"])
def test_no_alarm_is_sampled_or_filtered_away(host: str) -> None:
    """
    Application Insights thins out what is not excluded, and a line below its category's level is never sent.

    AppRequests come of the category Host.Results, the app's own lines of Function. Source:
    https://learn.microsoft.com/azure/azure-functions/configure-monitoring
    """
    logging = json.loads((ROOT / host).read_text("utf-8"))["logging"]
    sampling = logging["applicationInsights"]["samplingSettings"]

    assert {"Request", "Trace"} <= set(sampling["excludedTypes"].split(";"))
    assert logging["logLevel"] == {"default": "Warning", "Function": "Information", "Host.Results": "Information"}


def test_both_apps_have_the_same_host_but_for_what_is_theirs() -> None:
    """PayFlow's functions run longer, and take fewer messages at once: a mail server is asked by each."""
    distributor, payflow = (json.loads((ROOT / file).read_text("utf-8")) for file in ("host.json", "payflow/host.json"))
    distributor["extensions"]["queues"] |= {"batchSize": 4, "newBatchThreshold": 2}

    assert payflow == {**distributor, "functionTimeout": "00:20:00"}
    assert (payflow["version"], payflow["extensionBundle"]["version"]) == ("2.0", "[4.0.0, 5.0.0)")
