"""What settlement looks at: one node's whole observation, and another's where the first cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from distributor.chain_types import ChainSnapshot, Claim, Mark, Word
from distributor.errors import ChainUnavailable
from distributor.ledger import Ledger
from distributor.model import Address, Hash
from distributor.payout.observation import Observation, slot_of
from foundation.tablestore.memory import MemoryRows
from tests.factories import a_block, a_chain_snapshot, a_receipt, a_transaction, an_attempt, opened
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit

FIRST, SECOND = an_attempt(0), an_attempt(1)
TWO = opened(a_transaction(attempts=2), FIRST, SECOND)
HERE, FORKED = a_receipt(FIRST, a_block(90)), a_receipt(SECOND, a_block(91, "fork"))
BOTH = a_chain_snapshot(100, HERE, FORKED, canonical={})


class Nodes:
    """Nodes that show what they are given; None does not answer. Each call is noted."""

    def __init__(self, shown: Mapping[str, ChainSnapshot | None], blocks: Mapping[int, Hash]) -> None:
        self.shown, self.blocks, self.asked = shown, blocks, list[Claim]()

    @property
    def nodes(self) -> Sequence[str]:
        return list(self.shown)

    async def snapshot(
        self, operators: Sequence[Address], hashes: Sequence[Hash], numbers: Sequence[int], *, node: str = ""
    ) -> ChainSnapshot:
        assert operators
        assert hashes
        assert list(numbers) == sorted(numbers)
        name = node or self.nodes[0]
        found = self.shown[name]
        if found is None:
            raise ChainUnavailable(f"{name} does not answer")
        return replace(found, node=name)

    async def words(self, claims: Sequence[Claim], *, node: str, mark: Mark | None = None) -> Mapping[Hash, Word]:
        self.asked += claims
        return {
            tx_hash: Word(node=node, mark=mark or BOTH.mark, receipt=None, canonical=self.blocks[number])
            for tx_hash, number in claims
            if number in self.blocks
        }


def looking(chain: Any) -> Observation:
    """Return the observation by *chain*, over an empty ledger."""
    ledger = Ledger(MemoryRows(), ListAudit(), clock=FrozenClock())
    return Observation(ledger=ledger, chain=chain, alarms=None, clock=FrozenClock())  # type: ignore[arg-type]


async def test_of_two_receipts_the_blocks_are_asked_of_the_same_node() -> None:
    """Machines behind one address may be on two forks; a block that is not named says nothing."""
    chain = Nodes({"one": BOTH}, {90: HERE.block.block_hash})

    snapshot, closes = await looking(chain).first([TWO])

    assert closes
    assert chain.asked == [Claim(FIRST.tx_hash, 90), Claim(SECOND.tx_hash, 91)]
    assert snapshot.canonical == {**BOTH.canonical, 90: HERE.block.block_hash}
    assert (await looking(chain).views([TWO], snapshot))[slot_of(TWO)] is snapshot


@pytest.mark.parametrize("away", [False, True])
async def test_what_one_node_cannot_show_is_asked_of_the_next_that_answers(away: bool) -> None:
    """Nonce and receipt come from that one node together; one that does not answer is passed over."""
    clear = a_chain_snapshot(100, HERE)
    shown: dict[str, ChainSnapshot | None] = (
        {"one": BOTH, "two": None, "three": clear}
        if away
        else {
            "one": BOTH,
            "two": clear,
        }
    )
    looks = looking(Nodes(shown, {}))
    snapshot, _ = await looks.first([TWO])

    views = await looks.views([TWO], snapshot)

    assert views[slot_of(TWO)].node == ("three" if away else "two")
    assert views[slot_of(TWO)].receipts == clear.receipts
