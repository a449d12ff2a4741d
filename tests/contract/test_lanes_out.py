"""A lane whose key cannot be had takes no orders, with its alarm; the others pay, and it comes back by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest

from devstack.contracts import OPERATOR_KEY, SECOND_OPERATOR_KEY
from distributor.payout_wiring import AGAIN_MS, PayoutWiring
from distributor.signing.operator_keys import OperatorKeys
from distributor.signing.signer import LocalSigner
from foundation.errors import ConfigurationError
from foundation.secrets import vault_client
from tests.fakes.bench import Bench
from tests.fakes.parts import InMemory
from tests.integration.vault import URL, Peers, signed_in
from tests.unit.test_facts import bench
from tests.unit.test_wiring import GOOD

__all__ = ["bench"]

FIRST, SECOND = (LocalSigner(key).address for key in (OPERATOR_KEY, SECOND_OPERATOR_KEY))
GUARDED = {"GUARD_ADDRESS": "0x" + "44" * 20}
LOCAL = {"OPERATOR_PK": OPERATOR_KEY}
IN_VAULT = {"OPERATOR_PK": "", "OPERATOR_KEY_ID": f"{URL}/keys/operator", "OPERATOR_KEY_ID__B": f"{URL}/keys/second"}


@pytest.fixture
async def azure(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Peers]:
    """A vault that holds the keys of two lanes, and nobody who waits long for it."""
    monkeypatch.setattr(vault_client, "CALL_S_MAX", 0.5)
    async with signed_in(monkeypatch) as running:
        running.vault.keys.hold("operator", OPERATOR_KEY)
        running.vault.keys.hold("second", SECOND_OPERATOR_KEY)
        yield running


@dataclass
class Wired:
    """The payouts of one process, and its parts."""

    parts: InMemory
    payouts: PayoutWiring

    async def lanes(self) -> list[tuple[str, str]]:
        """Return the setting and the operator of each lane that takes orders."""
        return [(lane.setting, lane.operator) for lane in (await self.payouts.distribution()).lanes]

    async def alarms(self) -> list[tuple[str, str]]:
        """Return subject and words of each lane that is out."""
        return [(fact.subject, fact.detail) for fact in await (await self.parts.register()).noted("lane_stopped")]


def wired(bench: Bench, settings: Mapping[str, str], azure: Peers | None = None) -> Wired:
    """Return a process with those settings."""
    parts = InMemory({**GOOD, **settings}, bench)
    parts.operator_keys = parts._opened(OperatorKeys(transport=azure.transport if azure else None))
    return Wired(parts, PayoutWiring(parts, clock=bench.clock, holder="me"))


@pytest.mark.parametrize(
    ("silent", "out", "pays"),
    [
        ("second", "OPERATOR_KEY_ID__B", ("OPERATOR_KEY_ID", FIRST)),
        ("operator", "OPERATOR_KEY_ID", ("OPERATOR_KEY_ID__B", SECOND)),
    ],
)
async def test_a_vault_that_is_silent_about_one_lane_leaves_the_other(
    bench: Bench, azure: Peers, silent: str, out: str, pays: tuple[str, str]
) -> None:
    """Whichever it is; its alarm names its setting. A minute later it is asked for again, and both pay."""
    azure.vault.silent_key = silent
    process = wired(bench, IN_VAULT | GUARDED, azure)

    assert await process.lanes() == [pays]
    ((subject, words),) = await process.alarms()
    assert subject == out
    assert f"{out} cannot be used" in words
    assert set((await process.payouts.settlement()).steps.signers) == {pays[1]}

    azure.vault.silent_key = ""
    bench.clock.advance(AGAIN_MS - 1)
    assert await process.lanes() == [pays]
    bench.clock.advance(1)
    assert await process.lanes() == [("OPERATOR_KEY_ID", FIRST), ("OPERATOR_KEY_ID__B", SECOND)]
    assert set((await process.payouts.settlement()).steps.signers) == {FIRST, SECOND}
    assert (await process.payouts.balance_monitor()).others == [SECOND]
    await process.parts.aclose()


async def test_what_is_built_stays_while_the_same_lanes_are_out(bench: Bench, azure: Peers) -> None:
    """A drain that runs is the one that a message meets: it is asked to look once more."""
    azure.vault.silent_key = "second"
    process = wired(bench, IN_VAULT | GUARDED, azure)
    before = await process.payouts.distribution()
    bench.clock.advance(AGAIN_MS)

    assert await process.payouts.distribution() is before
    await process.parts.aclose()


async def test_no_lane_left_is_what_one_lane_without_a_key_is(bench: Bench, azure: Peers) -> None:
    """Orders wait as not configured, and every lane is named."""
    azure.vault.silent_key = "*"
    process = wired(bench, IN_VAULT | GUARDED, azure)

    with pytest.raises(ConfigurationError, match=r"OPERATOR_KEY_ID cannot.*OPERATOR_KEY_ID__B cannot"):
        await process.payouts.distribution()
    azure.vault.silent_key = ""
    assert len(await process.lanes()) == 2
    await process.parts.aclose()


async def test_a_malformed_key_is_out_alone(bench: Bench) -> None:
    """The others pay; the alarm says what is wrong with it, and never the key."""
    process = wired(bench, LOCAL | GUARDED | {"OPERATOR_PK__B": "not a key", "OPERATOR_PK__C": SECOND_OPERATOR_KEY})

    assert await process.lanes() == [("OPERATOR_PK", FIRST), ("OPERATOR_PK__C", SECOND)]
    ((subject, words),) = await process.alarms()
    assert subject == "OPERATOR_PK__B"
    assert "not a key" not in words
    await process.parts.aclose()


async def test_a_key_in_a_vault_of_another_lanes_operator_is_out(bench: Bench, azure: Peers) -> None:
    """Its nonces cannot be shared: only their addresses show that the two are one."""
    azure.vault.keys.hold("second", OPERATOR_KEY)
    process = wired(bench, LOCAL | GUARDED | {"OPERATOR_KEY_ID__B": f"{URL}/keys/second"}, azure)

    assert await process.lanes() == [("OPERATOR_PK", FIRST)]
    ((_, words),) = await process.alarms()
    assert f"OPERATOR_KEY_ID__B is the operator {FIRST} of another lane as well" in words
    await process.parts.aclose()


async def test_without_a_guard_a_missing_lane_stops_the_others(bench: Bench) -> None:
    """No node can be asked about an address that comes with a key nobody has, and a ledger may have gone back."""
    process = wired(bench, LOCAL | {"OPERATOR_PK__B": "not a key"})
    await bench.ledger.admin.add_operator(FIRST, 0)
    known = await bench.ledger.signs.next_nonces()

    assert len(known) == 2  # an operator that has retired is not the one that is missing
    with pytest.raises(ConfigurationError, match="OPERATOR_PK__B"):
        await process.lanes()
