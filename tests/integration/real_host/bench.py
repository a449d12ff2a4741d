"""What a row of the table works with: hosts, their storage, what the small app saw, and bytes on a wire."""

from __future__ import annotations

import base64
import json
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueServiceClient

from devstack.servers import Azurite
from tests.integration.hosted import Hosted, hosted
from tests.integration.real_host.storage_front import StorageFront

APP = Path(__file__).parents[1] / "host_app"
NEVER = "0 0 0 29 feb *"
FAST = "0.01"
"""Ten minutes are six seconds, a retry's 25 are a quarter of one."""


@dataclass(frozen=True, kw_only=True)
class Got:
    """A reply as it came over the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(kw_only=True)
class Trial:
    """One app with a queue of its own, and the hosts that run it one after the other."""

    storage: Azurite
    folder: Path
    name: str = field(default_factory=lambda: f"t{secrets.token_hex(8)}")
    connection: str = ""
    ends: ExitStack = field(default_factory=ExitStack)
    starts: int = 0
    app: Path = APP

    def __post_init__(self) -> None:
        self.connection = self.connection or self.storage.connection_string
        self.service = self.ends.enter_context(
            QueueServiceClient.from_connection_string(self.storage.connection_string, retry_total=0)
        )

    @property
    def settings(self) -> dict[str, str]:
        return {
            "AzureWebJobsStorage": self.connection,
            "WORK_QUEUE": self.name,
            "HOST_APP_SEEN": str(self.folder / "seen"),
            "TICKS": NEVER,
            "AzureFunctionsWebHost__hostid": self.name,
        }

    @contextmanager
    def host(self, **settings: str) -> Iterator[Hosted]:
        """Run a host until the block ends; each has a log of its own."""
        self.starts += 1
        with hosted(self.app, {**self.settings, **settings}, self.folder / f"host-{self.starts}.log") as running:
            yield running

    def queue(self, suffix: str = "") -> QueueClient:
        client = self.service.get_queue_client(self.name + suffix)
        self.ends.enter_context(client)
        return client

    def made(self, suffix: str = "") -> QueueClient:
        client = self.queue(suffix)
        client.create_queue()
        return client

    def seen(self, what: str) -> list[dict[str, Any]]:
        """Return what the app wrote down under that word."""
        with suppress(FileNotFoundError):
            lines = (json.loads(line) for line in (self.folder / "seen").read_text("utf-8").splitlines())
            return [line for line in lines if line["what"] == what]
        return []

    def front(self) -> StorageFront:
        """Put a door before the storage, which the next host goes through."""
        front = self.ends.enter_context(StorageFront.before(self.storage))
        self.connection = front.connection
        return front

    def an_app(self, host_json: str | None = None, source: str | None = None) -> None:
        """Let the next host run another app: the small one's host.json and nothing else by default."""
        self.app = folder = self.folder / f"app-{self.starts}"
        folder.mkdir()
        if host_json != "":
            (folder / "host.json").write_text(host_json or (APP / "host.json").read_text("utf-8"), "utf-8")
        if source is not None:
            (folder / "function_app.py").write_text(source, "utf-8")


@contextmanager
def trial(storage: Azurite, folder: Path) -> Iterator[Trial]:
    """A trial on a storage; what it opened is closed at its end."""
    begun = Trial(storage=storage, folder=folder)
    with begun.ends:
        yield begun


def exchange(host: Hosted, raw: bytes, *, timeout_s: float = 20.0, method: str = "GET") -> list[Got]:
    """Send *raw* as it is and return every reply until the host closes; b"HOST" in it is the host's own name."""
    where = urlsplit(host.url)
    replies = []
    with socket.create_connection((where.hostname, where.port), timeout=timeout_s) as wire:
        wire.sendall(raw.replace(b"HOST", where.netloc.encode()))
        one = _OneReader(wire)
        while (got := _reply(one, method)) is not None:
            replies.append(got)
    return replies


class _OneReader:
    """A connection whose replies are read one after the other from the same buffer."""

    def __init__(self, wire: socket.socket) -> None:
        self._file = wire.makefile("rb")
        self._file.close, self._close = lambda: None, self._file.close  # type: ignore[method-assign]  # a reply closes it

    def makefile(self, _mode: str) -> Any:
        return self._file


def _reply(wire: Any, method: str) -> Got | None:
    reply = HTTPResponse(wire, method=method)
    try:
        reply.begin()
        return Got(status=reply.status, headers=reply.getheaders(), body=reply.read())
    except (HTTPException, ConnectionError):
        return None


def ask(host: Hosted, path: str, *, method: str = "GET", **headers: str) -> Got:
    """Ask once for *path* as it is written; an underscore in a header's name is a hyphen."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"{method} {path} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n{lines}\r\n"
    (got,) = exchange(host, head.encode(), method=method)
    return got


def first_line(host: Hosted, path: str) -> str:
    """Return the first line of the answer: a client's library rejects a status that has not three digits."""
    where = urlsplit(host.url)
    with socket.create_connection((where.hostname, where.port), timeout=20) as wire:
        wire.sendall(f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n\r\n".encode())
        return wire.makefile("rb").readline().decode().rstrip("\r\n")


def encoded(text: str | bytes) -> str:
    """A message as the extension writes one."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def messages(queue: QueueClient) -> list[str]:
    """The visible messages as they are there; none while there is no such queue."""
    with suppress(ResourceNotFoundError):
        return [message.content for message in queue.peek_messages(max_messages=32)]
    return []


def count(queue: QueueClient) -> int:
    """How many messages are in the queue, hidden ones counted; none while there is no such queue."""
    with suppress(ResourceNotFoundError):
        return int(queue.get_queue_properties().approximate_message_count or 0)
    return 0


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: what was done to the real host, what was observed, and the same done to ours."""

    topic: str
    given: str
    observed: str
    check: Callable[..., None]
    wants: str
    """host: one host for all; trial: hosts of its own."""


ROWS: list[Row] = []


def row(topic: str, given: str, observed: str, wants: str = "host") -> Callable[[Callable[..., None]], None]:
    """Add a line to the table."""

    def add(check: Callable[..., None]) -> None:
        ROWS.append(Row(topic=topic, given=given, observed=observed, check=check, wants=wants))

    return add


def lines(topic: str, *cases: tuple[str, str, Callable[[Hosted], None]]) -> None:
    """Add lines that need no more than the shared host."""
    for given, observed, check in cases:
        ROWS.append(Row(topic=topic, given=given, observed=observed, check=check, wants="host"))
