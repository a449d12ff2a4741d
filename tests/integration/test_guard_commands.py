"""The runbook's page on the guard, done as it is written: on real storage and a real node."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from devstack.contracts import Devchain
from distributor.addresses import parse_address
from distributor.model import Address
from distributor.units import TokenUnits
from tests.integration.test_commands import Desk, hold

RECIPIENT_BITS = 160


class GuardDesk(Desk):
    """A person at the command line who is also the guard's owner and the Authority's administrator."""

    def owner_signs(self, transactions: list[dict[str, Any]]) -> None:
        """Send what ``guard import`` listed."""
        admin = self.devchain.deployment.admin
        for each in transactions:
            sent = {"from": admin, "to": each["to"], "data": each["data"]}
            self.devchain.rpc("eth_sendTransaction", sent)

    def adopt(self, guard: Address, code: int = 0) -> Any:
        """Run ``guard adopt`` while blocks go on being made, however long it takes."""
        done = threading.Event()
        miner = threading.Thread(target=self._mine_until, args=[done])
        miner.start()
        try:
            if not code:
                return self.written("Set or change the guard", "guard adopt ADDRESS", {"ADDRESS": guard})
            return self.do("guard", "adopt", guard, code=code)
        finally:
            done.set()
            miner.join()

    def _mine_until(self, done: threading.Event) -> None:
        while not done.wait(0.2):
            self.devchain.mine()


def a_guarded_desk(environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]) -> GuardDesk:
    """Return the desk of a new ledger whose operator pays through a new guard alone."""
    guard = devchain.new_guard()
    devchain.revoke(devchain.deployment.operator)
    devchain.grant(guard)
    desk = GuardDesk(environ | {"GUARD_ADDRESS": guard}, devchain, capsys)
    desk.run("init", "--apply", "--new-beginning", "the chain is shared with other tests")
    return desk


@pytest.fixture
def desk(environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]) -> GuardDesk:
    """A person with a ledger that pays straight to the Authority."""
    own = GuardDesk(environ | {"RELEASE_CONFIRMATIONS": "3"}, devchain, capsys)
    own.run("init", "--apply")
    return own


def test_the_runbooks_page_leads_from_no_guard_to_one(desk: GuardDesk, tmp_path: Path) -> None:
    """Pause, close the old way, import, give the role, adopt, set and resume; old webhooks are never paid again."""
    desk.pay("A-1", "A-2")
    known = desk.devchain.deployment

    desk.written("Set or change the guard", 'pause --why "WHY" --apply')
    desk.devchain.revoke(known.operator)
    guard = desk.devchain.new_guard()
    out = tmp_path / "import.json"
    words = {"ADDRESS": guard, "import.json": str(out)}
    listed = desk.written("Set or change the guard", "guard import ADDRESS --out import.json", words, code=1)
    desk.owner_signs(listed["transactions"])
    assert json.loads(out.read_text("utf-8"))["transactions"][0]["data"] == listed["transactions"][0]["data"]
    assert desk.ask("guard", "import", guard)["missing"] == 0
    desk.devchain.grant(guard)
    assert desk.adopt(guard)["in_the_way"] == []
    desk.environ["GUARD_ADDRESS"] = guard
    desk.written("Set or change the guard", 'resume --why "WHY" --apply')

    desk.send("A-1", "A-2")
    desk.pay("B-1")
    shown = desk.ask("guard", "show")
    assert len(desk.payouts()) == 3
    assert desk.ask("order", "B-1")["status"] == "paid"
    assert (shown["guard"], shown["ledger_pays_through"], shown["payments"]) == (guard, guard, 3)
    assert shown["hot_keys"] == [known.operator]
    assert shown["can_pay_without_it"] == []
    assert desk.ask("audit-chain")["differences"] == []


def test_a_guard_is_created_by_a_key_of_its_own_and_adopted(desk: GuardDesk) -> None:
    """Dry first; never by the operator's key; and what was created is what was asked for."""
    known = desk.devchain.deployment
    key = Account.create()
    owner = ("--owner", known.admin)
    dry = desk.ask("deploy-guard", *owner)
    assert dry["creation_code"].startswith("0x")
    assert (dry["guard"], dry["in_the_way"]) == (None, [])
    desk.run("deploy-guard", *owner, "--apply", code=1)

    desk.environ["DEPLOYER_PK"] = desk.environ["OPERATOR_PK"]
    (refusal,) = desk.ask("deploy-guard", *owner, "--apply", code=1)["in_the_way"]
    assert "is the key of operator" in refusal
    desk.environ["DEPLOYER_PK"] = key.key.hex()
    (refusal,) = desk.ask("deploy-guard", *owner, "--apply", code=1)["in_the_way"]
    assert "holds 0 POL" in refusal
    desk.devchain.rpc("anvil_setBalance", key.address, hex(10**18))
    assert "owner could drain" in desk.ask("deploy-guard", "--owner", known.operator, code=1)["in_the_way"][0]
    assert key.key.hex() not in desk.story
    done = desk.written("Set or change the guard", "deploy-guard --owner ADDRESS", {"ADDRESS": known.admin})

    receipt = desk.devchain.rpc("eth_getTransactionReceipt", done["transaction"])
    assert parse_address(receipt["contractAddress"]) == done["guard"]
    assert 1_000_000 < int(receipt["gasUsed"], 16) < 1_600_000
    desk.do("pause")
    desk.devchain.revoke(known.operator)
    desk.owner_signs(done["owner_signs"])
    desk.devchain.grant(done["guard"])
    assert desk.adopt(done["guard"])["in_the_way"] == []


