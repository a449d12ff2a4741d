"""
Metrics as Prometheus reads them: declared once, filled at each scrape from what is stored.

Nothing is counted in this process: a gauge, a total or a histogram says what the ledger says, so that
every instance answers the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from foundation.errors import require

CONTENT_TYPE = CONTENT_TYPE_LATEST


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricKind:
    """One metric: its name is a promise to dashboards and rules. A total's name ends in ``_total``."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A value of a gauge or a total. Numbers leave as the text format has them: 64-bit floating point."""

    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """A histogram: the upper bounds of its classes, how many are in each, the last one without bound, and the sum."""

    labels: tuple[str, ...]
    bounds: Sequence[float]
    counts: Sequence[int]
    total: float


@dataclass(frozen=True, slots=True)
class Exposition:
    """The values of one scrape. Raises InvariantBroken for a name or labels that are not declared."""

    kinds: Mapping[str, MetricKind]
    _samples: dict[str, list[Sample]] = field(default_factory=dict)
    _distributions: dict[str, list[Histogram]] = field(default_factory=dict)

    def add(self, name: str, value: float, *labels: str) -> None:
        """Add a value of a gauge or a total."""
        self._declared(name, labels, histogram=False)
        self._samples.setdefault(name, []).append(Sample(labels=labels, value=value))

    def add_distribution(
        self, name: str, bounds: Sequence[float], counts: Sequence[int], total: float, *labels: str
    ) -> None:
        """Add a histogram."""
        self._declared(name, labels, histogram=True)
        found = Histogram(labels=labels, bounds=bounds, counts=counts, total=total)
        self._distributions.setdefault(name, []).append(found)

    def text(self) -> bytes:
        """Return all of it in the text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Families(list(self._families())))
        return generate_latest(registry)

    def _declared(self, name: str, labels: Sequence[str], *, histogram: bool) -> None:
        kind = self.kinds.get(name)
        fits = kind is not None and len(kind.labels) == len(labels) and (kind.kind == "histogram") is histogram
        require(fits, f"metric {name} is not declared so")

    def _families(self) -> Iterator[Metric]:
        for name, kind in self.kinds.items():
            if kind.kind == "histogram":
                yield _histogram(kind, self._distributions.get(name, []))
            else:
                yield _family(kind, self._samples.get(name, []))


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._all = families

    def collect(self) -> Iterable[Metric]:
        return self._all


def _histogram(kind: MetricKind, found: Iterable[Histogram]) -> Metric:
    histogram = HistogramMetricFamily(kind.name, kind.meaning, labels=kind.labels)
    for each in found:
        histogram.add_metric(each.labels, _cumulative(each), each.total)
    return histogram


def _family(kind: MetricKind, samples: Iterable[Sample]) -> Metric:
    family = GaugeMetricFamily if kind.kind == "gauge" else CounterMetricFamily
    found = family(kind.name, kind.meaning, labels=kind.labels)
    for each in samples:
        found.add_metric(each.labels, each.value)
    return found


def _cumulative(each: Histogram) -> list[tuple[str, float]]:
    so_far, buckets = 0, list[tuple[str, float]]()
    for bound, count in zip([*map(str, each.bounds), "+Inf"], each.counts, strict=True):
        so_far += count
        buckets.append((bound, so_far))
    return buckets
