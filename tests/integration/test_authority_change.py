"""The runbook's page on another Authority, done as it is written: on real storage and a real node."""

from __future__ import annotations

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
    """Do what the administrators do: a new Authority with its role, the old one without."""
    known, guard = desk.devchain.deployment, desk.environ.get("GUARD_ADDRESS")
    replaced = desk.devchain.new_authority()
    new = Devchain(replaced)
    payer = Address(guard) if guard else known.operator
    desk.devchain.revoke(payer)
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
    for again in (
        desk.written("Commands", "adopt --authority ADDRESS", {"ADDRESS": authority}, code=1),
        desk.written("Ways out", "adopt --authority ADDRESS", {"ADDRESS": authority}, code=1),
    ):
        assert "authority of today" in again["in_the_way"][0]
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
