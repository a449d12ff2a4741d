"""
The pages of the runbook on real servers, each typed as it is written by somebody who knows nothing else.

The page of a lost ledger has a test of its own, and so have the pages on the guard, the Authority and the shops.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devstack.contracts import Devchain
from distributor.model import HoldReason
from distributor.queue_names import DISTRIBUTIONS, POISON
from distributor.resources import Resources
from tests.integration.test_commands import ONE_TOKEN, Desk, hold


@pytest.fixture
def desk(environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A person with a ledger that is ours, beginning with the token."""
    own = Desk(environ, devchain, capsys)
    own.run("init", "--apply", "--new-beginning", "the chain is shared with other tests")
    return own


@pytest.mark.parametrize("reason", HoldReason)
def test_an_order_that_is_held_is_brought_back_by_its_page(desk: Desk, reason: HoldReason) -> None:
    """It is paid, once; or cancelled, where it can never be paid. Payouts go on afterwards, and every row agrees."""
    hold(desk, "A-1", reason)

    typed = desk.page(f"held_{reason}", {"ORDER": "A-1"})

    desk.drain()
    desk.settle()
    cancelled = "cancel" in typed
    assert desk.ask("order", "A-1")["status"] == ("cancelled" if cancelled else "paid")
    assert desk.payouts() == ([] if cancelled else [ONE_TOKEN])
    assert desk.ask("show")["paused"] is None
    assert desk.ask("held")["held"] == desk.ask("verify")["disagreements"] == []
    assert desk.ask("history", "A-1")["decisions"][-1]["why"] == "WHY"


def test_the_payouts_are_stopped_and_go_on_by_their_pages(desk: Desk) -> None:
    """Nothing is bound in between; a halt ends by the same page as a pause."""
    desk.send("A-1")
    assert desk.page("Stop the payouts") == ["pause"]
    desk.drain()
    assert desk.ask("show")["waiting"]["reason"] == "paused"

    desk.do("halt")
    assert desk.page("waiting_paused") == ["resume"]
    desk.drain()
    desk.settle()
    assert desk.payouts() == [ONE_TOKEN]


def test_a_poison_queue_is_emptied_by_its_page(desk: Desk) -> None:
    """And the work behind it is woken."""

    async def poison(parts: Resources) -> None:
        await (await parts.queues()).put(DISTRIBUTIONS + POISON, "what no function can decode")

    async def count(parts: Resources) -> int:
        return await (await parts.queues()).count(DISTRIBUTIONS + POISON)

    desk.parts(poison)
    assert desk.page("poison_waiting") == ["replay-poison"]
    assert desk.parts(count) == 0


def test_an_order_above_a_lowered_cap_is_cancelled_by_its_page(desk: Desk) -> None:
    """Others are paid meanwhile."""
    desk.send("A-1", amount="2")
    desk.environ["MAX_ORDER_TOKENS"] = "1"
    desk.send("A-2")
    desk.drain()
    desk.settle()
    assert desk.ask("order", "A-1")["waiting"]["reason"] == "over_cap"

    assert desk.written("waiting_over_cap", "cancel ORDER", {"ORDER": "A-1"})["status"] == "cancelled"
    assert desk.payouts() == [ONE_TOKEN]


def test_a_held_order_that_is_not_to_be_paid_is_ended_by_its_page(desk: Desk) -> None:
    """And the order beside it is paid."""
    hold(desk, "A-1", HoldReason.PAST_UNKNOWN)

    assert desk.written("Held orders", "cancel ORDER", {"ORDER": "A-1"})["status"] == "cancelled"
    desk.pay("A-2")
    assert desk.payouts() == [ONE_TOKEN]


def test_a_bound_order_is_closed_on_the_word_of_the_node_that_a_person_names(desk: Desk) -> None:
    """Its transaction is final and nothing has followed it; then payouts go on."""
    desk.send("A-1")
    desk.drain()
    (opened,) = desk.ask("show")["open_transactions"]
    desk.devchain.mine(8)
    assert desk.ask("order", "A-1")["status"] == "submitted"

    host = desk.environ["RPC_URL"].partition("//")[2]
    words = {"ORDER": "A-1", "HASH": opened["transaction"], "HOST": host}
    assert desk.written("Ways out", "settle ORDER --tx HASH --node HOST", words)["outcome"] == "paid"

    assert desk.ask("order", "A-1")["status"] == "paid"
    assert desk.ask("show")["open_transactions"] == []
    desk.pay("A-2")
    assert desk.payouts() == [ONE_TOKEN] * 2
    assert desk.ask("verify")["disagreements"] == []


