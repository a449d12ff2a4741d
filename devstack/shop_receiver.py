"""
A shop's receiver of call-backs on this machine: https, with an authority of its own that only this run's app trusts.

The app's outgoing guard stays as it is in Azure: https alone, each address checked. What differs are two settings that
an operator has too: the network it may be told in, and ``SSL_CERT_FILE``, by which OpenSSL finds what to trust.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import trustme

HOST: Final = "127.0.0.1"
_TOLD: Final = 204


@dataclass(frozen=True, kw_only=True, slots=True)
class Receiver:
    """Where the shop gets its call-backs, and what came."""

    url: str
    authority: Path
    """The certificate of who vouches for it."""
    told: Path
    """What came, one call-back a line."""
    answer: Path
    """A status in this file is what the receiver answers from then on, like 500 or 410."""

    @property
    def settings(self) -> Mapping[str, str]:
        """What the app needs to tell it."""
        return {
            "CALLBACK_URL": self.url,
            "CALLBACK_NETWORKS": f"{HOST}/32",
            "SSL_CERT_FILE": str(self.authority),
        }


@contextmanager
def served(folder: Path) -> Iterator[Receiver]:
    """Serve until the block ends; its files are in *folder*."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    file = folder / "shop-authority.pem"
    authority.cert_pem.write_to_path(file)
    told, answer = folder / "call-backs.txt", folder / "call-backs-answer"
    server = ThreadingHTTPServer((HOST, 0), partial(_Handler, told, answer))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"https://{HOST}:{server.server_port}/told"
        yield Receiver(url=url, authority=file, told=told, answer=answer)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Keeps what comes, and answers as the file says."""

    def __init__(self, told: Path, answer: Path, *given: Any) -> None:
        self._told, self._answer = told, answer
        super().__init__(*given)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        with self._told.open("ab") as sink:
            sink.write(body + b"\n")
        self.send_response(self._status())
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _status(self) -> int:
        text = self._answer.read_text("utf-8").strip() if self._answer.exists() else ""
        return int(text) if text.isdecimal() else _TOLD

    def log_message(self, *_said: Any) -> None:
        """Say nothing: the terminal is the stack's."""