def test_a_wrong_deployer_key_is_refused_by_name(desk: GuardDesk) -> None:
    """And never repeated."""
    desk.environ["DEPLOYER_PK"] = "not a key"
    desk.run("deploy-guard", "--owner", desk.devchain.deployment.admin, code=2)
    assert "DEPLOYER_PK" in desk.story
    assert "not a key" not in desk.story


def test_a_guard_is_filled_and_adopted_only_by_a_ledger_that_has_all_that_was_paid(
    desk: GuardDesk, tmp_path: Path
) -> None:
    """What another ledger paid would be missing from the import, and paid again; an export shows what the logs show."""
    desk.pay("A-1")
    desk.devchain.transfer_from_reserve(desk.devchain.deployment.customers[2], TokenUnits(5))
    desk.do("pause")
    desk.devchain.revoke(desk.devchain.deployment.operator)
    guard = desk.devchain.new_guard()
    assert "1 differences" in desk.ask("guard", "import", guard, code=1)["in_the_way"][0]
    assert "1 differences" in " ".join(desk.ask("guard", "adopt", guard, code=1)["in_the_way"])

    by_hand = desk.devchain.payouts()[-1].tx_hash
    export = tmp_path / "export.csv"
    lines = [f"{each.tx_hash},{each.block_number}" for each in desk.devchain.transfers()]
    export.write_text("\n".join(["Transaction Hash,Blockno", *lines]), encoding="utf-8")
    by_export = ("--accept-transfer", by_hand, "--from-export", str(export))
    listed = desk.ask("guard", "import", guard, *by_export, code=1)
    assert (listed["in_the_way"], listed["missing"]) == ([], 1)
    assert "each read by its receipt" in desk.story
    desk.owner_signs(listed["transactions"])
    desk.devchain.grant(guard)
    assert desk.ask("guard", "adopt", guard, *by_export)["in_the_way"] == []

    export.write_text("\n".join(["Transaction Hash,Blockno", *lines[1:]]), encoding="utf-8")
    (incomplete,) = desk.ask("guard", "adopt", guard, *by_export, code=1)["in_the_way"]
    assert "--accept-incomplete" in incomplete
    assert desk.ask("guard", "adopt", guard, *by_export, "--accept-incomplete", "a mint")["in_the_way"] == []
    desk.run("audit-chain", "--from-export", str(tmp_path / "nowhere.csv"), code=1)
    assert "cannot be read" in desk.story


def test_an_adoption_too_early_says_what_is_in_the_way(desk: GuardDesk) -> None:
    """All of it at once, and nothing is written."""
    desk.pay("A-1")
    guard = desk.devchain.new_guard()
    found = " ".join(desk.do("guard", "adopt", guard, code=1)["in_the_way"])

    assert "not paused" in found
    assert "can pay without it" in found
    assert "does not let it pay" in found
    assert "1 paid references are not recorded" in found
    assert desk.ask("show")["identity"]["guard"] is None


def test_a_dry_adoption_changes_nothing_and_wants_words(desk: GuardDesk) -> None:
    """It says what would be done; with --apply it asks why."""
    desk.do("pause")
    desk.devchain.revoke(desk.devchain.deployment.operator)
    guard = desk.devchain.new_guard()
    desk.devchain.grant(guard)

    assert desk.ask("guard", "adopt", guard)["in_the_way"] == []
    assert "Dry run: would let this ledger pay through guard" in desk.story
    desk.run("guard", "adopt", guard, "--apply", code=1)
    assert "Say why" in desk.story
    assert desk.ask("show")["identity"]["guard"] is None


def test_without_any_guard_show_says_so_and_the_others_ask_which(desk: GuardDesk) -> None:
    """No address, no setting, none in the ledger."""
    assert desk.ask("guard", "show") == {"guard": None, "ledger_pays_through": None}
    desk.run("guard", "import", code=1)
    assert "Which guard?" in desk.story
    found = desk.ask("guard", "show", desk.devchain.deployment.token)
    assert (found["token"], found["hot_keys"]) == (None, [])


