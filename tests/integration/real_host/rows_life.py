"""Rows about time and death: time-outs, dead workers, storage that is away, a stop, and timers between hosts."""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.error
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import psutil
import pytest

from devstack import stack
from devstack.servers import ServerFailed
from tests.integration.hosted import PATIENCE_S, Hosted, until
from tests.integration.real_host.bench import FAST, Trial, count, encoded, row
from tests.integration.real_host.storage_front import Door

LIFE = "Concurrency, time, death"
OUTAGE = "Storage away"
TIMERS = "Timers"
HURRY = {"DEVSTACK_TIME_SCALE": FAST}
ENDED = 70
NO_ANSWER = (urllib.error.URLError, http.client.HTTPException, ConnectionError)
TIMEOUT = {"AzureFunctionsJobHost__functionTimeout": "00:00:01"}


@contextmanager
def asking(host: Hosted, *paths: str) -> Iterator[list[Callable[[], int]]]:
    """Ask for each path at once; each function waits for its status."""
    with ThreadPoolExecutor(len(paths)) as clients:
        asked = [clients.submit(host.ask, path) for path in paths]
        yield [lambda each=each: int(each.result().status) for each in asked]  # type: ignore[misc]  # bound at once


@row(LIFE, "20 async functions at once", "as long as one", "host")
def _(host: Hosted) -> None:
    began = time.monotonic()
    with asking(host, *["/slow/1"] * 20) as answers:
        assert [answer() for answer in answers] == [200] * 20

    assert time.monotonic() - began < 15


@row(LIFE, "sync functions at once", "side by side on the worker's threads", "trial")
def _(trial: Trial) -> None:
    """The worker of Python 3.11 took 60; the library of 3.13, which ours runs, has a thread for each core and four."""
    with trial.host() as host, asking(host, *["/blocking/2"] * 4) as answers:
        assert [answer() for answer in answers] == [200] * 4
    lines = [json.loads(line)["what"] for line in (trial.folder / "seen").read_text("utf-8").splitlines()]

    assert lines == ["blocking begins"] * 4 + ["blocking ends"] * 4


@row(LIFE, "the client leaves", "the function runs to its end, its output is sent", "trial")
def _(trial: Trial) -> None:
    with trial.host() as host:
        where = urlsplit(host.url)
        with socket.create_connection((where.hostname, where.port)) as wire:
            wire.sendall(b"GET /slow/1 HTTP/1.1\r\nHost: x\r\n\r\n")
            until(lambda: trial.seen("slow begins"))
        until(lambda: trial.seen("slow ends"))


@row(LIFE, "functionTimeout", "the worker is replaced, all in it is lost; its own 500 comes later", "trial")
def _(trial: Trial) -> None:
    with trial.host(**TIMEOUT, **HURRY, DEVSTACK_STOP_S="2") as host, asking(host, "/slow/30") as (first,):
        until(lambda: trial.seen("slow begins"))
        (worker,) = psutil.Process(host.server.process.pid).children()
        with asking(host, "/slow/30") as (second,):
            assert (first(), second()) == (500, 500)
        assert host.ask("/healthz").status == 200
        assert not worker.is_running()

    assert "ran longer than functionTimeout" in host.log
    assert trial.seen("slow ends") == []


@row(LIFE, "functionTimeout of a message", "five runs, then poison", "trial")
def _(trial: Trial) -> None:
    trial.made().send_message(encoded("sleep 30"))
    with trial.host(**TIMEOUT, **HURRY):
        until(lambda: trial.seen("poison"))

    assert [run["count"] for run in trial.seen("work")] == [1, 2, 3, 4, 5]


@row(LIFE, "the worker dies", "500 at once for all in it; a new one serves", "trial")
def _(trial: Trial) -> None:
    with trial.host() as host, asking(host, "/slow/30") as (beside,):
        until(lambda: trial.seen("slow begins"))
        assert host.ask("/die").status == 500
        assert beside() == 500
        assert host.ask("/healthz").status == 200


