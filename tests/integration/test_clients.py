"""The examples and the client that shops copy: Python, Node and curl. PHP's are in tests/wordpress, where PHP is."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from clients.ballx_client import RETRY_AFTER_S_MAX, BallxClient, NoAnswer, Refused
from devstack import paths
from tests.integration.example_rules import RULES
from tests.integration.scripted_front import CUT, PROBLEM, SECRET, STORED, scripted_front

EXAMPLES = Path(__file__).parents[2] / "clients" / "examples"
# curl and openssl are the shop's programs, not ours: a machine may test this without them. A build may not.
HAS_CURL = "CI" in os.environ or all(map(shutil.which, ("sh", "curl", "openssl")))
COMMANDS = {
    "python": [sys.executable, str(EXAMPLES / "pay.py")],
    "node": [str(paths.node().binary), str(EXAMPLES / "pay.mjs")],
    **({"curl": ["sh", str(EXAMPLES / "pay.sh")]} if HAS_CURL else {}),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("language", COMMANDS)
def test_an_example_does_what_a_shop_must_do(language: str, rule: Callable[[Sequence[str]], None]) -> None:
    """Stores, sends again, gives up, and prints why it was refused."""
    rule(COMMANDS[language])


def test_typescript_reads_the_example_for_node() -> None:
    """As strictly as it can; and what is wrong is really found."""
    right = compiled((EXAMPLES / "pay.mjs").read_text("utf-8"))
    wrong = compiled((EXAMPLES / "pay.mjs").read_text("utf-8").replace("order.order_id;", "order.orderid;"))

    assert right == ""
    assert "Property 'orderid' does not exist" in wrong


def compiled(code: str) -> str:
    """Return what TypeScript says of *code*, with the settings beside the example."""
    compiler = paths.NODE_MODULES / "typescript" / "bin" / "tsc"
    settings = json.loads((EXAMPLES / "tsconfig.json").read_text("utf-8"))
    settings["compilerOptions"]["typeRoots"] = [str(paths.NODE_MODULES / "@types")]
    with TemporaryDirectory() as folder:
        (Path(folder) / "pay.mjs").write_text(code, "utf-8")
        (Path(folder) / "tsconfig.json").write_text(json.dumps(settings), "utf-8")
        command = [str(paths.node().binary), str(compiler), "--project", folder]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False).stdout


def client(url: str, waited: list[float] | None = None, tries: int = 3) -> BallxClient:
    """Return a client that notes how long it would wait."""
    return BallxClient(url, SECRET, waits_s=[0] * tries, sleep=(waited if waited is not None else []).append)


def test_a_client_asks_where_its_order_is() -> None:
    """With the signature of a question, for which the path is signed."""
    with scripted_front(200, 404) as front:
        asks = client(front.url)
        shown = asks.status("1001")
        with pytest.raises(Refused) as refused:
            asks.status("1002")

    assert (shown["status"], refused.value.status, refused.value.problem) == ("received", 404, PROBLEM)
    assert [each[:2] for each in front.asked] == [("GET", "/shop/orders/1001"), ("GET", "/shop/orders/1002")]


def test_a_client_waits_as_long_as_it_is_asked_but_not_for_ever() -> None:
    """A word that is no number counts for nothing."""
    waits = {}
    for asked in ("7", "99999", "soon", ""):
        with scripted_front(503, 202, retry_after=asked) as front:
            waited: list[float] = []
            client(front.url, waited).pay(STORED)
        waits[asked] = waited

    assert waits == {"7": [0, 7], "99999": [0, RETRY_AFTER_S_MAX], "soon": [0, 0], "": [0, 0]}


def test_a_client_says_that_nobody_knows() -> None:
    """After the last try; the cause is in the message. An address where nobody listens is the same."""
    with scripted_front(CUT, CUT, CUT) as front, pytest.raises(NoAnswer, match="POST /webhook"):
        client(front.url).pay(STORED)
    with pytest.raises(NoAnswer, match="GET /shop/orders/1"):
        client("http://127.0.0.1:1/webhook").status("1")


def test_a_client_refuses_what_would_be_rounded_and_a_wrong_address() -> None:
    """Before anything is sent."""
    with pytest.raises(TypeError, match="float"):
        client("http://127.0.0.1:1/webhook").pay({**STORED, "amount": 10.5})
    with pytest.raises(ValueError, match="/webhook"):
        BallxClient("https://pay.example.com", SECRET)


def test_a_client_shows_what_a_proxy_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of somebody else's is no answer about the order, whatever its status; its words are kept, cut."""
    monkeypatch.setattr(http.client.HTTPResponse, "read", lambda *_: b"<html>" + b"x" * 1_000)
    for status in (403, 200):
        with scripted_front(status) as front, pytest.raises(NoAnswer) as unknown:
            client(front.url, tries=1).pay(STORED)

        assert f"{status} {{'detail': '<html>x" in str(unknown.value)
        assert len(str(unknown.value)) < 600


def test_an_answer_about_another_order_is_none() -> None:
    """A cache in between may keep one; an id may be a number."""
    with scripted_front(200) as front, pytest.raises(NoAnswer):
        client(front.url, tries=1).status("1002")
    with scripted_front(200) as front:
        assert client(front.url).pay({**STORED, "order_id": 1001})["status"] == "received"
