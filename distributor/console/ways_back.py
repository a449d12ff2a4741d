"""
What brings an order back, for each reason it can be held for: the acts its page offers, and the lines to copy.

An act is offered only where the command does it: a button that is refused teaches people to look for a way around.
What could pay twice after a wrong judgement is a line for the command line, with when it is the right one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from distributor.cli.language import N_
from distributor.model import HoldReason, OrderKey

_PROGRAM: Final = "python3 -m distributor"


class CopyLine(NamedTuple):
    """A command that only the command line runs, and when it is the right one."""

    when: str
    command: str

    def about(self, key: OrderKey, tx: str = "0x…") -> str:
        """Return the line to copy, about the order *key* and the transaction *tx*."""
        return f'{_PROGRAM} {self.command.format(order=key, tx=tx)} --why "…"'


class WayBack(NamedTuple):
    """What the page of a held order offers."""

    acts: Sequence[str] = ()
    lines: Sequence[CopyLine] = ()


SETTLE: Final = CopyLine(
    N_("If an explorer shows another transaction that paid this order, its hash in place of 0x…:"),
    "settle {order} --tx {tx}",
)
NO_TOKENS_MOVED: Final = CopyLine(
    N_("If the Transfer events of its transaction, on an explorer, show that the wallet received nothing from it:"),
    "retry {order} --no-tokens-moved",
)
REOPEN: Final = CopyLine(
    N_("If an explorer shows that the wallet did not get the tokens: the order is then held, and decided anew."),
    "reopen {order} --tx {tx}",
)
_RETRIED: Final = WayBack(acts=("retry", "cancel"), lines=(SETTLE,))
_MAY_HAVE_MOVED: Final = WayBack(acts=("retry", "cancel"), lines=(SETTLE, NO_TOKENS_MOVED))
WAYS_BACK: Final[Mapping[HoldReason, WayBack]] = {
    HoldReason.REVERTED: _MAY_HAVE_MOVED,
    HoldReason.NO_TRANSFER: WayBack(acts=("cancel",), lines=(NO_TOKENS_MOVED, SETTLE)),
    HoldReason.SIMULATION: _RETRIED,
    HoldReason.NONCE_LOST: _MAY_HAVE_MOVED,
    HoldReason.NONCE_CANCELLED: _MAY_HAVE_MOVED,
    HoldReason.ITEM_FAILED: _MAY_HAVE_MOVED,
    HoldReason.REFERENCE_USED: WayBack(acts=("cancel",)),
    HoldReason.PAST_UNKNOWN: _RETRIED,
    HoldReason.NEEDS_APPROVAL: WayBack(acts=("approve", "cancel")),
}


def way_back(reason: HoldReason | str | None) -> WayBack:
    """Return what is offered about an order held for *reason*; nothing where only a newer version knows the word."""
    return WAYS_BACK.get(HoldReason(reason), WayBack()) if reason else WayBack()
