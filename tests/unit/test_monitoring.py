"""Rules and dashboard over GET /metrics: read as their readers do, and the rules run over what the service shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from distributor.metrics import KINDS
from tests import prometheus
from tests.fakes.bench import Bench
from tests.prometheus import Sample
from tests.unit.test_facts import bench
from tests.unit.test_metrics import busy, metrics_of

__all__ = ["bench"]

FOLDER = Path(__file__).parents[2] / "infra" / "monitoring"
RULES, DASHBOARD = FOLDER / "prometheus-rules.yaml", FOLDER / "grafana-dashboard.json"
KNOWN = {kind.name: kind.labels for kind in KINDS.values()}
QUIET: tuple[Sample, ...] = (
    ("ballx_sweep_age_seconds", {}, 60),
    ("ballx_oldest_waiting_seconds", {}, 0),
    ("ballx_oldest_open_seconds", {"operator": "0xa"}, 0),
)
"""A service that has nothing to do."""
HELD_AN_ORDER = {"code": "held_reverted", "severity": "error"}
EDGES: dict[str, tuple[tuple[Sample, ...], tuple[Sample, ...], str, str]] = {
    "BallxNoData": (QUIET, (), "5m", "critical"),
    "BallxSweepMissing": (
        (("ballx_sweep_age_seconds", {}, 300),), (("ballx_sweep_age_seconds", {}, 301),), "1m", "critical",
    ),
    "BallxAlarm": (QUIET, (*QUIET, ("ballx_alarm", HELD_AN_ORDER, 1)), "2m", "{{ $labels.severity }}"),
    "BallxOrderWaitsLong": (
        (*QUIET, ("ballx_oldest_waiting_seconds", {}, 900)), (*QUIET, ("ballx_oldest_waiting_seconds", {}, 901)),
        "0s", "error",
    ),
    "BallxTransactionOpenLong": (
        (*QUIET, ("ballx_oldest_open_seconds", {"operator": "0xb"}, 600)),
        (*QUIET, ("ballx_oldest_open_seconds", {"operator": "0xb"}, 601)),
        "0s", "error",
    ),
}  # fmt: skip
"""Of each rule a scrape that is just good, one that is just not; how long it must be so; the severity."""


def named(name: str, text: str = "") -> prometheus.Rule:
    """Return one rule."""
    (found,) = (rule for rule in prometheus.rules(text or RULES.read_text("utf-8")) if rule.alert == name)
    return found


def faults(text: str) -> list[str]:
    """Return what is wrong with a file of rules, by every test of this page."""
    try:
        found = prometheus.rules(text)
        asked = [name for rule in found for name in prometheus.strangers(rule.expr, KNOWN)]
    except ValueError as why:
        return [str(why)]
    wrong = [*asked, *(each for rule in found for each in prometheus.unfilled(rule))]
    if {rule.alert for rule in found} != set(EDGES):
        return [*wrong, "a rule is missing, or nobody looked at it"]
    for rule in found:
        good, bad, holds, severity = EDGES[rule.alert]
        fired = (bool(prometheus.fires(rule, good)), bool(prometheus.fires(rule, bad)))
        if (*fired, rule.holds_for, rule.labels["severity"]) != (False, True, holds, severity):
            wrong.append(f"{rule.alert} fires otherwise")
    return wrong


def test_the_rules_are_read_and_fire_where_they_should() -> None:
    """Each key, duration, query, metric, label and template; and each threshold from both sides."""
    assert faults(RULES.read_text("utf-8")) == []


@pytest.mark.parametrize("name", EDGES)
def test_a_service_with_nothing_to_do_fires_none(name: str) -> None:
    """Beside an order that is paid within its time, too."""
    assert prometheus.fires(named(name), QUIET) == []


async def test_the_rules_find_what_a_scrape_of_the_service_shows(bench: Bench) -> None:
    """The alarm with its code and severity; and a ledger that was never swept is not taken for a good one."""
    empty = _scrape((await metrics_of(bench).text()).decode())
    await busy(bench)
    scrape = _scrape((await metrics_of(bench).text()).decode())

    assert prometheus.fires(named("BallxAlarm"), scrape) == [{"code": "low_gas", "severity": "warning"}]
    assert {name for name in EDGES if prometheus.fires(named(name), scrape)} == {"BallxAlarm"}
    assert prometheus.fires(named("BallxSweepMissing"), empty) == [{}]


def _scrape(text: str) -> list[Sample]:
    families = text_string_to_metric_families(text)
    return [(each.name, each.labels, each.value) for family in families for each in family.samples]


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("        for: 5m", "        for_: 5m"),
        ("        for: 5m", "        for: five minutes"),
        ("        for: 5m", "        for: 5m\n        for: 9m"),
        ("        for: 2m", "        for: 2h"),
        ("        expr: absent(", "        exp: absent("),
        ("absent(ballx_sweep_age_seconds)", "absent(ballx_sweep_age_second)"),
        ("absent(ballx_sweep_age_seconds)", "absent(ballx_sweep_age_seconds"),
        ("absent(ballx_sweep_age_seconds)", "missing(ballx_sweep_age_seconds)"),
        ("absent(ballx_sweep_age_seconds)", "rate(ballx_sweep_age_seconds)"),
        ("by (code, severity)", "by (code, severty)"),
        ("by (code, severity)", "by (code)"),
        ("$labels.code", "$label.code"),
        ("$labels.code }}", "$labels.cod }}"),
        ("> 300", "> 3000"),
        ("> 900", "< 900"),
        ("labels: { severity: critical }", "labels: { severty: critical }"),
        ("labels: { severity: error }", "labels: { severity: 1 }"),
        ("alert: BallxAlarm", "alert: BallxSweepMissing"),
        ("alert: BallxAlarm", "record: BallxAlarm"),
        ("  - name: ballx", "  - nmae: ballx"),
        ("    rules:", "    ruls:"),
        ("groups:", "group:"),
    ],
)
def test_a_wrong_line_of_the_rules_is_noticed(line: str, other: str) -> None:
    """One each, so that the tests above can fail."""
    text = RULES.read_text("utf-8")
    assert line in text

    try:
        assert faults(text.replace(line, other, 1)) != []
    except (KeyError, NotImplementedError):
        return  # refused at once


def test_the_dashboard_is_read_and_asks_for_what_there_is() -> None:
    """Every metric, and nothing else; no panel lies on another."""
    queries = prometheus.dashboard(DASHBOARD.read_text("utf-8"))

    assert {query: found for query in queries if (found := prometheus.strangers(query, KNOWN))} == {}
    assert [name for name in KNOWN if not any(name in query for query in queries)] == []


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ('"expr": "sum by (state) (ballx_orders)"', '"exp": "sum by (state) (ballx_orders)"'),
        ('"targets": [', '"target": ['),
        ('"uid": "${source}"', '"uid": "${sorce}"'),
        ('"type": "timeseries"', '"type": "timeserie"'),
        ('"unit": "s"', '"unit": "sec"'),
        ('"x": 12', '"x": 11'),
        ('"w": 12', '"w": 25'),
        ('"id": 2,', '"id": 1,'),
        ('"refId": "B"', '"refId": "A"'),
        ('"refresh": "1m"', '"refesh": "1m"'),
        ('"from": "now-24h"', '"from": "24h"'),
        ('"query": "prometheus"', '"query": "promethus"'),
    ],
)
def test_a_wrong_line_of_the_dashboard_is_noticed(line: str, other: str) -> None:
    """One each, so that the test above can fail."""
    text = DASHBOARD.read_text("utf-8")
    assert line in text

    with pytest.raises(ValueError, match=r"\S"):
        prometheus.dashboard(text.replace(line, other, 1))


@pytest.mark.parametrize("query", ["sum by (stat) (ballx_orders)", "max(ballx_order)", "sum(ballx_orders{stat='a'})"])
def test_a_query_in_vain_is_noticed(query: str) -> None:
    """Prometheus answers it with nothing, and no word."""
    assert len(prometheus.strangers(query, KNOWN)) == 1
