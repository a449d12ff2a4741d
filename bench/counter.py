"""
Counts what an app asks of its storage and its node: ``python -m bench.counter --table PORT --rpc PORT …``.

It is placed between them as a process of its own and hands every byte on. It reads the requests only, so what it adds
to an answer's time is one hop on loopback. ``GET /counted`` on the first port of its output answers with the counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import parse_qs, unquote, urlsplit

KINDS = ("table", "queue", "blob", "rpc")
HEAD_BYTES_MAX = 65_536
_CHUNK = 65_536
_METHOD = re.compile(rb'"method"\s*:\s*"(\w+)"')
_KEY = re.compile(r"RowKey='([a-z-]+)")
_FROM = re.compile(r"RowKey ge '([a-z-]+)")
_WRITTEN = re.compile(rb"\"RowKey\": ?\"([a-z-]+)|RowKey='([a-z-]+)")
_CLOSED = (ConnectionError, asyncio.IncompleteReadError)

Label = Callable[[str, str, bytes], list[str]]
"""What a request is counted as, from its method, its target and its body."""


def of_table(method: str, target: str, body: bytes) -> list[str]:
    """Return one word: which rows are read or written, by the beginning of their keys."""
    parts = urlsplit(target)
    path = unquote(parts.path)
    if path.endswith("$batch"):
        found = {(first or second).decode() for first, second in _WRITTEN.findall(body)}
        return [f"group {' '.join(sorted(found))}"]
    if key := _KEY.search(path):
        return [f"{method.lower()} {key[1]}"]
    first = _FROM.search("".join(parse_qs(parts.query).get("$filter", [""])))
    return [f"scan {first[1] if first else path.rpartition('/')[2]}"]


def of_queue(method: str, target: str, _body: bytes) -> list[str]:
    """Return one word: put, poll, delete, or something about a queue itself."""
    path = urlsplit(target).path
    if "/messages/" in path:
        return [{"DELETE": "delete message", "PUT": "extend message"}.get(method, method)]
    if path.endswith("/messages"):
        return [{"POST": "put message", "GET": "poll"}.get(method, method)]
    return [f"{method.lower()} queue"]


def of_rpc(_method: str, _target: str, body: bytes) -> list[str]:
    """Return the method of each call in the request."""
    return [found.decode() for found in _METHOD.findall(body)]


def of_blob(method: str, _target: str, _body: bytes) -> list[str]:
    """Return the method: the app itself has no blobs."""
    return [method.lower()]


LABELS: Mapping[str, Label] = {"table": of_table, "queue": of_queue, "blob": of_blob, "rpc": of_rpc}


class Counted:
    """Requests and calls so far, by service."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.calls: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}

    def note(self, kind: str, method: str, target: str, body: bytes) -> None:
        self.requests[kind] += 1
        self.calls[kind].update(LABELS[kind](method, target, body))

    def text(self) -> bytes:
        return json.dumps({"requests": self.requests, "calls": self.calls}).encode()


async def relay(kind: str, port: int, counted: Counted, reader: StreamReader, writer: StreamWriter) -> None:
    """Hand one connection on to *port* until either side ends it."""
    with suppress(*_CLOSED):
        upstream = await asyncio.open_connection("127.0.0.1", port)
        back = asyncio.create_task(_pump(upstream[0], writer))
        try:
            while True:
                method, target, head, body = await request(reader)
                counted.note(kind, method, target, body)
                upstream[1].write(head + body)
                await upstream[1].drain()
        finally:
            upstream[1].close()
            await back
    writer.close()


async def request(reader: StreamReader) -> tuple[str, str, bytes, bytes]:
    """
    Return method, target, head and body of the next request.

    Raises:
        IncompleteReadError: The connection ended.
        ValueError: A body without Content-Length: no client here sends one.
    """
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if "transfer-encoding" in fields:
        raise ValueError(f"{method} {target} has no Content-Length")
    return method, target, head, await reader.readexactly(int(fields.get("content-length", 0)))


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(*_CLOSED):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _tell(counted: Counted, reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(*_CLOSED):
        await request(reader)
        text = counted.text()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
        await writer.drain()
    writer.close()


async def serve(ports: Mapping[str, int]) -> None:
    """Say where it listens, a line each, and hand on until the process is ended."""
    counted = Counted()
    told = await asyncio.start_server(lambda *ends: _tell(counted, *ends), "127.0.0.1", 0)
    servers = {"counted": told}
    for kind, port in ports.items():
        servers[kind] = await _relaying(kind, port, counted)
    for kind, server in servers.items():
        print(f"{kind} on {server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers.values()))


async def _relaying(kind: str, port: int, counted: Counted) -> asyncio.Server:
    async def met(reader: StreamReader, writer: StreamWriter) -> None:
        await relay(kind, port, counted, reader, writer)

    return await asyncio.start_server(met, "127.0.0.1", 0, limit=HEAD_BYTES_MAX)


def main() -> None:
    """Count until the process is ended."""
    asked = argparse.ArgumentParser(prog="python -m bench.counter", description=__doc__.splitlines()[1])
    for kind in KINDS:
        asked.add_argument(f"--{kind}", type=int, required=True, help="the port behind")
    asyncio.run(serve(vars(asked.parse_args())))


if __name__ == "__main__":
    main()
