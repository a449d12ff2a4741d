"""Call-backs on real storage: its receiver fails, a person tests it and tells it again, as the runbook says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from devstack.contracts import Devchain
from distributor.wiring import Container
from tests.fakes.receiver_code import python_receiver
from tests.integration.conftest import WEBHOOK_SECRET
from tests.integration.test_commands import Desk


class Shop:
    """A receiver on this machine: the page's example, which answers what a test says."""

    def __init__(self) -> None:
        self.status, self.events = 204, list[dict[str, Any]]()
        self.url = ""

    @property
    def told(self) -> list[tuple[str, str]]:
        """Which order came as what, in order."""
        return [(event["data"].get("order_id", "-"), event["type"]) for event in self.events]

    @contextmanager
    def open(self) -> Iterator[Shop]:
        """Serve on a port of this machine."""
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                event = python_receiver()(WEBHOOK_SECRET, headers, body)
                shop.events += [event] if event is not None and shop.status == 204 else []
                self.send_response(shop.status if event is not None else 401)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}/ballx"
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield self
        finally:
            server.shutdown()
            serving.join()
            server.server_close()


@pytest.fixture
def shop() -> Iterator[Shop]:
    """The shop's receiver."""
    with Shop().open() as shop:
        yield shop


@pytest.fixture
def desk(environ: dict[str, str], devchain: Devchain, shop: Shop, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A person with a ledger that is ours, whose shop gets call-backs."""
    environ |= {"CALLBACK_URL": shop.url, "CALLBACK_NETWORKS": "127.0.0.0/8"}
    own = Desk(environ, devchain, capsys)
    own.run("init", "--apply", "--new-beginning", "the chain is shared with other tests")
    return own


def tell(desk: Desk) -> None:
    """Let the timer's turn run."""

    async def run(container: Container) -> None:
        await (await container.call_backs()).run()

    desk.service(run)


def test_a_paid_order_is_told_and_told_again(desk: Desk, shop: Shop) -> None:
    """From the shop's webhook to its receiver; then the commands of the runbook."""
    desk.pay("C-1")
    tell(desk)
    tell(desk)
    assert shop.told == [("C-1", "order.paid")]

    (line,) = desk.written("Commands", "callbacks list SOURCE", {"SOURCE": "default"})["callbacks"]
    assert (line["order"], line["event"], line["state"], line["answer"]) == (
        "default:C-1",
        "order.paid",
        "told",
        "HTTP 204",
    )
    words = {"SOURCE": "default", "ID": "C-1", "N": "C-1"}
    dry = desk.ask("callbacks", "resend", "default", "--order", "C-1")
    assert (dry["id"], "Dry run" in desk.story) == (None, True)
    sent = desk.written("callback_given_up", "callbacks resend SOURCE --order ID --apply", words)
    assert sent["id"] == line["id"]
    tell(desk)
    desk.written("Commands", "callbacks resend SOURCE --order N", words)
    tell(desk)
    assert shop.told == [("C-1", "order.paid")] * 3
    shown = desk.written("callback_given_up", "callbacks list SOURCE --order ID", words)
    assert [each["state"] for each in shown["callbacks"]] == ["told"]
    assert desk.ask("callbacks", "resend", "default", "--since", "2026-01-01")["events"] == 1
    assert desk.do("callbacks", "resend", "default", "--since", "2100-01-01T00:00Z") == {"shop": "default", "events": 0}
    desk.do("callbacks", "resend", "default", code=1)
    desk.do("callbacks", "resend", "default", "--order", "NONE", code=1)
    desk.do("callbacks", "resend", "--since", "2026-01-01", code=1)


def test_an_address_that_is_gone_is_tested_and_told_the_rest(desk: Desk, shop: Shop) -> None:
    """Nothing is lost meanwhile, and an answer that is not good ends nothing."""
    shop.status = 410
    desk.send("C-1", "C-2")
    desk.do("cancel", "C-1")
    tell(desk)
    desk.do("cancel", "C-2")
    tell(desk)
    assert desk.ask("callbacks")["shops"] == [
        {"shop": "default", "signed": True, "stopped": "gone", "failures": 1, "answer": "HTTP 410", "due": 2}
    ]
    assert "callbacks_gone" in {each["alarm"] for each in desk.ask("alarms", "list", code=1)["alarms"]}
    shown = desk.written("callbacks_stopped", "callbacks list SOURCE", {"SOURCE": "default"})
    assert {each["state"] for each in shown["callbacks"]} == {"due"}

    words = {"SOURCE": "default"}
    assert desk.written("Commands", "callbacks test SOURCE", words, code=1)["answer"] == "HTTP 410"
    assert desk.ask("callbacks", "test", "default")["answer"] is None
    shop.status = 204
    assert desk.written("callbacks_gone", "callbacks test SOURCE --apply", words)["answer"] == "HTTP 204"
    assert desk.written("callbacks_stopped", "callbacks test SOURCE --apply", words)["answer"] == "HTTP 204"
    tell(desk)

    assert sorted(shop.told[2:]) == [("C-1", "order.cancelled"), ("C-2", "order.cancelled")]
    desk.do("callbacks", "test", "north", code=1)
    desk.do("callbacks", "test", code=1)


def test_an_inside_address_is_not_asked_unless_it_is_listed(desk: Desk, shop: Shop) -> None:
    """The answer says that, and no more; a shop without a secret gets no call-backs."""
    desk.environ["CALLBACK_NETWORKS"] = "-"
    assert desk.do("callbacks", "test", "default", code=1)["answer"] == "not allowed"
    assert shop.told == []

    desk.environ["CALLBACK_URL__NORTH"] = shop.url
    desk.do("callbacks", "test", "north", code=1)
    assert {each["shop"]: each["signed"] for each in desk.ask("callbacks")["shops"]} == {
        "default": True,
        "north": False,
    }