def test_a_setting_without_an_adoption_binds_nothing(desk: GuardDesk) -> None:
    """Until the ledger agrees, orders wait."""
    desk.environ["GUARD_ADDRESS"] = desk.devchain.new_guard()
    desk.send("A-1")
    desk.drain()

    assert desk.ask("show")["waiting"]["reason"] == "guard_changed"
    assert desk.payouts() == []


def test_a_new_ledger_with_a_guard_is_initialised_with_it(
    environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]
) -> None:
    """`init` looks at the guard first, and refuses one that cannot pay."""
    guard = devchain.new_guard()
    desk = GuardDesk(environ | {"GUARD_ADDRESS": guard}, devchain, capsys)
    refused = desk.run("init", "--apply", code=1)
    devchain.revoke(devchain.deployment.operator)
    devchain.grant(guard)
    desk.run("init", "--apply")
    nowhere = GuardDesk(
        desk.environ | {"GUARD_ADDRESS": devchain.deployment.customers[0], "LEDGER_TABLE": "nowhere"}, devchain, capsys
    ).run("init", "--apply", code=1)

    assert "can pay without it" in refused
    assert "there is no guard" in nowhere
    assert desk.ask("show")["identity"]["guard"] == guard
    desk.pay("A-1")
    record = Devchain(replace(devchain.deployment, guard=guard)).recorded(desk.ask("order", "A-1")["ref_id"])
    assert record % 2**RECIPIENT_BITS == int(devchain.deployment.customers[0], 16)
    assert "Already initialised" in desk.run("init")


def test_what_the_guard_has_paid_is_settled_and_neither_retried_nor_cancelled(
    environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second ledger on the same guard knows nothing of the payment; each command asks the guard first."""
    desk = a_guarded_desk(environ | {"RELEASE_CONFIRMATIONS": "3"}, devchain, capsys)
    desk.pay("A-1")
    paid_by = desk.ask("order", "A-1")["transaction_hash"]
    desk.lose_the_ledger()
    desk.run("init", "--apply", "--new-beginning", "a ledger that must not know of A-1")

    desk.do("cancel", "A-1", code=1)
    assert "then `rebuild`" in desk.story
    hold(desk, "A-1")
    for command in ("retry", "cancel"):
        desk.do(command, "A-1", code=1)
        assert f"`settle default/A-1 --tx {paid_by}`" in desk.story
    assert desk.do("settle", "A-1", "--tx", paid_by)["outcome"] == "paid"
    assert desk.ask("order", "A-1")["status"] == "paid"
    assert len(desk.payouts()) == 1


def test_a_key_that_the_guard_does_not_allow_may_not_pay(
    environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the Authority says of the key itself; before, each key was said to be able to pay through a guard."""
    desk = a_guarded_desk(environ, devchain, capsys)
    guard, operator = Address(desk.environ["GUARD_ADDRESS"]), devchain.deployment.operator
    (allowed,) = desk.ask("keys", "check", code=1)["operators"]
    assert (allowed["may_pay"], allowed["detail"], allowed["ok"]) == (True, None, True)

    devchain.at_guard("remove", operator, guard=guard)
    (removed,) = desk.ask("keys", "check", code=1)["operators"]
    assert (removed["may_pay"], removed["ok"]) == (False, False)
    assert "`allow` this key" in removed["detail"]


def test_resume_is_refused_while_a_key_can_pay_without_the_guard(
    environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also dry; it goes on when the role is revoked."""
    desk = a_guarded_desk(environ, devchain, capsys)
    desk.do("pause")
    devchain.grant(devchain.deployment.operator)

    desk.run("resume", "--why", "in a hurry", code=1)
    assert "revoke that role at the Authority first" in desk.story
    devchain.revoke(devchain.deployment.operator)
    assert desk.do("resume")["paused"] is False


def test_what_only_the_guard_remembers_stops_the_payouts_until_it_is_written(
    environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]
) -> None:
    """A ledger that lacks a recorded payment binds nothing; `rebuild --from-guard` and `resume` let it go on."""
    desk = a_guarded_desk(environ, devchain, capsys)
    desk.pay("A-1")
    desk.lose_the_ledger()
    desk.run("init", "--apply", "--new-beginning", "a ledger that must not know of A-1")
    desk.send("B-1")
    desk.drain()

    assert desk.ask("show")["waiting"]["reason"] == "nonce_ahead"
    desk.run("resume", "--why", "in a hurry", code=1)
    assert "`rebuild --from-guard`" in desk.story
    assert desk.ask("rebuild", "--from-guard", "--why", "dry")["payouts"] == {"new": 1}
    rebuilt = desk.written("The ledger is lost", 'rebuild --from-guard --why "WHY" --apply')
    assert rebuilt["payouts"] == {"new": 1}
    desk.do("resume")
    desk.drain()
    desk.settle()
    assert desk.send("A-1") == ["paid"]
    assert desk.ask("order", "B-1")["status"] == "paid"
    assert len(desk.payouts()) == 2
