"""
Every request a process makes, seen where it leaves the process: in aiohttp, under the storage and chain clients.

So the list of calls is found, never kept by hand: what a use case asks of storage or node is in it.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NoReturn, TypeVar
from urllib.parse import unquote

from aiohttp import ClientResponse, ClientSession

_WRITTEN = re.compile(r"RowKey='([^']*)'|\"RowKey\": ?\"([^\"]*)\"")
_SCANNED = re.compile(r"RowKey ge '([^']*)'")


T = TypeVar("T")


class Side(StrEnum):
    """On which side of a call the process is killed."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Call:
    """One request: what was going on, and what it asked."""

    phase: str
    what: str


@dataclass(frozen=True, slots=True)
class Trip:
    """Kill the process on one side of its call number *at*, counted from 0."""

    at: int
    side: Side


@dataclass(slots=True)
class Wire:
    """Counts the calls of this process, and kills it where the *trip* says so."""

    trip: Trip | None
    dying: Callable[[Call], None]
    """Told the call the process dies at, just before it does."""
    phase: str = ""
    calls: list[Call] = field(default_factory=list)

    def watch(self) -> None:
        """See every request of every session of this process from here on."""
        send = ClientSession._request

        async def request(session: ClientSession, method: str, url: Any, **options: Any) -> ClientResponse:
            what = described(method, str(url), options)
            return await self.passed(what, lambda: send(session, method, url, **options))

        ClientSession._request = request  # type: ignore[method-assign, assignment]  # the one place all pass

    async def passed(self, what: str, send: Callable[[], Awaitable[T]]) -> T:
        """Do one request that *what* describes, or die on a side of it."""
        call, side = self._counted(what)
        if side is Side.BEFORE:
            self._die(call)
        answer = await send()  # the server has done it: the status line of its answer is here
        if side is Side.AFTER:
            self._die(call)
        return answer

    def passed_in_a_thread(self, what: str, send: Callable[[], T]) -> T:
        """Do the same where nothing is awaited."""
        call, side = self._counted(what)
        if side is Side.BEFORE:
            self._die(call)
        answer = send()
        if side is Side.AFTER:
            self._die(call)
        return answer

    def _counted(self, what: str) -> tuple[Call, Side | None]:
        """Note a call; return it with the side of it to die on. Others may be under way at the same time."""
        at, call = len(self.calls), Call(self.phase, what)
        self.calls.append(call)
        return call, self.trip.side if self.trip and self.trip.at == at else None

    def _die(self, call: Call) -> NoReturn:
        self.dying(call)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("a killed process went on")


def described(method: str, url: str, options: Mapping[str, Any]) -> str:
    """Return what a request asks, in a few words: methods of a node, rows of the ledger."""
    body = _text(options.get("data"))
    if body.startswith(("[", "{")) and '"jsonrpc"' in body:
        return f"node: {_methods(json.loads(body))}"
    return f"ledger: {'write' if url.endswith('$batch') else _verb(method)} {_rows(unquote(url), body)}"


def _methods(calls: Any) -> str:
    """Return the methods of a batch, each once, in their order; all begin with the chain's id."""
    listed = calls if isinstance(calls, list) else [calls]
    names = dict.fromkeys(str(call["method"]).removeprefix("eth_") for call in listed)
    return ", ".join(name for name in names if name != "chainId" or len(names) == 1)


def _rows(url: str, body: str) -> str:
    if scanned := _SCANNED.search(url):
        return f"{_kind(scanned[1])}..."
    keys = [_kind(unquote(by_url or by_body)) for by_url, by_body in _WRITTEN.findall(f"{url} {body}")]
    return ", ".join(dict.fromkeys(keys))


def _kind(key: str) -> str:
    """Return the first word of a key; the rest names an order or an operator."""
    word, _, rest = key.partition(":")
    return f"{word}:{rest.partition(':')[0]}" if word == "lease" else word


def _verb(method: str) -> str:
    return "read" if method == "GET" else method


def _text(data: Any) -> str:
    return data.decode("utf-8", errors="replace") if isinstance(data, bytes) else str(data or "")
