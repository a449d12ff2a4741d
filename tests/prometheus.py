"""
Reads alert rules and dashboards as Prometheus and Grafana do, which refuse or pass over what they do not know.

Queries are parsed by a port of Prometheus' own parser. The small part of the language that the rules are written in is
run over a scrape: `max` and `sum` with `by`, `absent`, `>` with a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import promql_parser
import yaml
from promql_parser import AggModifierType, AggregateExpr, BinaryExpr, Call, NumberLiteral, VectorSelector
from pydantic import BaseModel, ConfigDict, Field, field_validator

Sample = tuple[str, Mapping[str, str], float]
"""One line of a scrape: metric, labels, value."""
_TEMPLATE = re.compile(r"\{\{(.*?)\}\}")
_OF_A_LABEL = re.compile(r" \$labels\.(\w+) ")
_PARTS = ("_bucket", "_sum", "_count")
"""What a histogram's lines are called."""


class _Strict(BaseModel):
    """What is read: an unknown key, or a value of another type, is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Rule(_Strict):
    """
    One alert.

    Source: https://github.com/prometheus/prometheus/blob/main/model/rulefmt/rulefmt.go (read in November 2026).
    """

    alert: str = Field(pattern=r"^[A-Z]\w+$")
    expr: str
    holds_for: str = Field(default="0s", alias="for")
    keep_firing_for: str = "0s"
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @field_validator("expr")
    @classmethod
    def _is_a_query(cls, text: str) -> str:
        promql_parser.parse(text)
        return text

    @field_validator("holds_for", "keep_firing_for")
    @classmethod
    def _is_a_duration(cls, text: str) -> str:
        promql_parser.parse_duration(text)
        return text


class _Group(_Strict):
    name: str
    interval: str = "1m"
    rules: list[Rule]


class Rules(_Strict):
    """A file of rules."""

    groups: list[_Group]


class _Keys(yaml.SafeLoader):
    """YAML whose mappings have each key once."""


def _once(loader: _Keys, node: yaml.MappingNode) -> dict[Any, Any]:
    found = [loader.construct_object(key, deep=True) for key, _ in node.value]
    if len(found) > len(set(found)):
        raise ValueError(f"a key stands twice among {found}")
    return loader.construct_mapping(node, deep=True)


_Keys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _once)


def rules(text: str) -> list[Rule]:
    """Return the rules of a file. Raises ValueError for what Prometheus does not read."""
    groups = Rules.model_validate(yaml.load(text, _Keys)).groups  # noqa: S506 -- a SafeLoader, stricter
    found = [rule for group in groups for rule in group.rules]
    if len({rule.alert for rule in found}) < len(found) or len({group.name for group in groups}) < len(groups):
        raise ValueError("a name stands twice")
    return found


# A dashboard --------------------------------------------------------------------------------------


class _Datasource(_Strict):
    type: Literal["prometheus"]
    uid: Literal["${source}"]


class _Place(_Strict):
    x: int = Field(ge=0)
    y: int = Field(ge=0)
    w: int = Field(ge=1, le=24)
    h: int = Field(ge=1)


class _Defaults(_Strict):
    unit: Literal["short", "s"]
    min: int


class _Fields(_Strict):
    defaults: _Defaults
    overrides: list[None]


class _Target(_Strict):
    ref: str = Field(alias="refId", pattern="^[A-Z]$")
    expr: str


class _Panel(_Strict):
    id: int
    type: Literal["timeseries"]
    title: str
    datasource: _Datasource
    place: _Place = Field(alias="gridPos")
    fields: _Fields = Field(alias="fieldConfig")
    targets: list[_Target] = Field(min_length=1)


class _Variable(_Strict):
    name: Literal["source"]
    label: str
    type: Literal["datasource"]
    query: Literal["prometheus"]


class _Variables(_Strict):
    all: list[_Variable] = Field(alias="list", min_length=1, max_length=1)


class _Period(_Strict):
    begin: str = Field(alias="from", pattern=r"^now-\d+[hd]$")
    to: Literal["now"]


class Dashboard(_Strict):
    """
    What the dashboard uses of Grafana's model; Grafana itself passes over a key it does not know.

    Source: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
    """

    title: str
    uid: str
    schemaVersion: int  # noqa: N815 -- Grafana's word
    version: int
    refresh: str
    time: _Period
    templating: _Variables
    panels: list[_Panel]


def dashboard(text: str) -> list[str]:
    """Return the queries of a dashboard. Raises ValueError for what Grafana would pass over or draw wrongly."""
    panels = Dashboard.model_validate_json(text).panels
    cells = [
        (panel.place.x + right, panel.place.y + down)
        for panel in panels
        for right in range(panel.place.w)
        for down in range(panel.place.h)
    ]
    if len(cells) > len(set(cells)) or max(column for column, _ in cells) > 23:
        raise ValueError("a panel lies on another, or outside")
    names = [(panel.id, target.ref) for panel in panels for target in panel.targets]
    if len(names) > len(set(names)) or len({panel.id for panel in panels}) < len(panels):
        raise ValueError("an id stands twice")
    return [target.expr for panel in panels for target in panel.targets]


# Queries ------------------------------------------------------------------------------------------


def strangers(query: str, known: Mapping[str, Sequence[str]]) -> set[str]:
    """
    Return the metrics and labels that *query* asks for in vain. Raises ValueError if it is no query.

    Args:
        query: PromQL.
        known: The labels of each metric; of a histogram without its `_bucket`, `_sum` and `_count`.
    """
    nodes = _walked(query)
    metrics = [node for node in nodes if isinstance(node, VectorSelector)]
    names = {_family(str(metric.name), known) for metric in metrics}
    labels = {"le"}.union(*(known.get(name, ()) for name in names))
    asked = {matcher.name for metric in metrics for matcher in metric.matchers.matchers}
    asked.update(label for node in nodes for label in _grouped(node))
    return (names - set(known)) | (asked - labels)


def _family(name: str, known: Mapping[str, Sequence[str]]) -> str:
    return next((short for part in _PARTS if (short := name.removesuffix(part)) in known), name)


def _grouped(node: Any) -> list[str]:
    return list(node.modifier.labels) if isinstance(node, AggregateExpr) and node.modifier else []


def unfilled(rule: Rule) -> Iterator[str]:
    """Yield each `{{ … }}` of a rule's words that stays empty, or that this reader does not understand."""
    (first, *_) = _walked(rule.expr)
    kept = _grouped(first.lhs if isinstance(first, BinaryExpr) else first)
    for text in [*rule.labels.values(), *rule.annotations.values()]:
        for inside in _TEMPLATE.findall(text):
            label = _OF_A_LABEL.fullmatch(inside)
            if label is None or label[1] not in kept:
                yield inside.strip()


