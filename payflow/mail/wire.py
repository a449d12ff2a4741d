"""
One connection to a mail server: lines in, bytes out, all under one deadline.

Not ``smtplib``: it reports an over-long accepted line as a refusal, a garbage line as code -1, counts its time-out
anew for every byte, and offers no place between the body and the final dot.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable

from payflow.mail import replies
from payflow.mail.replies import SmtpReply

_CHUNK = 64 * 1024


class ConnectionLost(Exception):
    """The connection is closed, timed out, or out of step."""


class Wire:
    """A socket with a deadline. Every method raises ConnectionLost once the connection is of no more use."""

    def __init__(self, sock: socket.socket, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sock, self._clock = sock, clock
        self._read = bytearray()
        self._ends_s = float("inf")

    def allow(self, seconds: float) -> None:
        """Let everything up to the next call take *seconds* altogether."""
        self._ends_s = self._clock() + seconds

    def secure(self, context: ssl.SSLContext, host: str) -> None:
        """
        Continue over TLS; what came in the clear before is dropped, as an injected command would be.

        Raises ssl.SSLCertVerificationError if the certificate is not one for *host* by a known authority.
        """
        self._read.clear()
        self._arm()
        try:
            self._sock = context.wrap_socket(self._sock, server_hostname=host)
        except ssl.SSLCertVerificationError:
            raise
        except OSError as error:
            raise ConnectionLost(f"no TLS: {error}") from error

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            for start in range(0, len(view), _CHUNK):
                self._arm()
                self._sock.sendall(view[start : start + _CHUNK])
        except OSError as error:
            raise ConnectionLost(f"the connection broke: {error}") from error

    def reply(self) -> SmtpReply:
        """Return the next reply. Raises ConnectionLost if it is malformed, too."""
        lines: list[bytes] = []
        while not lines or not replies.is_last(lines[-1]):
            lines.append(self._line())
            if len(lines) > replies.LINES_MAX:
                break
        found = replies.parse_reply(lines)
        if found is None:
            raise ConnectionLost(f"no well-formed reply: {bytes(lines[-1][:60])!r}")
        return found

    def require_silence(self) -> None:
        """Raise ConnectionLost if the server has said something out of turn, or has closed the connection."""
        if self._read or self._peek():
            raise ConnectionLost("the server spoke out of turn")

    def close(self) -> None:
        self._sock.close()

    def _line(self) -> bytes:
        while b"\n" not in self._read and len(self._read) <= replies.LINE_BYTES_MAX:
            self._read += self._receive()
        end = self._read.find(b"\n") + 1 or len(self._read)
        line = bytes(self._read[:end])
        del self._read[:end]
        return line

    def _receive(self) -> bytes:
        try:
            self._arm()
            found = self._sock.recv(_CHUNK)
        except OSError as error:
            raise ConnectionLost(f"no answer: {error}") from error
        if not found:
            raise ConnectionLost("the server closed the connection")
        return found

    def _peek(self) -> bytes:
        """Return what is there to be read now, without waiting."""
        self._sock.settimeout(0)
        try:
            found = self._sock.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return b""
        except OSError as error:
            raise ConnectionLost(f"the connection broke: {error}") from error
        if not found:
            raise ConnectionLost("the server closed the connection")
        return found

    def _arm(self) -> None:
        left = self._ends_s - self._clock()
        if left <= 0:
            raise ConnectionLost("no answer in time")
        self._sock.settimeout(None if left == float("inf") else left)
