"""A door before the storage emulator: open, shut (connections refused), or answering 503."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum

from devstack.servers import Azurite

_BUSY = b"HTTP/1.1 503 Server Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BYTES = 65_536


class Door(Enum):
    """What the storage does with who comes."""

    OPEN = "open"
    SHUT = "shut"
    BUSY = "busy"


class _Service:
    """One port of the storage, and the port of the door before it."""

    def __init__(self, behind: int) -> None:
        self.behind, self.door = behind, Door.OPEN
        self.refuse_methods: frozenset[bytes] = frozenset()
        self.port = 0
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self.set(Door.OPEN)

    def set(self, door: Door) -> None:
        self.door = door
        if door is Door.SHUT:
            self._close_listener()
        elif self._listener is None:
            self._listen()
        if door is not Door.OPEN:
            self.drop()

    def drop(self) -> None:
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._close_listener()
        self.drop()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _close_listener(self) -> None:
        if self._listener:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            first = client.recv(_BYTES)
            if self.door is Door.BUSY or first.split(b" ")[0] in self.refuse_methods:
                client.sendall(_BUSY)
                return
            with socket.create_connection(("127.0.0.1", self.behind)) as server:
                self._open |= {client, server}
                if self.door is not Door.OPEN:  # turned since it was let in, when it was not among those to be dropped
                    return
                server.sendall(first)
                threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
                self._pump(client, server)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_BYTES):
                if source in self._open and data.split(b" ")[0] in self.refuse_methods:
                    source.sendall(_BUSY)
                    break
                sink.sendall(data)
        for each in (source, sink):
            self._open.discard(each)
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class StorageFront:
    """Doors before blob, queue and table."""

    def __init__(self, storage: Azurite) -> None:
        self.blob = _Service(storage.blob_port)
        self.queue = _Service(storage.queue_port)
        self.table = _Service(storage.table_port)
        text = storage.connection_string
        for service in self.all:
            text = re.sub(rf":{service.behind}/", f":{service.port}/", text)
        self.connection = text

    @property
    def all(self) -> tuple[_Service, ...]:
        return self.blob, self.queue, self.table

    def set(self, door: Door) -> None:
        """Do the same with all three."""
        for service in self.all:
            service.set(door)

    @classmethod
    @contextmanager
    def before(cls, storage: Azurite) -> Iterator[StorageFront]:
        """Put doors before *storage* until the block ends."""
        front = cls(storage)
        with ExitStack() as ends:
            for service in front.all:
                ends.callback(service.close)
            yield front