def _walked(query: str) -> list[Any]:
    nodes: list[Any] = []
    promql_parser.walk(promql_parser.parse(query), nodes.append)
    return nodes


def fires(rule: Rule, scrape: Sequence[Sample]) -> list[dict[str, str]]:
    """Return the labels of each series for which *rule* holds."""
    return [labels for labels, _ in _value(promql_parser.parse(rule.expr), scrape)]


def _value(node: Any, scrape: Sequence[Sample]) -> list[tuple[dict[str, str], float]]:
    match node:
        case VectorSelector() if not node.matchers.matchers and node.offset is None:
            return [(dict(labels), value) for name, labels, value in scrape if name == node.name]
        case Call() if node.func.name == "absent":
            return [] if _value(node.args[0], scrape) else [({}, 1.0)]
        case AggregateExpr() if str(node.op) in ("max", "sum") and (
            node.modifier is None or node.modifier.type == AggModifierType.By
        ):
            return _aggregated(str(node.op), _grouped(node), _value(node.expr, scrape))
        case BinaryExpr() if str(node.op) == ">" and isinstance(node.rhs, NumberLiteral):
            return [(labels, value) for labels, value in _value(node.lhs, scrape) if value > node.rhs.val]
    raise NotImplementedError(node.prettify())


def _aggregated(
    how: str, kept: Sequence[str], found: Sequence[tuple[dict[str, str], float]]
) -> list[tuple[dict[str, str], float]]:
    groups: dict[tuple[str, ...], list[float]] = {}
    for labels, value in found:
        groups.setdefault(tuple(labels.get(name, "") for name in kept), []).append(value)
    of = max if how == "max" else sum
    return [(dict(zip(kept, key, strict=True)), float(of(values))) for key, values in groups.items()]
