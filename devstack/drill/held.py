"""Troubles of one order: it is held, and others are paid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from devstack.drill.blocklist import Blocklist
from devstack.drill.field import Field
from devstack.drill.in_flight import bound, mining, submitted
from devstack.drill.trouble import WHY, Trouble

_FINAL_BLOCKS: Final = 8
_RELEASE_BLOCKS: Final = 520
"""More than RELEASE_CONFIRMATIONS: what a cancelled nonce paid nothing for is free only then."""


def _and_page(heading: str, before: Callable[[Field], object]) -> Callable[[Field], None]:
    """Return: repair the cause, then type the page."""

    def heal(field: Field) -> None:
        before(field)
        field.page(heading)

    return heal


class _Blocked:
    """An order to a wallet that the Authority refuses, by a rule for that wallet."""

    def __init__(self) -> None:
        self._list = Blocklist()

    def make(self, field: Field) -> None:
        self._block(field)
        field.order()

    def lift(self, field: Field) -> None:
        self._list.lift(field.evm, field.services.deployment.authority)

    def fail_twice(self, field: Field) -> None:
        """Block the wallet after each simulation, for the one block that has the payout."""
        first = bound(field)
        self._fail(field)
        submitted(field, field.orders[0], after=int(first["nonce"]))
        self._fail(field)

    def lift_and_mine(self, field: Field) -> None:
        self.lift(field)
        mining(field, goes_on=True)

    def _fail(self, field: Field) -> None:
        self._block(field)
        field.rpc("anvil_mine", "0x1")
        self.lift(field)
        field.rpc("anvil_mine", hex(_FINAL_BLOCKS))

    def _block(self, field: Field) -> None:
        self._list.block(field.evm, field.services.deployment.authority, field.wallet)


def _cancelled(field: Field) -> None:
    """The payout left every pool, the guard was paused, and a person spends its nonce on nothing."""
    field.serve(RESUBMIT_AFTER_S="3600", REPLACE_AFTER_S="3600")
    transaction = bound(field)
    field.rpc("anvil_dropTransaction", transaction["transaction"])
    field.chain.at_guard("pause")
    field.do("cancel-nonce", "--operator", transaction["operator"], "--nonce", str(transaction["nonce"]), *WHY)
    field.rpc("anvil_mine", hex(_RELEASE_BLOCKS))
    mining(field, goes_on=True)


def _unpaused(field: Field) -> None:
    mining(field, goes_on=True)
    field.serve()
    field.chain.at_guard("unpause")


_SIMULATED, _IN_BLOCK = _Blocked(), _Blocked()

HELD: Final[Mapping[str, Trouble]] = {
    "held_simulation": Trouble(
        summary="The contract refuses one order's wallet.",
        make=_SIMULATED.make,
        heal=_and_page("held_simulation", _SIMULATED.lift),
    ),
    "held_item_failed": Trouble(
        summary="The guard reports one order as failed, twice.",
        make=_IN_BLOCK.fail_twice,
        heal=_and_page("held_item_failed", _IN_BLOCK.lift_and_mine),
    ),
    "held_nonce_cancelled": Trouble(
        summary="Somebody cancelled an order's nonce.",
        make=_cancelled,
        heal=_and_page("held_nonce_cancelled", _unpaused),
    ),
}
