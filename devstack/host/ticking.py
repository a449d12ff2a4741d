"""
Timers: each belongs to one host at a time, never overlaps itself, and makes up one missed time.

1. A host runs a timer only with the lease of the timer's blob, for a minute at a time. A stopped host
   gives it back; a killed one leaves it to run out, and the others look for it once a minute.
2. The next time follows from the start of the last run: after a run longer than its period it comes at once.
3. With a monitor (a schedule of a minute or more, unless ``useMonitor`` is off) the blob says when the next
   run was due; a host that starts after that runs once, ``past_due``.

Source: github.com/Azure/azure-webjobs-sdk-extensions, TimerListener.cs, ScheduleMonitor.cs;
github.com/Azure/azure-webjobs-sdk, SingletonListener.cs, SingletonManager.cs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core.exceptions import AzureError

from devstack.host.blobs import Blobs
from devstack.host.timers import Schedule
from devstack.host.times import Times
from devstack.host.values import Datum, Function

_log = logging.getLogger("devstack.host.timers")

CONTAINER = "azure-webjobs-hosts"
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_LEASE_MIN_S, _LEASE_MAX_S = 15, 60
"""What the Blob service takes. Source: learn.microsoft.com/rest/api/storageservices/lease-blob."""
_MONITORED_S = 60.0


@dataclass(kw_only=True, slots=True)
class Timer:
    """Runs one function at its times, on one host."""

    function: Function
    schedule: Schedule
    host_id: str
    blobs: Blobs
    times: Times
    fire: Callable[[Function, Datum], Coroutine[Any, Any, None]]
    running: set[asyncio.Task[None]] = field(default_factory=set)
    _last: datetime = _NEVER
    _next: datetime = _NEVER

    async def tick(self) -> None:
        """Run the timer at its times until cancelled; the run itself is not cancelled."""
        async with self._alone():
            late = await self._began()
            _log.info("The next run of '%s' is due at %s", self.function.name, _iso(self._next))
            if late or self.function.trigger.get("runOnStartup"):
                await asyncio.sleep(self.times.past_due_start_s if late else 0)
                await self._run(past_due=late)
            while True:
                await asyncio.sleep((self._next - _now()).total_seconds())
                await self._run(past_due=False)

    async def _run(self, *, past_due: bool) -> None:
        began = max(_now(), self._next) if not past_due else _now()
        run = asyncio.create_task(self.fire(self.function, self.value(past_due=past_due)))
        self.running.add(run)
        run.add_done_callback(self.running.discard)
        await asyncio.shield(run)
        self._last, self._next = began, self.schedule.after(began)
        await self._remember()

    def value(self, *, past_due: bool = False) -> Datum:
        status = {"Last": _iso(self._last), "Next": _iso(self._next), "LastUpdated": _iso(self._last)}
        told = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": status if self._monitored else None,
            "IsPastDue": past_due,
        }
        return Datum(json.dumps(told), "json")

    # what is kept between two hosts -----------------------------------------------------------------

    @property
    def _monitored(self) -> bool:
        """A schedule of less than a minute has no monitor. Source: TimerTriggerAttributeBindingProvider.cs."""
        first = self.schedule.after(_now())
        slow = (self.schedule.after(first) - first) >= timedelta(seconds=_MONITORED_S)
        return slow and self.function.trigger.get("useMonitor", True) not in {False, "false", "False"}

    async def _began(self) -> bool:
        """Find out when the next run is due; return whether that was before now."""
        now = _now()
        self._next = self.schedule.after(now)
        if not self._monitored:
            return False
        known = await self._remembered()
        if known:
            self._last, due = (datetime.fromisoformat(known[key]) for key in ("Last", "Next"))
            return due < now
        await self._remember()
        return False

    @property
    def _status(self) -> str:
        return f"timers/{self.host_id}/{self.function.name}/status"

    async def _remembered(self) -> dict[str, Any] | None:
        with _told("the times of a timer cannot be read"):
            text = await self.blobs.read(self._status)
            return json.loads(text) if text else None
        return None

    async def _remember(self) -> None:
        if self._monitored:
            status = {"Last": _iso(self._last), "Next": _iso(self._next), "LastUpdated": _iso(self._last)}
            with _told("the times of a timer cannot be kept"):
                await self.blobs.write(self._status, json.dumps(status).encode())

    # one host at a time -----------------------------------------------------------------------------

    @property
    def _lock(self) -> str:
        return f"locks/{self.host_id}/{self.function.name}.Listener"

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Wait until this host alone may run the timer, and keep it so."""
        lease = await self._leased()
        renewal = asyncio.create_task(self._renew(lease))
        try:
            yield
        finally:
            renewal.cancel()
            with _told("the lease of a timer cannot be given back"):
                await self.blobs.release(self._lock, lease)

    async def _leased(self) -> str:
        while True:
            with _told("the lease of a timer cannot be taken"):
                await self.blobs.make(self._lock)
                if lease := await self.blobs.lease(self._lock, self._lease_s):
                    return lease
            await asyncio.sleep(self.times.listener_retry_s)

    async def _renew(self, lease: str) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 2)
            with _told("the lease of a timer cannot be renewed"):
                await self.blobs.renew(self._lock, lease)

    @property
    def _lease_s(self) -> int:
        return min(max(round(self.times.listener_lease_s), _LEASE_MIN_S), _LEASE_MAX_S)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Say that storage did not do it, and go on: a timer does not end for it."""
    try:
        yield
    except AzureError as why:
        _log.warning("%s: %s", what, why)


def _now() -> datetime:
    return datetime.now(UTC)


def _iso(moment: datetime) -> str:
    return moment.isoformat()
