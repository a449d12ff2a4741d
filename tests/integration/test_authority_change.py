"""The runbook's page on another Authority, done as it is written: on real storage and a real node."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devstack.contracts import Devchain
from distributor.model import Address
from tests.integration.test_commands import Desk
from tests.integration.test_runbook_page import blocks_pass


@pytest.fixture(params=["without guard", "through a guard"])
def desk(
    request: pytest.FixtureRequest, environ: dict[str, str], devchain: Devchain, capsys: pytest.CaptureFixture[str]
) -> Desk:
    """A person with a ledger that has paid two orders."""
    settings = dict(environ)
    if request.param == "through a guard":
        guard = devchain.new_guard()
        devchain.revoke(devchain.deployment.operator)
        devchain.grant(guard)
        settings["GUARD_ADDRESS"] = guard
    own = Desk(settings, devchain, capsys)
    own.run("init", "--apply")
    own.pay("A-1", "A-2")
    return own


def _replace_authority(desk: Desk) -> Address:
    """Do what the administrators do: a new Authority with its role, the one of today without."""
    known, guard = desk.devchain.deployment, desk.environ.get("GUARD_ADDRESS")
    replaced = desk.devchain.new_authority()
    new, old = Devchain(replaced), Devchain(replace(known, authority=Address(desk.environ["AUTHORITY_ADDRESS"])))
    payer = Address(guard) if guard else known.operator
    old.revoke(payer)
    new.grant(payer)
    if guard:
        for verb, args in (("pause", ()), ("setAuthority", (replaced.authority,)), ("unpause", ())):
            desk.devchain.at_guard(verb, *args, guard=Address(guard))
    return replaced.authority


def test_another_authority_pays_and_nothing_is_forgotten(desk: Desk) -> None:
    """Found-faults A15: the only way over was a new ledger, which paid every old order again."""
    before = desk.environ["AUTHORITY_ADDRESS"]
    desk.written("Change the Authority", 'pause --why "WHY" --apply')
    authority = _replace_authority(desk)

    assert desk.ask("adopt", "--authority", authority)["in_the_way"] == []
    assert "Dry run: would let this ledger pay through" in desk.story
    adopted = desk.written("Change the Authority", "adopt --authority ADDRESS", {"ADDRESS": authority})
    assert adopted["in_the_way"] == []
    desk.environ["AUTHORITY_ADDRESS"] = authority
    assert "authority of today" in desk.do("adopt", "--authority", authority, code=1)["in_the_way"][0]
    desk.written("Change the Authority", 'resume --why "WHY" --apply')

    assert desk.send("A-1", "A-2") == ["paid", "paid"]
    desk.pay("B-1")
    assert len(desk.payouts()) == 3
    assert desk.ask("audit-chain")["differences"] == []
    with blocks_pass(desk.devchain):
        desk.do("pause")
        rebuilt = desk.do("rebuild")
    assert (rebuilt["payouts"], rebuilt["to_explain"]) == ({"known": 3}, [])
    assert before != authority


def test_orders_that_wait_are_paid_through_another_authority_by_the_ways_out(desk: Desk) -> None:
    """Each time that it is replaced, also by the list of commands: paid once, and what was paid before stays so."""
    for name, page in (("B-1", "Ways out"), ("C-1", "Commands")):
        desk.do("pause")
        authority = _replace_authority(desk)
        desk.send(name)
        desk.drain()
        assert desk.ask("order", name)["status"] == "received"
        words = {"ADDRESS": authority}
        adopted = (
            desk.written("Ways out", "adopt --authority ADDRESS", words)
            if page == "Ways out"
            else desk.written("Commands", "adopt --authority ADDRESS", words)
        )
        assert adopted["in_the_way"] == []
        desk.environ["AUTHORITY_ADDRESS"] = authority
        desk.do("resume")
        desk.drain()
        desk.settle()
        assert desk.ask("order", name)["status"] == "paid"

    assert desk.send("A-1", "A-2", "B-1", "C-1") == ["paid"] * 4
    assert len(desk.payouts()) == 4


def test_an_adoption_too_early_says_what_is_in_the_way(desk: Desk) -> None:
    """Not paused, the old way open, the new one closed; and an address that is no Authority."""
    authority = desk.devchain.new_authority().authority
    found = " ".join(desk.do("adopt", "--authority", authority, code=1)["in_the_way"])
    assert "not paused" in found
    if "GUARD_ADDRESS" in desk.environ:
        assert "let its owner pause it and set the new authority" in found
    else:
        assert "can still pay at" in found
        assert "would not pay the operator one unit" in found
        nobody = desk.devchain.deployment.customers[3]
        assert "no contract at" in " ".join(desk.do("adopt", "--authority", nobody, code=1)["in_the_way"])
    taken = desk.do("adopt", "--authority", desk.environ["TOKEN_ADDRESS"], code=1)["in_the_way"]
    assert "is the token, the reserve, the guard" in " ".join(taken)
    assert desk.ask("show")["identity"]["authority"] == desk.environ["AUTHORITY_ADDRESS"]
