"""An emptied ledger looks like a new one; the settings and the chain tell them apart."""

from __future__ import annotations

import pytest

from distributor.recovery import lost_ledger
from distributor.recovery.lost_ledger import signs_of_loss
from tests.factories import an_address
from tests.fakes.chain import OPERATOR
from tests.fakes.history import FakeHistory
from tests.world import a_world

RETIRED = an_address("the operator before")


async def test_a_new_ledger_shows_no_sign() -> None:
    """No id, no transaction of the operator, nothing left the reserve."""
    world = await a_world()
    history = FakeHistory(world.chain)

    signs = await signs_of_loss(history, ledger_id="", next_nonces={}, first_block=None, last_block=20_000)

    assert not signs
    assert history.asked == [(10_001, 20_000)]


async def test_each_sign_of_an_earlier_life_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotated key has sent nothing, and a wiped setting has no id: any one sign is enough."""
    monkeypatch.setattr(lost_ledger, "PAGE_BLOCKS", 5)
    world = await a_world()
    await world.receive()
    await world.distribution.drain()
    await world.settle(8)
    history = FakeHistory(world.chain)
    last = world.chain.head.number

    signs = await signs_of_loss(
        history, ledger_id="abc", next_nonces={OPERATOR: 0, RETIRED: 3}, first_block=0, last_block=last
    )
    by_chain = await signs_of_loss(history, ledger_id="", next_nonces={}, first_block=0, last_block=last)

    assert len(signs) == 3
    assert "LEDGER_ID=abc" in signs[0]
    assert f"{RETIRED} has sent 3 transactions" in signs[1]
    assert by_chain == signs[2:] == ["Tokens left the reserve in block 1."]


async def test_a_past_that_cannot_be_read_is_a_sign() -> None:
    """Silence is no proof that nothing was paid."""
    world = await a_world()
    history = FakeHistory(world.chain)
    history.down_from = 0

    (sign,) = await signs_of_loss(history, ledger_id="", next_nonces={}, first_block=0, last_block=5)

    assert sign.startswith("The past of the reserve cannot be read")
