"""Turns in the hands of a test: an event loop that runs what is ready, gates that someone must open, jobs that wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

_Answer = TypeVar("_Answer")

SLEEP = "sleep"
"""What a gate is for that only the passing of time opens."""


class Killed(BaseException):
    """The process is gone: what it runs unwinds without touching anything."""


class ReadyLoop(asyncio.AbstractEventLoop):
    """Runs callbacks in the order they became ready; knows neither time nor sockets, so nothing depends on them."""

    def __init__(self) -> None:
        self._ready: deque[asyncio.Handle] = deque()
        self.complaints: list[dict[str, Any]] = []
        """What asyncio had to say about futures nobody looked at."""

    def run_ready(self) -> None:
        """Run until every task waits for a gate."""
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            while self._ready:
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            asyncio._set_running_loop(outer)

    def finish(self, work: Coroutine[Any, Any, _Answer]) -> _Answer:
        """Run *work*, which meets no gate, to its end."""
        task = asyncio.Task(work, loop=self)
        self.run_ready()
        return task.result()

    # what asyncio asks of a loop ---------------------------------------------------------------

    def call_soon(  # type: ignore[override]  # the stub's TypeVarTuple is no business of a test loop
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, **options)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.complaints.append(context)

    def get_debug(self) -> bool:
        return False


@dataclass(eq=False, kw_only=True)
class Gate:
    """A place where a task waits until it is let on."""

    what: str
    opened: asyncio.Future[None]


@dataclass(eq=False, kw_only=True)
class Job:
    """One invocation of a use case, with the gates its tasks wait at."""

    name: str
    gates: list[Gate] = field(default_factory=list)
    task: asyncio.Task[Any] | None = None
    torn: bool = False
    """Whether it ran while the ledger was lost, and may have read one row before and the next one after."""

    @property
    def over(self) -> bool:
        return self.task is not None and self.task.done() and not self.gates

    def error(self) -> BaseException | None:
        """Return what it ended with; None while it runs, and where it ended well."""
        return self.task.exception() if self.task is not None and self.task.done() else None

    @property
    def sleeps(self) -> bool:
        return bool(self.gates) and all(gate.what == SLEEP for gate in self.gates)


_JOB: ContextVar[Job] = ContextVar("job")


def current_job() -> Job:
    """Return the invocation that runs just now."""
    return _JOB.get()


class Turns:
    """The gates of one process. While it is ``free`` it meets none; once ``dead`` it gets nowhere."""

    def __init__(self, loop: ReadyLoop, *, passes_time: Callable[[], None]) -> None:
        self._loop, self._passes_time = loop, passes_time
        self.jobs: list[Job] = []
        self.free = False
        self.dead = False

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> Job:
        """Run *work* as far as its first gate."""
        job = Job(name=name)
        self.jobs.append(job)
        context = Context()
        context.run(_JOB.set, job)
        job.task = self._loop.create_task(work, context=context)
        self._loop.run_ready()
        return job

    def open(self, job: Job, at: int = 0) -> None:
        """Let one of the tasks of *job* on, as far as its next gate."""
        gate = job.gates.pop(at % len(job.gates))
        gate.opened.set_result(None)
        self._loop.run_ready()

    def run(self, job: Job) -> None:
        """Let *job* on to its end, or until all of it sleeps."""
        while not job.over and not job.sleeps:
            self.open(job)

    def kill(self) -> None:
        """End the process as SIGKILL does: nothing it still would do, clean-up included, has any effect."""
        self.dead = True
        for job in self.jobs:
            for gate in job.gates:
                gate.opened.set_exception(Killed())
            job.gates.clear()
        self._loop.run_ready()
        assert all(job.over for job in self.jobs), "a killed process goes on"

    def go_free(self) -> None:
        """Open every gate for good: what runs goes on to its end, time passing while it sleeps."""
        self.free = True
        for job in self.jobs:
            for gate in job.gates:
                gate.opened.set_result(None)
            job.gates.clear()
        self._loop.run_ready()

    async def sleep(self, _seconds: float) -> None:
        if self.free:
            self._passes_time()
        await self._gate(SLEEP)

    async def step(self, what: str, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Do *call* between two gates: others may be first, and may do anything before the answer is looked at."""
        await self._gate(f"before {what}")
        try:
            return await call()
        finally:
            await self._gate(f"after {what}")

    async def _gate(self, what: str) -> None:
        if self.dead:
            raise Killed
        if self.free:
            return
        gate = Gate(what=what, opened=self._loop.create_future())
        _JOB.get().gates.append(gate)
        await gate.opened
