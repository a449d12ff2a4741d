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
    desk.written("Ways out", "shops same-as SECRET SOURCE", {"SECRET": unknown["secret"], "SOURCE": "default"})
    pay(desk)

    assert len(desk.payouts()) == 3
    assert send(desk, SECOND, "S-1") == ("default", "paid")
    assert desk.ask("shops", "list")["secrets"][0]["source"] == "default"
    desk.do("shops", "same-as", "0000", "default", code=1)
    desk.do("shops", "accept", unknown["secret"], code=1)


def test_another_shop_is_paid_by_the_ways_out(desk: Desk) -> None:
    """Its order waits, and is paid under the name that a person gave; the first shop goes on."""
    desk.environ["WEBHOOK_SECRET__SHOP_B"] = SECOND
    assert send(desk, SECOND, "B-1")[1] == "received"
    pay(desk)
    assert desk.ask("show")["waiting"]["reason"] == "shop_unknown"
    unknown = next(line for line in desk.ask("shops", "list")["secrets"] if line["source"] is None)

    desk.written("Ways out", "shops accept SECRET SOURCE", {"SECRET": unknown["secret"], "SOURCE": "shop-b"})
    pay(desk)

    assert desk.ask("order", "shop-b/B-1")["status"] == "paid"
    desk.pay("S-1")
    assert desk.payouts() == [ONE_TOKEN] * 2


def test_the_page_of_an_unknown_shop_is_typed_as_it_is_written(desk: Desk) -> None:
    """Another shop; then the word was wrong, and is corrected while payouts are paused."""
    desk.environ["WEBHOOK_SECRET__SHOP_B"] = SECOND
    send(desk, SECOND, "B-1")
    pay(desk)
    unknown = next(line for line in desk.ask("shops", "list")["secrets"] if line["source"] is None)
    words = {"SECRET": unknown["secret"], "SOURCE": "shop-b"}

    desk.written("waiting_shop_unknown", 'shops accept SECRET SOURCE --why "WHY" --apply', words)
    pay(desk)
    assert desk.ask("order", "shop-b/B-1")["status"] == "paid"
    assert desk.do("shops", "accept", unknown["secret"], "shop-b", code=1)["error"]

    desk.do("pause")
    words["SOURCE"] = "default"
    desk.written("waiting_shop_unknown", "shops same-as SECRET SOURCE", words)
    desk.do("resume")
    assert send(desk, SECOND, "B-1")[1] == "paid"
    desk.environ["WEBHOOK_SECRET__SHOP_C"] = third = "a third secret, of the same shop again"
    send(desk, third, "B-2")
    pay(desk)
    words["SECRET"] = next(line["secret"] for line in desk.ask("shops", "list")["secrets"] if line["source"] is None)
    desk.written("waiting_shop_unknown", 'shops same-as SECRET SOURCE --why "WHY" --apply', words)
    pay(desk)
    assert len(desk.payouts()) == 2
    cancelled = desk.written("waiting_shop_unknown", 'cancel SHOP:ID --why "WHY" --apply', {"SHOP:ID": "default:B-3"})
    assert cancelled == {"order": "default:B-3", "status": "cancelled"}