def test_a_stray_transaction_is_resolved_by_the_page_of_a_ledger_that_is_behind(desk: Desk) -> None:
    """While paused; then payouts go on."""
    known = desk.devchain.deployment
    sent = desk.devchain.rpc("eth_sendTransaction", {"from": known.operator, "to": known.admin, "value": "0x0"})
    name = sent if isinstance(sent, str) else f"0x{bytes(sent).hex()}"
    desk.environ |= {"RELEASE_CONFIRMATIONS": "1"}
    desk.devchain.mine(8)
    desk.send("A-1")
    desk.drain()
    assert desk.ask("show")["waiting"]["reason"] == "nonce_ahead"
    desk.page("Stop the payouts")
    nonce = str(desk.ask("show")["operators"][0]["next_nonce"])

    words = {"ADDRESS": known.operator, "N": nonce, "HASH": name}
    resolved = desk.written("ledger_behind", "resolve --operator ADDRESS --nonce N --tx HASH", words)
    assert resolved["outcome"] == "stepped_over"
    desk.page("waiting_paused")
    desk.drain()
    desk.settle()
    assert desk.payouts() == [ONE_TOKEN]


def test_a_payment_whose_block_left_the_chain_is_submitted_again_by_its_page(desk: Desk) -> None:
    """Its stored bytes are mined again: the order is paid, once."""
    before = desk.devchain.snapshot()
    desk.pay("A-1")
    order = desk.ask("order", "A-1")
    desk.devchain.revert(before)
    assert desk.payouts() == []

    words = {"ADDRESS": order["operator"], "N": str(order["nonce"])}
    answer = desk.written("Ways out", "resubmit --operator ADDRESS --nonce N", words)
    assert answer["outcome"] == "submitted"
    desk.settle()
    assert desk.payouts() == [ONE_TOKEN]


def test_a_payment_whose_nonce_something_else_used_is_reopened_by_its_page(desk: Desk) -> None:
    """The order is held and free; after a retry it is paid once, and after a resume of what the lost block paused."""
    desk.environ |= {"RELEASE_CONFIRMATIONS": "1"}
    before = desk.devchain.snapshot()
    desk.pay("A-1")
    known = desk.devchain.deployment
    desk.devchain.revert(before)
    sent = desk.devchain.rpc("eth_sendTransaction", {"from": known.operator, "to": known.admin, "value": "0x0"})
    name = sent if isinstance(sent, str) else f"0x{bytes(sent).hex()}"
    desk.devchain.mine(8)

    answer = desk.written("Ways out", "reopen ORDER --tx HASH", {"ORDER": "A-1", "HASH": name})
    assert answer["outcome"] == "held"
    retried = desk.written("Commands", "retry ORDER", {"ORDER": "A-1"})
    assert retried == {"order": "default:A-1", "status": "received"}
    assert desk.payouts() == []
    desk.drain()
    desk.settle()
    assert desk.ask("show")["paused"] is not None  # a final block left the chain
    desk.page("waiting_paused")
    desk.settle()
    assert desk.ask("order", "A-1")["status"] == "paid"
    assert desk.payouts() == [ONE_TOKEN]


def test_an_order_that_a_shop_sent_twice_is_looked_at_by_its_page(desk: Desk) -> None:
    """By its source and its id."""
    desk.pay("A-1")

    assert desk.written("shop_order_differs", "order SOURCE/ID", {"SOURCE/ID": "default/A-1"})["status"] == "paid"


def test_the_settings_of_a_deployed_app_are_read_as_the_page_says(desk: Desk, tmp_path: Path) -> None:
    """With the Azure CLI of the person: the environment has none of them."""
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps([{"name": name, "value": value} for name, value in desk.environ.items()]), "utf-8")
    az = tmp_path / "az"
    az.write_text(f"#!/bin/sh\ncat {answer}\n", "utf-8")
    az.chmod(0o755)
    table = desk.environ["LEDGER_TABLE"]
    desk.environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}

    shown = desk.written("Connect", "show --app GROUP/NAME", {"GROUP/NAME": "group/app"})

    assert shown["identity"]["ledger_id"]
    assert table in desk.story
