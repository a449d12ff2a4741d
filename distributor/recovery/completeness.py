"""
Whether the past that was read can be the whole past.

A node that has pruned its logs, or a gateway that shows a window of them, answers "nothing" and means
"unknown"; a start that is too late leaves out what was paid before. Both let paid orders be paid again.
So what came to the reserve, less what left it, must be what it holds. That is necessary and not enough:
a window that begins where the reserve was empty adds up too. Where no second provider shows the same, the
blocks must hold the token's whole life: all that was ever made of it, which is its supply today.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from distributor.errors import ChainUnavailable
from distributor.payout.history import History
from distributor.payout.witnesses import by_provider
from distributor.units import TokenUnits

PAGE_BLOCKS = 10_000
ENOUGH = 2
"""Providers that must show a past which does not speak for itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Books:
    """What moved in a range of blocks, and what the reserve held at its end."""

    arrived_units: int
    left_units: int
    held_units: int
    emptied: bool
    """Whether the reserve held nothing at some moment before the end: nothing tells what was before that."""
    from_creation: bool
    """Whether all of the token was made in these blocks; nobody looks where two providers show the same past."""

    def trouble(self, *, providers: int, read_units: int) -> str:
        """
        Return why these blocks are not the whole past; empty when nothing speaks against it.

        *read_units* left the reserve by what was read before, order by order. Behind one address of a provider are
        many machines: one that has pruned its logs may have answered then, and another one for the sum.
        """
        if read_units != self.left_units:
            return (
                f"{self.left_units} units left the reserve, and {read_units} when the payments were read: the node "
                "does not answer alike. Ask again, and one that keeps all logs."
            )
        left_over = self.arrived_units - self.left_units - self.held_units
        if left_over:
            return (
                f"{self.arrived_units} units came to the reserve and {self.left_units} left it, yet it holds "
                f"{self.held_units}: transfers of {abs(left_over)} units are missing. Begin at the block of the "
                "token's creation, and ask a node that keeps all logs."
            )
        if self.emptied and providers < ENOUGH:
            return (
                "The reserve was empty before these blocks ended, so they may be a part of its past; a second node of "
                "another provider must show the same."
            )
        if not self.from_creation and providers < ENOUGH:
            return (
                "The token was not made in these blocks, as far as this node shows, so what was paid before them may "
                "be missing. Begin at the block of the token's creation, and ask a node that keeps all logs; or a "
                "second node of another provider must show the same."
            )
        return ""


class Held(NamedTuple):
    """What there was at the end of a range of blocks."""

    units: TokenUnits
    """In the reserve."""
    supply: int | None
    """Of the token; None where nobody tells."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Completeness:
    """Adds up the reserve's past. Raises ChainUnavailable."""

    history: History

    def providers(self, nodes: Sequence[str]) -> int:
        """Return how many say what moved, each by itself, where *nodes* are configured."""
        return self.history.listed_by(len(by_provider(nodes)))

    async def held(self, block: int) -> Held:
        """
        Return what there was at the end of *block*; read first, beside the end of the range itself.

        A usual node keeps the state of some minutes, and reading a past of years takes longer.
        """
        units = await self.history.reserve_balance(block)
        try:
            return Held(units, await self.history.supply(block))
        except ChainUnavailable:
            return Held(units, None)

    async def books(self, first_block: int, last_block: int, held: Held, *, providers: int) -> Books:
        """Return what moved in these blocks, both included, as so many *providers* show it."""
        moves: list[tuple[int, int, int]] = []
        for first in range(first_block, last_block + 1, PAGE_BLOCKS):
            last = min(first + PAGE_BLOCKS - 1, last_block)
            arrived = await self.history.reserve_arrivals(first, last)
            left = await self.history.reserve_transfers(first, last)
            moves += [(each.block.number, each.log_index, each.amount_units) for each in arrived]
            moves += [(each.block.number, each.log_index, -each.amount_units) for each in left]
        from_creation = providers >= ENOUGH or await self._is_from_creation(first_block, last_block, held.supply)
        return _books(sorted(moves), held.units, from_creation=from_creation)

    async def _is_from_creation(self, first_block: int, last_block: int, supply: int | None) -> bool:
        """Say whether all there is of the token was made in these blocks: a node without the first logs shows less."""
        try:
            made = [
                await self.history.minted(first, min(first + PAGE_BLOCKS - 1, last_block))
                for first in range(first_block, last_block + 1, PAGE_BLOCKS)
            ]
            return sum(made) == supply
        except ChainUnavailable:
            return False  # an export is read where no node gives these logs


def _books(moves: list[tuple[int, int, int]], held_units: TokenUnits, *, from_creation: bool) -> Books:
    running, emptied = 0, not moves
    for place, (_, _, units) in enumerate(moves):
        running += units
        emptied = emptied or (running <= 0 and place + 1 < len(moves))
    return Books(
        arrived_units=sum(units for *_, units in moves if units > 0),
        left_units=-sum(units for *_, units in moves if units < 0),
        held_units=held_units,
        emptied=emptied,
        from_creation=from_creation,
    )
