"""``approve`` on real servers: what is above the limit waits for another person, who types what the pages say."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.contracts import Devchain
from tests.integration.test_commands import ONE_TOKEN, Desk

FILE = ("--batch", "June")


@pytest.fixture
def desk(environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A person with a ledger that is ours, in which two tokens are the most that one person orders alone."""
    own = Desk(environ | {"APPROVAL_TOKENS": "2"}, devchain, capsys)
    own.run("init", "--apply", "--new-beginning", "the chain is shared with other tests")
    return own


def paid(desk: Desk) -> list[int]:
    """Pay what may be paid; return what left the reserve."""
    for _ in range(2):  # the first round with a limit raises the ledger's level, and binds nothing
        desk.drain()
    desk.settle()
    return list(desk.payouts())


def test_an_order_above_the_limit_is_paid_once_another_person_approves_it(desk: Desk) -> None:
    """``retry`` does not do it, a dry run does not; smaller ones are paid meanwhile."""
    assert desk.send("A-1", amount="3") == ["held"]
    assert desk.send("A-1", amount="3") == ["held"]
    assert desk.send("A-2", amount="2") == ["received"]
    assert paid(desk) == [2 * ONE_TOKEN]
    (held,) = desk.ask("held")["held"]
    assert (held["reason"], held["amount"]) == ("needs_approval", "3")
    assert "approve" in held["action"]
    desk.run("retry", "A-1", "--apply", "--why", "quick", code=1)
    assert "waits for approval" in desk.story

    assert desk.ask("approve", "A-1", "--why", "looked")["status"] == "held"
    assert desk.written("Commands", "approve ORDER", {"ORDER": "A-1"})["status"] == "received"

    assert paid(desk) == [2 * ONE_TOKEN, 3 * ONE_TOKEN]
    assert desk.ask("history", "A-1")["decisions"][-1]["what"] == "approve"
    assert desk.ask("verify")["disagreements"] == []
    desk.run("approve", "A-1", "--apply", "--why", "again", code=1)
    assert "does not wait for approval" in desk.story


def test_a_file_above_the_limit_is_approved_whole_by_another_person(desk: Desk, tmp_path: Path) -> None:
    """Each line is below it, and all together are above: the number that the dry run names is confirmed."""
    ana, bia = desk.devchain.deployment.customers[:2]
    table = tmp_path / "june.csv"
    table.write_text(f"wallet,amount\n{ana},1\n{bia},1\n{bia},1\n", "utf-8")
    upload = ("pay-file", str(table), *FILE)
    assert desk.ask(*upload)["need_approval"] == 3
    desk.run(*upload, "--apply", "--by", "Ana", "--why", "June")
    assert desk.ask("pay-file", "status", str(table), *FILE, code=1)["orders"] == {"held for approval": 3}
    assert paid(desk) == []

    desk.run("approve", *FILE, "--by", "ana", "--why", "mine", code=1)
    assert "ana uploaded 3 of 3 orders" in desk.story
    dry = desk.ask("approve", *FILE, "--by", "bia", "--why", "looked")
    assert (dry["waiting"], dry["tokens"], dry["uploaded_by"]) == (3, "3", ["Ana"])
    desk.run("approve", *FILE, "--by", "bia", "--why", "looked", "--count", "2", "--apply", code=1)
    assert "3 orders wait for approval now" in desk.story

    desk.run("approve", *FILE, "--by", "bia", "--why", "looked", "--count", "3", "--apply", code=1)
    counted = {"NAME": "june", "N": dry["count"]}
    assert desk.written("Commands", "approve --batch NAME --count N", counted)["approved"] == 3
    assert paid(desk) == [ONE_TOKEN] * 3
    assert desk.ask("pay-file", "status", str(table), *FILE)["orders"] == {"paid": 3}
    assert desk.ask(*upload)["new"] == 0
    desk.run("approve", *FILE, "--by", "bia", "--why", "again", code=1)
    assert "No order of the file" in desk.story


def test_the_pages_end_an_order_and_a_file(desk: Desk, tmp_path: Path) -> None:
    """Approved, or cancelled; one order or one file is named, and not both."""
    table = tmp_path / "july.csv"
    table.write_text(f"wallet,amount\n{desk.devchain.deployment.customers[0]},3\n", "utf-8")
    desk.run("pay-file", str(table), "--batch", "july", "--apply", "--by", "ana", "--why", "July")
    desk.send("A-1", "A-2", amount="3")

    looked = desk.ask("approve", "--batch", "july", "--by", "bia", "--why", "looked")
    file = {"NAME": "july", "N": looked["count"]}
    assert desk.written("held_needs_approval", "approve --batch NAME --count N", file)["approved"] == 1
    assert desk.written("Ways out", "approve ORDER", {"ORDER": "A-1"})["status"] == "received"
    assert desk.written("held_needs_approval", "cancel ORDER", {"ORDER": "A-2"})["status"] == "cancelled"

    assert paid(desk) == [3 * ONE_TOKEN] * 2
    desk.run("approve", "--why", "nothing named", code=1)
    desk.run("approve", "A-1", *FILE, "--why", "both", code=1)
    assert "Name one order, or one file" in desk.story