@row(LIFE, "the third worker dies within 65 s", "the host process is gone", "trial")
def _(trial: Trial) -> None:
    with trial.host() as host:
        for _ in range(3):
            with suppress(*NO_ANSWER):
                host.ask("/die")
        assert host.server.process.wait(PATIENCE_S) == ENDED


@row(LIFE, "SIGTERM during a request of some seconds", "the port is closed at once, the request is answered", "trial")
def _(trial: Trial) -> None:
    long = {"AzureFunctionsJobHost__functionTimeout": "00:01:00", "DEVSTACK_STOP_S": "30"}
    with trial.host(**long) as host, asking(host, "/slow/4") as (answer,):
        until(lambda: trial.seen("slow begins"))
        host.server.process.terminate()
        until(lambda: not _answers(host))
        assert trial.seen("slow ends") == []
        assert answer() == 200
        assert host.server.process.wait(PATIENCE_S) == 0


def _answers(host: Hosted) -> bool:
    with suppress(*NO_ANSWER):
        return host.ask("/healthz").status == 200
    return False


@row(OUTAGE, "refused at the start", "the host process ends", "trial")
def _(trial: Trial) -> None:
    trial.front().set(Door.SHUT)
    with pytest.raises(ServerFailed, match=f"ended with code {ENDED}"), trial.host(**HURRY):
        pytest.fail("it must not start")


@row(OUTAGE, "refused in the middle", "the host process ends", "trial")
def _(trial: Trial) -> None:
    front = trial.front()
    trial.made()
    with trial.host(**HURRY) as host:
        front.set(Door.SHUT)
        assert host.server.process.wait(PATIENCE_S) == ENDED


@row(OUTAGE, "503 at a message's delete", "the host process ends; the message comes again", "trial")
def _(trial: Trial) -> None:
    front = trial.front()
    trial.made().send_message(encoded("sleep 0.5"))
    with trial.host(**HURRY) as host:
        front.queue.refuse_methods = frozenset({b"DELETE"})
        assert host.server.process.wait(PATIENCE_S) == ENDED
    front.queue.refuse_methods = frozenset()
    with trial.host(**HURRY):
        until(lambda: len(trial.seen("work")) == 2)


@row(OUTAGE, "503 for a while, nothing running", "the host lives; a message is seen soon after", "trial")
def _(trial: Trial) -> None:
    front = trial.front()
    queue = trial.made()
    with trial.host(**HURRY) as host:
        front.queue.set(Door.BUSY)
        until(lambda: "cannot be read" in host.log)
        front.queue.set(Door.OPEN)
        queue.send_message(encoded("hello"))
        until(lambda: trial.seen("work"))


@row(OUTAGE, "the queue refuses, or answers 503, to an output", "500 after the retries, the function ended", "trial")
def _(trial: Trial) -> None:
    off = {f"AzureWebJobs.{name}.Disabled": "1" for name in ("work", "mourn")}  # whose own looks would end the host
    front = trial.front()
    with trial.host(**HURRY, **off) as host:
        for door in (Door.SHUT, Door.BUSY):
            front.queue.set(door)
            assert host.ask("/put", b"x").status == 500

    assert len(trial.seen("put returned")) == 2


@row(OUTAGE, "a key is asked for while blobs are away", "500 after the retries", "trial")
def _(trial: Trial) -> None:
    front = trial.front()
    with trial.host(**HURRY) as host:
        front.blob.set(Door.SHUT)
        assert host.ask("/keyed?code=the-key").status == 500
        assert host.ask("/healthz").status == 200


