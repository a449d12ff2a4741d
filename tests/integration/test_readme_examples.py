"""The signing examples of both READMEs, run as they are printed against a shop's counterpart that verifies."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from distributor.model import Address, Order
from distributor.settings.chain import ContractSettings
from distributor.webhook import orders, signature
from foundation.clock import UnixMs, system_clock
from tests.fakes.senders import verify

ROOT = Path(__file__).parents[2]
SECRET = "a secret of a shop, 32 bytes long"
KEYS = (signature.Key(source="default", which="current", secret=SECRET),)
TERMS = ContractSettings(
    chain_id=137,
    token=Address("0x" + "11" * 20),
    authority=Address("0x" + "22" * 20),
    reserve=Address("0x" + "33" * 20),
    decimals=18,
)


@dataclass
class Shopfront:
    """A webhook that verifies and parses as the real one does, and remembers."""

    url: str = ""
    received: list[Order] = field(default_factory=list)


@contextmanager
def shopfront() -> Iterator[Shopfront]:
    """Serve a webhook on a free port; what is not signed or not an order breaks the connection."""
    front = Shopfront()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = dict(self.headers.items())
            verified = verify(headers, body, KEYS, system_clock(), require_timestamp=True)
            front.received.append(orders.parse(body, verified.source, TERMS, UnixMs(0)))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        front.url = f"http://127.0.0.1:{server.server_port}/webhook"
        yield front
        server.shutdown()


def example(readme: str, language: str, holding: str) -> str:
    """Return the code block in *language* that holds a word only it has."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if holding in block]
    return str(found)


def command(readme: str, language: str) -> list[str]:
    """Return how an example is run."""
    if language == "python":
        return [sys.executable, "-c", example(readme, "python", "urllib.request")]
    return ["sh", "-c", example(readme, "sh", "openssl dgst")]


# curl and openssl are the shop's programs, not ours: a machine may build and test this without them.
LANGUAGES = ["python", *(["sh"] if all(map(shutil.which, ("sh", "curl", "openssl"))) else [])]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("readme", ["README.md", "README.pt-BR.md"])
def test_a_shop_that_copies_the_example_is_understood(readme: str, language: str) -> None:
    """What a shop's developer pastes first must work at once."""
    with shopfront() as front:
        environment = os.environ | {"WEBHOOK_URL": front.url, "WEBHOOK_SECRET": SECRET}
        shop = command(readme, language)
        ran = subprocess.run(shop, env=environment, capture_output=True, text=True, timeout=30, check=False)

    assert ran.returncode == 0, ran.stderr
    assert [(order.order_id, order.amount_units) for order in front.received] == [("1001", 10_500_000_000_000_000_000)]
    assert "202" in ran.stdout
