"""The operator's commands on real storage and a real node, as a person types them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from devstack.contracts import Devchain
from distributor.cli import main
from distributor.cli.arguments import parser
from distributor.errors import ConflictingOrder
from distributor.ledger import keys
from distributor.ledger.columns import encode
from distributor.model import HoldReason, OrderKey, OrderStatus
from distributor.order_ids import ref_id
from distributor.recovery.fence import FENCE_NONCES
from distributor.resources import Resources
from distributor.units import TokenUnits, Wei
from distributor.webhook.authentication import WebhookRequest
from distributor.wiring import Container
from foundation.clock import system_clock
from foundation.tablestore.atomic import AtomicWrite, commit
from tests import runbook
from tests.integration.conftest import WEBHOOK_SECRET

ONE_TOKEN = 10**18
T = TypeVar("T")


class Desk:
    """A person at the command line, and a shop that sends its webhooks."""

    def __init__(self, environ: Mapping[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]) -> None:
        self.environ, self.devchain, self._capsys = dict(environ), devchain, capsys
        self.story = ""

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command; return what it printed, after it ended with *code*."""
        self._capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environ.items():
                patch.setenv(name, value)
            ended = main(arguments)
        said = self._capsys.readouterr()
        self.story = said.err
        assert ended == code, said.out + said.err
        return said.out

    def ask(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with ``--json``; return its answer."""
        return json.loads(self.run(*arguments, "--json", code=code))

    def do(self, *arguments: str, code: int = 0) -> Any:
        """Run a command that changes something; return its answer."""
        return self.ask(*arguments, "--apply", "--by", "ana", "--why", "test", code=code)

    def written(self, heading: str, command: str, words: Mapping[str, str] | None = None, *, code: int = 0) -> Any:
        """
        Type a command as a page of the runbook has it, with *words* for its words in capitals; return its answer.

        What the page leaves out for brevity is added to a command that changes something: --why and --apply.
        """
        arguments = runbook.typed(heading, command, words)
        for added in (["--why", "WHY"], ["--apply"]):
            _, unknown = parser().parse_known_args([*arguments, *added])
            arguments += added if added[0] not in [*arguments, *unknown] else []
        return self.run(*arguments, code=code) if "--csv" in arguments else self.ask(*arguments, code=code)

    def page(self, heading: str, words: Mapping[str, str] | None = None) -> list[str]:
        """Type the commands in the blocks of a page, one after the other; return their names."""
        lines = runbook.blocks(heading)
        assert lines, f"the page {heading} has no commands"
        for line in lines:
            self.run(*runbook.filled(line, words))
        return [line.partition(" ")[0] for line in lines]

    def service(self, work: Callable[[Container], Awaitable[T]]) -> T:
        """Let the service work with its real clients."""

        async def working() -> T:
            container = Container(self.environ, clock=system_clock)
            try:
                return await work(container)
            finally:
                await container.aclose()

        return asyncio.run(working())

    def parts(self, work: Callable[[Resources], Awaitable[T]]) -> T:
        """Look into the ledger from outside."""

        async def looking() -> T:
            parts = Resources(self.environ, clock=system_clock)
            try:
                return await work(parts)
            finally:
                await parts.aclose()

        return asyncio.run(looking())

    def send(self, *order_ids: str, amount: str = "1") -> list[str]:
        """Send the webhooks of orders; return the state of each."""
        wallet = self.devchain.deployment.customers[0]
        bodies = [json.dumps({"order_id": name, "wallet": wallet, "amount": amount}).encode() for name in order_ids]

        async def accept(container: Container) -> list[str]:
            intake = await container.intake()
            signed = [(hmac.digest(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hex(), body) for body in bodies]
            requests = [WebhookRequest(headers={"X-WP-Signature": name}, body=body) for name, body in signed]
            accepted = [await intake.accept(request) for request in requests]
            return [str(each.order.status) for _, each in accepted]

        return self.service(accept)

    def drain(self) -> None:
        """Bind and submit what waits."""

        async def drain(container: Container) -> None:
            await (await container.payouts.distribution()).drain()

        self.service(drain)

    def tell(self) -> None:
        """Report the active alarms, as the sweep does."""

        async def tell(container: Container) -> None:
            await (await container.alarm_sweep()).run()

        self.service(tell)

    def settle(self) -> None:
        """Mine to finality and follow everything to its end."""
        self.devchain.mine(8)

        async def follow(container: Container) -> None:
            await (await container.payouts.settlement()).follow()

        self.service(follow)

    def pay(self, *order_ids: str) -> None:
        """Pay orders to their end."""
        self.send(*order_ids)
        self.drain()
        self.settle()

    def payouts(self) -> list[TokenUnits]:
        """Return what left the reserve since the test began."""
        return [each.amount_units for each in self.devchain.payouts()]

    def lose_the_ledger(self) -> None:
        """Let another, empty table be the ledger."""
        self.environ["LEDGER_TABLE"] += "x"


@pytest.fixture
def desk(environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A person with a ledger that is ours, beginning with the token."""
    own = Desk(environ, devchain, capsys)
    own.run("init", "--apply", "--new-beginning", "the chain is shared with other tests")
    return own


# the switch --------------------------------------------------------------------------------------


def test_a_pause_stops_the_payouts_until_it_is_ended(desk: Desk) -> None:
    """Person and reason are shown, and is in the audit trail."""
    assert desk.do("pause") == {"paused": True, "by": "ana", "why": "test", "halted": None}
    desk.send("A-1")
    desk.drain()
    assert desk.ask("show")["paused"] == {"by": "ana", "why": "test"}
    assert desk.ask("show")["waiting"]["reason"] == "paused"
    assert desk.payouts() == []

    assert desk.do("resume") == {"paused": False, "by": "", "why": "", "halted": None}
    desk.drain()
    desk.settle()
    assert desk.payouts() == [ONE_TOKEN]
    assert {(each["deed"], each["by"], each["why"]) for each in _trail(desk)} >= {("resume", "ana", "test")}


def test_a_halt_stops_binding_and_submitting_until_it_is_ended(desk: Desk) -> None:
    """It is shown beside the pause that it is as well, and one word ends both."""
    words = {"by": "ana", "why": "test"}
    assert desk.do("halt") == {"paused": True, **words, "halted": words}
    desk.send("A-1")
    desk.drain()
    shown = desk.ask("show")
    assert (shown["halted"], shown["paused"], shown["waiting"]["reason"]) == (words, words, "halted")
    assert desk.do("halt")["halted"] == words
    assert "Halted already" in desk.story

    desk.do("resume")
    desk.drain()
    desk.settle()
    assert desk.payouts() == [ONE_TOKEN]


def test_without_apply_nothing_changes(desk: Desk) -> None:
    """What would be done is said, after chain, operator and table."""
    said = desk.run("pause", "--why", "test")

    known = desk.devchain.deployment
    assert said.splitlines()[:3] == [
        f"Chain:    {known.chain_id} (neither Polygon nor its test network)",
        f"Ledger:   table {desk.environ['LEDGER_TABLE']} at {said.splitlines()[1].rpartition(' ')[2]}",
        f"Operator: {known.operator}",
    ]
    assert "Dry run: would stop all binding" in said
    assert desk.ask("show")["paused"] is None


def test_said_twice_it_says_so(desk: Desk) -> None:
    """The first words stand."""
    desk.do("resume")
    assert "Not paused." in desk.story
    desk.do("pause")

    assert desk.ask("pause", "--apply", "--by", "bia", "--why", "me too")["by"] == "ana"
    assert "Paused already" in desk.story


@pytest.mark.parametrize("arguments", [["pause"], ["pause", "--why", " "], ["order"], ["resolve", "--tx", "0x1"], []])
def test_wrong_arguments_exit_with_2(arguments: list[str]) -> None:
    """A change without a reason is one of them."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2


def test_a_ledger_that_is_nobodys_is_not_written_to(desk: Desk) -> None:
    """A switch in it would stand in the way of its founding."""
    desk.lose_the_ledger()
    desk.parts(_ensure)

    desk.run("pause", "--why", "test", "--apply", code=1)
    assert "no identity" in desk.story
    desk.run("add-operator", "--why", "test", "--apply", code=1)
    assert "no identity" in desk.story

    assert desk.ask("show")["identity"] is None


# orders ------------------------------------------------------------------------------------------


def test_an_order_is_shown_as_the_shop_sees_it(desk: Desk) -> None:
    """With and without the shop's name; an unknown one is refused."""
    desk.pay("A-1")

    shown = desk.ask("order", "A-1")
    assert (shown["status"], shown["amount"]) == ("paid", "1")
    assert desk.ask("order", "default/A-1") == desk.written("Commands", "order ORDER", {"ORDER": "A-1"}) == shown
    desk.run("order", "loja/A-1", code=1)
    assert "no order loja:A-1" in desk.story


def test_a_held_order_is_listed_retried_and_paid(desk: Desk) -> None:
    """Once."""
    hold(desk, "A-1")

    (held,) = desk.ask("held")["held"]
    assert (held["order"], held["reason"], held["amount"]) == ("default:A-1", "simulation", "1")
    assert "default:A-1" in desk.run("held")
    desk.run("retry", "A-1", "--why", "test")
    assert desk.ask("held")["held"] == [held]
    assert desk.written("Held orders", "retry ORDER", {"ORDER": "A-1"}) == {
        "order": "default:A-1",
        "status": "received",
    }
    desk.do("retry", "A-1", code=1)
    desk.drain()
    desk.settle()
    assert desk.payouts() == [ONE_TOKEN]
    assert desk.ask("held")["held"] == []


def test_an_order_that_may_have_been_paid_is_not_retried_lightly(desk: Desk) -> None:
    """Its transaction succeeded and only the proof is missing: somebody must have looked."""
    hold(desk, "A-9", HoldReason.NO_TRANSFER)

    desk.do("retry", "A-9", code=1)
    assert "may have been paid" in desk.story
    assert [each["order"] for each in desk.ask("held")["held"]] == ["default:A-9"]
    assert desk.do("retry", "A-9", "--no-tokens-moved")["status"] == "received"


def test_a_cancelled_order_is_never_paid(desk: Desk) -> None:
    """Nor taken back twice; an id never seen is barred before its webhook comes."""
    desk.send("A-1")

    desk.run("cancel", "A-1", "--why", "test")
    answer = desk.written("Commands", "cancel ORDER", {"ORDER": "A-1"})
    assert answer == {"order": "default:A-1", "status": "cancelled"}
    desk.do("cancel", "A-1", code=1)
    answer = desk.written("Ways out", "cancel ORDER", {"ORDER": "A-2"})
    assert answer == {"order": "default:A-2", "status": "cancelled"}
    assert desk.send("A-1", "A-2") == ["cancelled", "cancelled"]
    desk.drain()
    assert desk.ask("show")["open_transactions"] == []


def test_a_paid_order_that_is_held_is_settled_and_not_paid_again(desk: Desk) -> None:
    """Retry asks the chain; settle, resubmit and reopen look before they speak."""
    desk.pay("A-1")
    (order,) = [desk.ask("order", "A-1")]
    _make_held(desk, "A-1")

    desk.do("retry", "A-1", code=1)
    assert "settle default:A-1" in desk.story
    assert desk.ask("settle", "A-1", "--tx", order["transaction_hash"], "--why", "t")["outcome"] == "paid"
    paid_by = order["transaction_hash"]
    assert desk.written("Ways out", "settle ORDER --tx HASH", {"ORDER": "A-1", "HASH": paid_by})["outcome"] == "paid"
    assert desk.do("settle", "A-1", "--tx", order["transaction_hash"], code=1)["outcome"] == "is_paid"
    nonce = ("--operator", desk.devchain.deployment.operator, "--nonce", str(order["nonce"]))
    assert desk.do("resubmit", *nonce, code=1)["outcome"] == "used"
    assert desk.do("reopen", "A-1", "--tx", order["transaction_hash"], code=1)["outcome"] == "is_paid"
    assert len(desk.payouts()) == 1


def test_the_service_on_one_page(desk: Desk) -> None:
    """What waits, what is held, what is in flight, who works, what was seen."""
    desk.devchain.set_automine(enabled=False)
    desk.send("A-1")
    desk.drain()
    desk.send("A-2")
    hold(desk, "A-3")

    desk.tell()

    shown = desk.ask("show")
    (operator,) = shown["operators"]
    (alarm,) = shown["alarms"]
    assert (alarm["alarm"], alarm["times"], alarm["about"]) == ("held_simulation", 1, ["default:A-3"])
    (opened,) = shown["open_transactions"]
    assert shown["identity"]["reserve"] == desk.devchain.deployment.reserve
    assert (shown["waiting"]["orders"], shown["held"]) == (["default:A-2"], ["default:A-3"])
    assert (opened["orders"], opened["status"]) == (["default:A-1"], "submitted")
    assert (operator["operator"], operator["next_nonce"]) == (desk.devchain.deployment.operator, opened["nonce"] + 1)
    assert {lease["alive"] for lease in shown["leases"]} == {False}
    assert "open_transactions:" in desk.run("show")


# operators ---------------------------------------------------------------------------------------


def test_a_new_key_pays_after_it_was_added(desk: Desk) -> None:
    """From its own nonce on the chain."""
    known = desk.devchain.deployment
    desk.devchain.grant(known.second_operator)
    desk.environ |= {"OPERATOR_PK": known.second_operator_key, "OPERATOR_PK_RETIRING": known.operator_key}
    nonce = desk.devchain.nonce_of(known.second_operator)

    desk.run("add-operator", "--why", "test")
    assert (f"has sent {nonce} transactions" in desk.story) is bool(nonce)
    assert desk.do("add-operator") == {"operator": known.second_operator, "next_nonce": nonce}
    assert desk.do("add-operator") == {"operator": known.second_operator, "next_nonce": nonce}
    assert "already" in desk.story
    desk.pay("A-1")
    assert desk.payouts() == [ONE_TOKEN]
    assert desk.ask("order", "A-1")["operator"] == known.second_operator


def test_a_new_lane_is_looked_at_and_added_beside_the_first_operator(desk: Desk) -> None:
    """By `add-operator`, `balance`, `keys check` and `doctor`: each names both operators."""
    known = desk.devchain.deployment
    operators = [known.operator, known.second_operator]
    desk.devchain.grant(known.second_operator)
    desk.environ |= {"OPERATOR_PK__B": known.second_operator_key}
    unknown = f"{known.second_operator} is not in the ledger"
    assert unknown in doctors_keys(desk)

    added = desk.written("lane_stopped", 'add-operator --why "WHY" --apply')
    assert [each["operator"] for each in added["lanes"]] == operators
    assert unknown not in doctors_keys(desk)
    assert [each["operator"] for each in desk.ask("keys", "check", code=1)["operators"]] == operators
    desk.devchain.set_balance(known.second_operator, Wei(0))
    gas = desk.ask("balance", code=1)
    desk.devchain.set_balance(known.second_operator, Wei(10**22))

    assert [each["payouts_left"] for each in gas["lanes"]] == [0]
    assert gas["gas"]["operator"] == known.operator
    desk.devchain.revoke(known.second_operator)
    assert f"{known.second_operator}: " in doctors_keys(desk)


def doctors_keys(desk: Desk) -> str:
    """Return what `doctor` says of the operators' keys."""
    items = desk.ask("doctor", code=1)["checks"]
    return next(str(each["detail"]) for each in items if each["check"] == "keys")


def test_a_key_with_something_in_a_pool_is_not_added(desk: Desk) -> None:
    """Which nonce is next is not known then."""
    known = desk.devchain.deployment
    desk.devchain.set_automine(enabled=False)
    desk.devchain.rpc("eth_sendTransaction", {"from": known.second_operator, "to": known.admin, "value": "0x0"})
    desk.environ["OPERATOR_PK"] = known.second_operator_key

    desk.do("add-operator", code=1)

    assert "wait in a pool" in desk.story


# nonces ------------------------------------------------------------------------------------------


def test_a_nonce_that_a_stranger_used_is_resolved(desk: Desk) -> None:
    """The order is held, free of it, and paid after a retry."""
    desk.environ |= {"RELEASE_CONFIRMATIONS": "1"}
    known = desk.devchain.deployment
    desk.devchain.set_automine(enabled=False)
    desk.send("A-1")
    desk.drain()
    (opened,) = desk.ask("show")["open_transactions"]
    desk.devchain.rpc("anvil_dropTransaction", opened["transaction"])
    used = desk.devchain.rpc("eth_sendTransaction", {"from": known.operator, "to": known.admin, "value": "0x0"})
    name = used if isinstance(used, str) else f"0x{bytes(used).hex()}"
    desk.devchain.mine(8)
    nonce = ("--operator", known.operator, "--nonce", str(opened["nonce"]))

    assert desk.ask("resolve", *nonce, "--tx", name, "--why", "test")["outcome"] == "held"
    assert desk.ask("held")["held"] == []
    words = {"ADDRESS": known.operator, "N": str(opened["nonce"]), "HASH": name}
    resolved = desk.written("Ways out", "resolve --operator ADDRESS --nonce N --tx HASH", words)
    assert resolved["outcome"] == "held"
    again = desk.written("nonce_lost", "resolve --operator ADDRESS --nonce N --tx HASH", words)
    assert again["outcome"] == "closed_before"
    assert [each["reason"] for each in desk.ask("held")["held"]] == ["nonce_lost"]
    assert desk.do("resolve", "--operator", known.operator, "--nonce", "99999", "--tx", name, code=1)["outcome"] == (
        "not_next"
    )
    desk.written("Ways out", "retry ORDER", {"ORDER": "A-1"})
    desk.drain()
    desk.settle()
    assert desk.payouts() == [ONE_TOKEN]


def test_a_nonce_whose_payment_is_refused_today_is_cancelled(desk: Desk) -> None:
    """One that would be paid is not."""
    desk.devchain.set_automine(enabled=False)
    desk.send("A-1")
    desk.drain()
    (opened,) = desk.ask("show")["open_transactions"]
    nonce = ("--operator", opened["operator"], "--nonce", str(opened["nonce"]))

    assert desk.do("cancel-nonce", *nonce, code=1)["outcome"] == "payable"
    desk.devchain.rpc("anvil_dropTransaction", opened["transaction"])
    desk.devchain.pause()
    assert desk.ask("cancel-nonce", *nonce, "--why", "test")["outcome"] == "submitted"
    words = {"ADDRESS": opened["operator"], "N": str(opened["nonce"])}
    answer = desk.written("Ways out", "cancel-nonce --operator ADDRESS --nonce N", words)
    assert answer["outcome"] == "submitted"
    assert desk.ask("show")["open_transactions"][0]["status"] == "cancelling"


# the ledger against the chain --------------------------------------------------------------------


def test_a_ledger_that_agrees_with_the_chain_passes_its_audit(desk: Desk) -> None:
    """With the counts."""
    desk.pay("A-1", "A-2")

    found = desk.ask("audit-chain")

    assert found["differences"] == []
    assert (found["orders_paid"], found["payouts_on_chain"], found["paid"]) == (2, 2, "2")
    assert desk.ask("audit-chain", "--from-block", str(found["last_block"]))["payouts_on_chain"] == 0


def test_what_was_paid_behind_the_ledgers_back_fails_the_audit(desk: Desk) -> None:
    """By the operator's own hand, and by the reserve's."""
    known = desk.devchain.deployment
    desk.pay("A-1")
    desk.devchain.distribute(known.customers[1], TokenUnits(5), ref_id("default", "A-9"), "by hand")
    desk.devchain.transfer_from_reserve(known.customers[1], TokenUnits(7))
    desk.devchain.mine(5)

    found = desk.ask("audit-chain", code=1)

    assert {each["kind"] for each in found["differences"]} == {"no_order", "stranger"}
    assert "no_order" in desk.run("audit-chain", code=1)
    by_hand = next(each["transaction"] for each in found["differences"] if each["kind"] == "stranger")
    accepted = desk.ask("audit-chain", "--accept-transfer", by_hand, code=1)
    assert [each["subject"] for each in accepted["differences"]] == ["default:A-9"]


def test_an_audit_must_know_where_to_begin(desk: Desk) -> None:
    """A wrong beginning would pass what it never looked at."""
    desk.environ["FIRST_BLOCK"] = ""

    desk.run("audit-chain", code=1)

    assert "FIRST_BLOCK" in desk.story


# the loss of the ledger --------------------------------------------------------------------------


def test_a_ledger_lost_while_transactions_wait_in_a_pool_is_rebuilt_and_pays_each_order_once(desk: Desk) -> None:
    """
    The whole story, on real storage and a real node that mines only on demand.

    1. One order is paid. Two more are signed and wait in the pool.
    2. The ledger is gone. The shop sends every webhook again; nothing is bound, and it is said why.
    3. The rebuild spends the pool's nonces, waits until that is final, and reads the chain.
    4. The audit trail is gone too, so a person says whose the secret is.
    5. Every webhook is sent again: the paid one is a duplicate, the others are paid, once.
    """
    desk.pay("A-1")
    desk.devchain.set_automine(enabled=False)
    desk.send("A-2", "A-3")
    desk.drain()
    assert len(desk.ask("show")["open_transactions"]) == 2

    desk.lose_the_ledger()
    desk.parts(_ensure)
    assert desk.send("A-1", "A-2") == ["received", "received"]
    desk.drain()
    assert desk.ask("show")["waiting"]["reason"] == "ledger_foreign"
    assert len(desk.payouts()) == 1

    dry = desk.ask("rebuild", "--why", "test")
    assert (dry["payouts"], dry["ledger_id"]) == ({"new": 1}, None)
    desk.devchain.rpc("evm_setIntervalMining", 1)
    report = desk.do("rebuild")
    desk.devchain.rpc("evm_setIntervalMining", 0)
    assert report["payouts"] == {"marked": 1}
    assert f"to {desk.devchain.nonce_of(desk.devchain.deployment.operator) - 1} on nothing" in desk.story
    desk.environ["LEDGER_ID"] = report["ledger_id"]

    assert desk.send("A-1", "A-2", "A-3") == ["paid", "received", "received"]
    desk.drain()
    assert len(desk.payouts()) == 1
    assert desk.ask("audit-chain")["differences"] == []
    desk.do("resume")
    desk.drain()
    assert desk.ask("show")["waiting"]["reason"] == "shop_unknown"
    (unknown,) = desk.ask("shops", "list")["secrets"]
    words = {"SECRET": unknown["secret"], "SOURCE": "default"}
    desk.written("The ledger is lost", 'shops same-as SECRET SOURCE --why "WHY" --apply', words)
    desk.drain()
    desk.settle()
    assert desk.send("A-1", "A-2", "A-3") == ["paid", "paid", "paid"]
    assert desk.payouts() == [ONE_TOKEN] * 3
    assert desk.ask("audit-chain")["orders_paid"] == 3
    with pytest.raises(ConflictingOrder):
        desk.send("A-1", amount="2")


def test_a_rebuild_is_blocked_until_every_transfer_is_explained(desk: Desk) -> None:
    """Meanwhile the ledger is nobody's."""
    known = desk.devchain.deployment
    desk.devchain.transfer_from_reserve(known.customers[1], TokenUnits(7))
    desk.devchain.mine(5)
    desk.lose_the_ledger()
    desk.environ["FINALITY"] = "depth:1"
    desk.environ["MIN_CONFIRMATIONS"] = "1"

    desk.devchain.rpc("evm_setIntervalMining", 1)
    (stranger,) = desk.do("rebuild", code=1)["to_explain"]
    assert (stranger["why"], stranger["amount_units"]) == ("no_distribution", "7")
    assert desk.ask("show")["identity"] is None
    done = desk.do("rebuild", "--accept-transfer", stranger["transaction"])
    desk.devchain.rpc("evm_setIntervalMining", 0)

    assert desk.ask("show")["identity"]["ledger_id"] == done["ledger_id"]
    assert desk.ask("show")["operators"][0]["next_nonce"] >= 2 * FENCE_NONCES


def test_a_dry_run_of_a_rebuild_needs_no_table(desk: Desk) -> None:
    """And makes none; the doing does."""
    desk.pay("A-1")
    desk.lose_the_ledger()

    assert desk.ask("rebuild", "--why", "test")["payouts"] == {"new": 1}
    assert desk.story.count("The ledger cannot be read: ") == 1
    desk.run("show", code=2)


def test_a_ledger_with_open_transactions_is_not_rebuilt(desk: Desk) -> None:
    """Settlement ends them first; dry or not."""
    desk.devchain.set_automine(enabled=False)
    desk.send("A-1")
    desk.drain()

    assert desk.ask("rebuild", "--why", "test", code=1)["error"] == "NotSettled"
    assert desk.do("rebuild", code=1)["error"] == "NotSettled"


def _make_held(desk: Desk, order_id: str) -> None:
    """Hold a paid order as a node that left out its logs once made it."""

    async def hold(parts: Resources) -> None:
        ledger = await parts.ledger()
        order = await ledger.order(OrderKey("default", order_id))
        assert order is not None
        held = replace(order, status=OrderStatus.HELD, hold_reason=HoldReason.NO_TRANSFER, operator=None, nonce=None)
        group = AtomicWrite()
        group.replace(keys.order_row(order.key), encode(held), order.version)
        group.insert(keys.held_row(order.key), encode(order.key))
        await commit((await parts.tables()).rows, group, marker_row=keys.order_row(order.key))

    desk.parts(hold)


def hold(desk: Desk, order_id: str, reason: HoldReason = HoldReason.SIMULATION) -> None:
    """Receive an order and hold it."""
    desk.send(order_id)

    async def hold(parts: Resources) -> None:
        ledger = await parts.ledger()
        order = await ledger.order(OrderKey("default", order_id))
        assert order is not None
        await ledger.hold(order, reason, "refused")

    desk.parts(hold)


async def _ensure(parts: Resources) -> None:
    await (await parts.tables()).ensure()


def _trail(desk: Desk) -> list[dict[str, Any]]:
    async def entries(parts: Resources) -> list[dict[str, Any]]:
        trail = (await parts.tables()).service.get_table_client(f"{desk.environ['LEDGER_TABLE']}audit")
        return [dict(each) async for each in trail.list_entities() if "deed" in each]

    return desk.parts(entries)


def test_a_command_with_the_settings_of_another_ledger_is_refused(desk: Desk) -> None:
    """Found-faults A15: with a wrong RESERVE_ADDRESS resolve held a paid order. Stopping is always allowed."""
    desk.pay("A-1")
    _make_held(desk, "A-1")
    desk.environ["RESERVE_ADDRESS"] = desk.devchain.deployment.customers[0]

    for command in (("retry", "A-1", "--no-tokens-moved"), ("cancel", "A-1"), ("resume",)):
        assert "another ledger" in desk.do(*command, code=1)["detail"]
    assert desk.do("pause")["paused"]
    assert desk.do("halt")["halted"]
