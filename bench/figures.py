"""What is measured of a run: requests, processor time, memory, latencies; and the machine it ran on."""

from __future__ import annotations

import json
import platform
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

MIB = 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Requests to storage and node, and what they were."""

    requests: Counter[str]
    calls: Mapping[str, Counter[str]]

    @classmethod
    def at(cls, url: str) -> Counts:
        """Ask the counter that listens at *url*."""
        with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310 -- our own loopback URL
            said = json.load(reply)
        return cls(
            requests=Counter(said["requests"]), calls={kind: Counter(each) for kind, each in said["calls"].items()}
        )

    def __sub__(self, earlier: Counts) -> Counts:
        return Counts(
            requests=self.requests - earlier.requests,
            calls={kind: each - earlier.calls[kind] for kind, each in self.calls.items()},
        )


def cpu_s(process: psutil.Process) -> float:
    """Return the seconds a process and its living children have computed so far."""
    return sum(times.user + times.system for times in (each.cpu_times() for each in _family(process)))


def memory_mib(process: psutil.Process) -> float:
    """Return the resident memory of a process and its children."""
    return sum(each.memory_info().rss for each in _family(process)) / MIB


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Latency:
    """How long things took, in seconds, at three places of their order."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        return cls(p50=quantile(seconds, 0.50), p95=quantile(seconds, 0.95), p99=quantile(seconds, 0.99))


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest of *values* that *share* of them do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] if ordered else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Paid:
    """What paying some orders took, one by one or in batches."""

    name: str
    orders: int
    transactions: int
    in_a_block: float
    """Transactions in each block, from the first of them to the one before the last."""
    seconds_to_submitted: float
    seconds_to_final: float
    submitted: Latency
    """From the order's arrival until a node had its transaction."""
    final: Latency
    requests: Mapping[str, int]
    """To storage (``table``, ``queue``, ``blob``) and node (``rpc``)."""
    rpc_calls: int
    app_cpu_s: float
    """Of the process that runs the app's code."""
    host_cpu_s: float
    """Of what the Functions host does around it."""
    memory_mib: float
    gas_used: int
    lanes: int = 1
    """Operators that may pay at once."""
    operators: int = 1
    """How many of them paid: one is enough while its places are."""
    waiting: int = 0
    """Orders that waited before the first was bound; 0: they were paid as they came."""
    kinds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """The requests by what they ask, the commonest first."""

    def each(self, service: str) -> float:
        """Return the requests to *service* of one order."""
        return self.requests.get(service, 0) / self.orders

    @property
    def storage_each(self) -> float:
        """Return the requests to tables and queues of one order; the host's own are among them."""
        return self.each("table") + self.each("queue")

    @property
    def cpu_ms_each(self) -> float:
        """Return the processor time of one order, the app's and the host's."""
        return (self.app_cpu_s + self.host_cpu_s) / self.orders * 1000

    @property
    def orders_per_s(self) -> float:
        return self.orders / self.seconds_to_final


def machine() -> Mapping[str, str]:
    """Return what the figures were measured on."""
    return {
        "processor": _processor(),
        "cores": str(psutil.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8", errors="replace").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def busy() -> float:
    """Return how much of the machine others use just now, in processors, over one second."""
    share: Any = psutil.cpu_percent(interval=1.0)
    return float(share) / 100 * (psutil.cpu_count() or 1)
