"""A webhook that answers as a test wrote down, after it verified each request as the real one does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from distributor.webhook.signature import Key, check_signature
from distributor.webhook.signature_schemes import Refusal
from foundation.clock import system_clock

SECRET = "a secret of a shop, 32 bytes long"
KEYS = (Key(source="default", which="current", secret=SECRET),)
PROBLEM = {"status": 422, "code": "too_many_decimals", "detail": "amount has too many decimals."}
PAGE = 1_000
"""Added to a status: the body is a page of somebody in between, and none of the service."""
CUT = 0
"""In place of a status: the connection ends without an answer."""


@dataclass
class ScriptedFront:
    """What was asked, as it was verified: its method, path and body."""

    url: str = ""
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    times: list[str] = field(default_factory=list)


@contextmanager
def scripted_front(*answers: int, retry_after: str = "", redirect: str = "") -> Iterator[ScriptedFront]:
    """Serve *answers*, one after the other; what is not signed with a time is answered 401 instead."""
    front, left = ScriptedFront(), list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(body, body)

        def do_GET(self) -> None:
            self._answer(f"GET {self.path}".encode(), b"")

        def _answer(self, signed: bytes, body: bytes) -> None:
            headers = dict(self.headers.items())
            verified = check_signature(headers, signed, KEYS, system_clock(), require_timestamp=True)
            front.asked.append((self.command, self.path, body))
            front.times.append((self.headers["X-WP-Signature"] or "").partition(",")[0])
            status = 401 if isinstance(verified, Refusal) else left.pop(0)
            if status == CUT:
                self.close_connection = True
                return
            document = {"status": "received", "order_id": "1001"} if status in {200, 202} else PROBLEM
            written = b"<html>Sorry</html>" if status > PAGE else json.dumps(document).encode()
            self.send_response(status % PAGE)
            self.send_header("Content-Length", str(len(written)))
            for name, value in (("Retry-After", retry_after), ("Location", redirect)):
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(written)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        front.url = f"http://127.0.0.1:{server.server_port}/webhook"
        yield front
        server.shutdown()


ARGUMENTS: Sequence[str] = ("1001", "0x52908400098527886E0F7030069857D2E4169EE7", "10.5")
"""What each example is called with."""
STORED = {"order_id": ARGUMENTS[0], "wallet": ARGUMENTS[1], "amount": ARGUMENTS[2]}
