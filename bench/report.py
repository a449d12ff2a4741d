"""Writes the page, in two languages, and its charts from the figures of one run; the figures are kept beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.charts import bars, number
from bench.figures import Latency, Paid
from bench.reading import reading
from bench.run import Result
from bench.targets import largest, targets
from bench.words import EN, PT, Words
from devstack import paths

DOCS = paths.ROOT / "docs"
FIGURES = DOCS / "benchmarks.json"
PAGES: Mapping[Path, Words] = {DOCS / "benchmarks.md": EN, DOCS / "pt-BR" / "benchmarks.md": PT}
_KINDS_SHOWN = 12


def write(result: Result) -> None:
    """Write figures, pages and charts."""
    result.write(FIGURES)
    for path, text in files(result).items():
        path.write_text(text, "utf-8")


def files(result: Result) -> Mapping[Path, str]:
    """Return what is written, by where."""
    pages = {path: page(result, words) for path, words in PAGES.items()}
    return pages | {DOCS / "images" / f"{name}.svg": text for name, text in charts(result).items()}


def summary(result: Result) -> str:
    """Return the table of the targets, for a console."""
    return "\n".join(_targets(result, EN))


def page(result: Result, words: Words) -> str:
    """Return the page in the language of *words*."""
    facts = {**result.machine, **result.versions, "when": result.when, "busy": result.busy_before}
    parts = [
        f"# {words.title}\n\n{words.other}",
        words.intro,
        words.ran_on.format(**facts),
        "\n".join(_targets(result, words)),
        _picture("bench-orders", words),
        f"## {words.paid_title}\n\n" + "\n".join(_paid(result, words)),
        _picture("bench-storage", words),
        f"## {words.requests_title}\n\n{words.requests_intro}\n\n" + "\n".join(_kinds(largest(result.batch))),
        *_finished(result, words),
        f"## {words.webhook_title}\n\n" + "\n".join(_webhook(result, words)),
        f"## {words.gas_title}\n\n" + "\n".join(_gas(result, words)),
        _picture("bench-gas", words),
        *_cold(result, words),
        f"## {words.reading_title}\n\n{reading(result, words)}",
    ]
    return "\n\n".join(parts) + "\n"


def charts(result: Result) -> Mapping[str, str]:
    """Return the pictures, by name."""
    runs = runs_of(result)
    gas = [(f"{'guard' if each.guarded else 'no guard'}, {each.size}", float(each.new_holder)) for each in result.gas]
    storage = [(each.name, each.storage_each) for each in runs[1:]]
    return {
        "bench-orders": bars("Orders until final", [(each.name, each.orders_per_s) for each in runs], "orders/s"),
        "bench-storage": bars("Requests to tables and queues", storage, "an order"),
        "bench-gas": bars("Gas of a payout to a new holder", gas, "gas"),
    }


def runs_of(result: Result) -> Sequence[Paid]:
    """Return every run that paid orders, the script's first."""
    waiting = [result.waiting] if result.waiting else []
    return [result.script, *result.single, *result.batch, *result.lanes, *waiting]


def _picture(name: str, words: Words) -> str:
    return f"![{name}]({words.up}images/{name}.svg)"


def _targets(result: Result, words: Words) -> Iterator[str]:
    yield words.target_head
    for each in targets(result):
        sign = "≥" if each.at_least else "≤"
        said = words.met if each.met else f"**{words.missed}**"
        yield f"| {words.targets[each.name]} | {sign} {number(each.bound)} | {number(each.measured)} | {said} |"


def _paid(result: Result, words: Words) -> Iterator[str]:
    yield words.paid_head
    for each in runs_of(result):
        calls = f"{number(each.each('rpc'))} ({number(each.rpc_calls / each.orders)})"
        storage = f"{number(each.each('table'))}, {number(each.each('queue'))}"
        cpu = f"{number(each.app_cpu_s / each.orders * 1000)}, {number(each.host_cpu_s / each.orders * 1000)}"
        cells = (
            *(each.name, each.orders, each.transactions, number(each.orders_per_s)),
            *(_latency(each.submitted), _latency(each.final), calls, storage, cpu),
            *(f"{each.memory_mib:.0f}", number(each.gas_used / each.orders)),
        )
        yield "| " + " | ".join(map(str, cells)) + " |"


def _kinds(paid: Paid) -> Iterator[str]:
    yield "| | |\n|---|---|"
    counted = [
        (f"{service}: {kind}", count) for service in ("table", "queue") for kind, count in paid.kinds[service].items()
    ]
    for kind, count in sorted(counted, key=lambda each: -each[1])[:_KINDS_SHOWN]:
        yield f"| {kind} | {count} |"


def _finished(result: Result, words: Words) -> Iterator[str]:
    """Each look over the fewest finished orders and over the most: where they were measured."""
    if not result.finished:
        return
    rows = [
        f"| {words.looks[each.name]} | {each.orders:,} | {each.requests} | {each.rows} | {number(each.cpu_ms)} |"
        for each in sorted(result.finished, key=lambda each: (list(words.looks).index(each.name), each.orders))
    ]
    yield f"## {words.finished_title}\n\n{words.finished_head}\n" + "\n".join(rows)


def _webhook(result: Result, words: Words) -> Iterator[str]:
    yield words.webhook_head
    for each in result.webhook:
        cpu = f"{each.app_cpu_ms:.2f} | {each.host_cpu_ms:.2f}"
        asked = number(each.table_requests / each.requests)
        times = f"{_latency(each.webhook, 1000)} | {_latency(each.raw, 1000)}"
        yield f"| {each.per_s} | {times} | {cpu} | {asked} | {each.failed} |"
    if (found := result.in_worker) is not None:
        yield ""
        yield words.in_worker.format(
            requests=found.requests,
            app=found.app_cpu_ms,
            library=found.library_cpu_ms,
            ratio=found.app_cpu_ms / found.library_cpu_ms,
            costs=", ".join(f"{words.costs[cost.name]} {cost.share:.0%}" for cost in found.costs[:3]),
        )


def _gas(result: Result, words: Words) -> Iterator[str]:
    yield words.gas_head
    for each in result.gas:
        way = words.guarded if each.guarded else words.plain
        yield f"| {way} | {each.size} | {each.new_holder:,} | {each.existing_holder:,} |"


def _cold(result: Result, words: Words) -> Iterator[str]:
    if result.cold is not None:
        said = words.cold.format(
            importing=result.cold.importing_s,
            webhook=result.cold.first_webhook_s,
            payout=result.cold.first_payout_s,
            memory=result.cold.idle_memory_mib,
        )
        yield f"## {words.cold_title}\n\n{said}"


def _latency(found: Latency, times: float = 1.0) -> str:
    return " / ".join(number(each * times) for each in (found.p50, found.p95, found.p99))
