"""What a drill is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from devstack.drill.field import Field

WHY: Final = ("--why", "drill", "--apply")


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """How a trouble is made on the stack, and how it is healed."""

    summary: str
    make: Callable[[Field], object]
    heal: Callable[[Field], object]
    ends: str = "paid"
    """The status of the drill's orders when it is healed."""
    watched: bool = False
    """Found by the watch, which looks every five minutes."""
    swept: bool = True
    """Sent by the sweep; if not, by the part that finds that the sweep does not run."""


def nothing(_field: Field) -> None:
    """It ends by itself."""


def then_order(make: Callable[[Field], object]) -> Callable[[Field], None]:
    """Return *make*, then an order."""

    def both(field: Field) -> None:
        make(field)
        field.order()

    return both
