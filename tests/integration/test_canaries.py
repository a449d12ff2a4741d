"""
Nothing leaks: every secret is planted, everything that can go wrong goes wrong, and everything is searched.

Searched are all answers with their headers, all that the host wrote at its most talkative level, and
each cell of each table, each message of each queue and each blob. A secret is looked for as it is and
in the disguises it might travel in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from devstack import stack
from devstack.runs import Run
from devstack.stack import FunctionsHost, Services

pytestmark = pytest.mark.usefixtures("azurite")  # skips at a desk without Node, as every other server does

SECRET = "canary-webhook-secret-0a1b2c3d4e5f"
NODE_KEY = "canary-node-key-7f6e5d4c3b2a"
HOOK_KEY = "canary-alarm-hook-91827364"
SHORT = "canary-short"
BROKEN_KEY = "canary" + "ab" * 29
NOTE = "canary-body-field-5a5a5a"
REASON = "canary-reason-para-Maria"
WALLET = "0x52908400098527886E0F7030069857D2E4169EE7"
PAID_WITHIN_S = 90


@dataclass
class Seen:
    """What came out: answers, and the signatures that went in."""

    answers: list[str] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)

    def ask(self, host: FunctionsHost, path: str, body: bytes | None = None, **headers: str) -> int:
        """Send a request and keep all of its answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(host.url + path, body, named)  # noqa: S310 -- loopback
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 -- loopback
                return self._keep(reply.status, str(reply.headers), reply.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return self._keep(refused.code, str(refused.headers), refused.read())

    def order(self, host: FunctionsHost, secret: str = SECRET, **fields: object) -> int:
        """Send a signed order that carries fields nobody asked for."""
        order = {"wallet": WALLET, "amount": "1.5", "reason": REASON, "note": NOTE, **fields}
        body = json.dumps(order).encode()
        self.signatures.append(hmac.new(secret.encode(), body, hashlib.sha256).hexdigest())
        return self.ask(host, "/webhook", body, Content_Type="application/json", X_WP_Signature=self.signatures[-1])

    def _keep(self, status: int, headers: str, body: bytes) -> int:
        self.answers.append(f"{status}\n{headers}\n{body.decode(errors='replace')}")
        return status


def planted(services: Services) -> dict[str, str]:
    """
    Return settings in which every secret is a canary; the third node and the alarms' webhook do not answer.

    The first address that announces blocks is not there either, the second announces them.

    The node is there under two names, because a payment takes two nodes that agree wherever two are set.
    """
    node = f"{services.settings['RPC_URL']}?key={NODE_KEY}"
    nobody = f"//user:{NODE_KEY}@127.0.0.1:9/{NODE_KEY}"
    nodes = [node, node.replace("127.0.0.1", "localhost"), f"http:{nobody}"]
    announcing = [f"ws:{nobody}", node.replace("http:", "ws:")]
    return {
        **services.settings,
        "WEBHOOK_SECRET": SECRET,
        "WEBHOOK_SECRET_PREVIOUS": services.settings["WEBHOOK_SECRET"],  # the ledger knows the shop by this one
        "RPC_URL": ",".join(nodes + announcing),
        "ALARM_WEBHOOK_URL": f"http://127.0.0.1:9/{HOOK_KEY}",
        "LOG_LEVEL": "DEBUG",
        "RPC_TIMEOUT_S": "2",
        "LOW_GAS_PAYOUTS": "100000",
    }


def disguises(secret: str) -> Sequence[str]:
    """Return *secret* as it is, and as bytes, URLs and authorisation headers show it."""
    raw = secret.encode()
    return (secret, raw.hex(), base64.b64encode(raw).decode().rstrip("="), quote(secret, safe=""), secret[::-1])


def leaks(text: str, secrets: Mapping[str, str]) -> Sequence[str]:
    """Return the names of the secrets that *text* shows, in whatever disguise and case."""
    lower = text.lower()
    return [name for name, secret in secrets.items() if any(each.lower() in lower for each in disguises(secret))]


def stored(services: Services) -> str:
    """Return all that the storage account holds: every cell of every table, every message of every queue."""
    cells, connection = list[str](), services.storage.connection_string
    with TableServiceClient.from_connection_string(connection) as tables:
        for table in tables.list_tables():
            for row in tables.get_table_client(table.name).list_entities():
                cells += [f"{value!r} {_as_text(value)}" for value in row.values()]
    with QueueServiceClient.from_connection_string(connection) as queues:
        for queue in queues.list_queues():
            for message in queues.get_queue_client(queue.name).peek_messages(32):
                cells += [str(message.content), _as_text(base64.b64decode(str(message.content) + "==="))]
    return "\n".join(cells)


def _as_text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def until_paid(seen: Seen, host: FunctionsHost, order_id: str) -> None:
    """Ask for the order's status until it is paid."""
    deadline = time.monotonic() + PAID_WITHIN_S
    while not (seen.ask(host, f"/orders/{order_id}", x_functions_key=stack.FUNCTION_KEY) == 200 and _paid(seen)):
        assert time.monotonic() < deadline, seen.answers[-1]
        time.sleep(0.5)


def _paid(seen: Seen) -> bool:
    return '"status": "paid"' in seen.answers[-1]


def a_busy_day(seen: Seen, host: FunctionsHost) -> None:
    """Pay an order, and let everything a caller can do wrong be done wrong."""
    assert seen.order(host, order_id="CANARY-1") == 202
    assert seen.order(host, order_id="CANARY-1") == 200
    assert seen.order(host, order_id="CANARY-1", amount="2") == 422
    assert seen.order(host, order_id="CANARY 2") == 400
    assert seen.order(host, order_id="CANARY-3", amount=NOTE) == 400
    assert seen.order(host, order_id="CANARY-4", wallet=WALLET.replace("E0F", "e0f")) == 422
    assert seen.order(host, "another-secret-of-enough-bytes", order_id="CANARY-5") == 401
    assert seen.order(host, order_id="CANARY-6", pad="x" * 70_000) == 413
    body = f'{{"order_id": "{NOTE}", "order_id": "{SECRET}"'.encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert seen.ask(host, "/webhook", body, X_WP_Signature=signature, Content_Type="application/json") == 400
    assert seen.ask(host, "/webhook", b"{}", X_WP_Signature=SECRET, Content_Type="application/json") == 401
    assert seen.ask(host, f"/orders/{NOTE}", x_functions_key=stack.FUNCTION_KEY) == 404
    assert seen.ask(host, "/orders/CANARY-1", x_functions_key=SECRET) == 401
    seen.ask(host, "/ready")
    until_paid(seen, host, "CANARY-1")


def broken(settings: Mapping[str, str]) -> dict[str, str]:
    """Return settings of which each secret is wrong: what is said of them must not repeat them."""
    return {
        **settings,
        "WEBHOOK_SECRET": SHORT,
        "OPERATOR_PK": BROKEN_KEY,
        "RPC_URL": f"ftp://{NODE_KEY}@node.example/{NODE_KEY}",
        "ALARM_WEBHOOK_URL": f"http://hooks.example/{HOOK_KEY}",
    }


def test_no_secret_comes_out_anywhere(run: Run, services: Services) -> None:
    """Through a day with every mistake a caller can make, and a start with every secret set wrong."""
    seen, settings = Seen(), planted(services)
    with stack.functions_host(run, settings, "ours") as host:
        a_busy_day(seen, host)
    log = run.log("host").read_text("utf-8")
    with stack.functions_host(run, broken(settings), "ours") as host:
        assert seen.order(host, SHORT, order_id="CANARY-7") == 503
        assert seen.ask(host, "/ready") == 503
    log += run.log("host").read_text("utf-8")
    rows, answers = stored(services), "\n".join(seen.answers)

    secrets = {
        "WEBHOOK_SECRET": SECRET,
        "a short WEBHOOK_SECRET": SHORT,
        "OPERATOR_PK": settings["OPERATOR_PK"].removeprefix("0x"),
        "a broken OPERATOR_PK": BROKEN_KEY,
        "the key in RPC_URL": NODE_KEY,
        "the key in ALARM_WEBHOOK_URL": HOOK_KEY,
        "the function key": stack.FUNCTION_KEY,
        "the storage account's key": services.storage.connection_string.partition("AccountKey=")[2].split(";")[0],
        **{f"signature {number}": signature for number, signature in enumerate(seen.signatures)},
    }
    assert ("CANARY-1" in log, "CANARY-1" in rows, "CANARY-1" in answers) == (True, True, True)
    assert ("new_heads_lost" in log, "new_heads_announced" in log) == (True, True)
    assert leaks(log, {**secrets, "a field of the body": NOTE}) == []
    assert leaks(rows, {**secrets, "a field of the body": NOTE}) == []
    assert leaks(answers, {**secrets, "a field of the body": NOTE}) == []


def test_personal_data_is_masked_in_lines_below_warning(run: Run, services: Services) -> None:
    """The wallet and the reason are in the ledger; the log has the wallet's ends and no reason."""
    seen = Seen()
    with stack.functions_host(run, {**planted(services), "LOG_LEVEL": "INFO"}, "ours") as host:
        assert seen.order(host, order_id="MASKED-1") == 202
        until_paid(seen, host, "MASKED-1")
    log = run.log("host").read_text("utf-8")

    assert WALLET in stored(services)
    assert "0x5290…9EE7" in log
    assert WALLET.lower() not in log.lower()
    assert "Maria" not in log


@pytest.mark.parametrize("secret", [SECRET, "0x5de4111afa"])
@pytest.mark.parametrize("disguise", range(5))
def test_the_search_finds_a_planted_leak(secret: str, disguise: int) -> None:
    """Each disguise is seen through."""
    assert leaks(f"before {disguises(secret)[disguise].upper()} after", {"it": secret}) == ["it"]
