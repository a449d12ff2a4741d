"""A setting is renamed on real storage and a real node: nothing is paid twice, and `same-as` lets the rest go on."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from devstack.contracts import Devchain
from distributor.webhook.authentication import WebhookRequest
from distributor.wiring import Container
from tests.integration.conftest import WEBHOOK_SECRET
from tests.integration.test_commands import ONE_TOKEN, Desk

SECOND = "a secret of its own, for the same shop"


@pytest.fixture
def desk(environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A person with a ledger that is ours, and one shop under WEBHOOK_SECRET."""
    own = Desk(environ, devchain, capsys)
    own.run("init", "--apply", "--new-beginning", "the chain is shared with other tests")
    return own


def send(desk: Desk, secret: str, order_id: str) -> tuple[str, str]:
    """Send an order signed with *secret*; return where it is and how."""
    body = json.dumps({"order_id": order_id, "wallet": desk.devchain.deployment.customers[0], "amount": "1"}).encode()
    signature = hmac.digest(secret.encode(), body, hashlib.sha256).hex()

    async def accept(container: Container) -> tuple[str, str]:
        intake = await container.intake()
        _, accepted = await intake.accept(WebhookRequest(headers={"X-WP-Signature": signature}, body=body))
        return accepted.order.source, str(accepted.order.status)

    return desk.service(accept)


def pay(desk: Desk) -> None:
    """Bind what waits and follow it to its end."""
    desk.drain()
    desk.settle()


def test_a_renamed_setting_pays_nothing_twice_and_same_as_goes_on(desk: Desk) -> None:
    """The same secret under another name needs nobody; a new secret under it waits for `same-as`."""
    desk.pay("S-1")
    assert desk.payouts() == [ONE_TOKEN]

    del desk.environ["WEBHOOK_SECRET"]
    desk.environ["WEBHOOK_SECRET__SHOP_A"] = WEBHOOK_SECRET
    assert send(desk, WEBHOOK_SECRET, "S-1") == ("shop-a", "received")
    assert send(desk, WEBHOOK_SECRET, "S-2") == ("shop-a", "received")
    pay(desk)
    assert len(desk.payouts()) == 2
    assert send(desk, WEBHOOK_SECRET, "S-1") == ("default", "paid")
    assert desk.ask("order", "shop-a/S-2")["source"] == "default"

    desk.environ["WEBHOOK_SECRET__SHOP_A"] = SECOND
    send(desk, SECOND, "S-3")
    pay(desk)
    assert len(desk.payouts()) == 2
    assert desk.ask("show")["waiting"]["reason"] == "shop_unknown"

    unknown = next(line for line in desk.ask("shops", "list")["secrets"] if line["source"] is None)
    assert (unknown["setting"], unknown["waiting"]) == ("WEBHOOK_SECRET__SHOP_A", 1)
    said: dict[str, Any] = desk.ask("shops", "same-as", unknown["secret"], "default")
    assert (said["source"], "Dry run" in desk.story) == ("default", True)
    desk.do("shops", "accept", unknown["secret"], "default", code=1)
    desk.do("shops", "same-as", unknown["secret"], "default")
    pay(desk)

    assert len(desk.payouts()) == 3
    assert send(desk, SECOND, "S-1") == ("default", "paid")
    assert desk.ask("shops", "list")["secrets"][0]["source"] == "default"
    desk.do("shops", "same-as", "0000", "default", code=1)
    desk.do("shops", "accept", unknown["secret"], code=1)