@row(OUTAGE, "the platform after the end of a host", "it starts another one", "trial")
def _(trial: Trial) -> None:
    front = trial.front()
    port = stack.free_port()
    with trial.host(**HURRY, HOST_PORT=str(port)) as host:
        front.set(Door.SHUT)
        until(lambda: "The host process ends" in host.log)
        front.set(Door.OPEN)
        until(lambda: host.log.count("Host started on") == 2)
        assert host.ask("/healthz").status == 200


# Timers -------------------------------------------------------------------------------------------


def ticks(trial: Trial) -> list[str]:
    """What the timer wrote, in its order."""
    lines = [json.loads(line)["what"] for line in (trial.folder / "seen").read_text("utf-8").splitlines()]
    return [line for line in lines if line.startswith("tick")]


@row(TIMERS, "the first start; an ordinary one", "no run at the start; no warm-up", "trial")
def _(trial: Trial) -> None:
    with trial.host() as host:
        assert host.ask("/open/7").status == 201

    assert trial.seen("tick begins") == trial.seen("warm") == []


@row(TIMERS, "a run longer than its period", "never overlaps; the next starts at once after its end", "trial")
def _(trial: Trial) -> None:
    with trial.host(TICKS="* * * * * *"):
        until(lambda: len(trial.seen("tick ends")) >= 2)

    assert ticks(trial)[:4] == ["tick begins", "tick ends"] * 2
    assert {(tick["past_due"], bool(tick["status"])) for tick in trial.seen("tick begins")} == {(False, False)}


@row(TIMERS, "two hosts of one id, one killed", "one runs it; the other waits for the lease to run out", "trial")
def _(trial: Trial) -> None:
    times = {"DEVSTACK_TIME_SCALE": "0.02", "TICKS": "* * * * * *"}
    with trial.host(**times) as first:
        until(lambda: trial.seen("tick begins"))
        with trial.host(**times):
            until(lambda: len(trial.seen("tick begins")) >= 3)
            first.server.process.kill()
            time.sleep(2)
            before = len(trial.seen("tick begins"))
            time.sleep(4)
            assert len(trial.seen("tick begins")) == before
            until(lambda: len(trial.seen("tick begins")) > before)
    assert ticks(trial)[:4] == ["tick begins", "tick ends"] * 2


@row(TIMERS, "a host stopped, and the next one", "the lease is given back: no pause", "trial")
def _(trial: Trial) -> None:
    for runs in (1, 2):
        with trial.host(TICKS="* * * * * *", DEVSTACK_STOP_S="3"):
            until(partial(_has_run, trial, runs))


def _has_run(trial: Trial, times: int) -> bool:
    return len(trial.seen("tick ends")) >= times


@row(TIMERS, "a schedule of a minute or more, missed while no host ran", "one run, past_due, with its status", "trial")
def _(trial: Trial) -> None:
    due = datetime.now(UTC) + timedelta(seconds=12)
    each_hour = f"{due.second} {due.minute} * * * *"
    with trial.host(TICKS=each_hour, DEVSTACK_TIME_SCALE="0.1") as host:
        until(lambda: "The next run of 'ticking' is due" in host.log)
    time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds() + 1))
    assert trial.seen("tick begins") == []
    with trial.host(TICKS=each_hour, DEVSTACK_TIME_SCALE="0.1"):
        (tick,) = until(lambda: trial.seen("tick begins"))
    assert tick["past_due"] is True
    assert tick["status"]["Last"].startswith("0001-01-01T00:00:00")
    assert tick["status"]["Next"].endswith("+00:00")


@row(TIMERS, "started by hand, twice at once", "both run, beside each other", "trial")
def _(trial: Trial) -> None:
    headers = {"x-functions-key": "master-key", "Content-Type": "application/json"}
    with trial.host() as host:
        for _ in range(2):
            assert host.ask("/admin/functions/ticking", b"{}", headers=headers).status == 202
        until(lambda: len(trial.seen("tick ends")) == 2)

    assert ticks(trial) == ["tick begins", "tick begins", "tick ends", "tick ends"]
    assert count(trial.queue()) == 0
