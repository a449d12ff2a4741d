"""The troubles that can be drilled, by the heading of the runbook that is about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from devstack.drill.field import Field

SETTINGS: Final = {"ALARM_OPEN_S": "4", "RPC_TIMEOUT_S": "2"}
"""What a drill has no eight minutes for."""
_WHY: Final = ("--why", "drill", "--apply")


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """How a trouble is made on the stack, and how it is healed."""

    summary: str
    make: Callable[[Field], None]
    heal: Callable[[Field], None]


def _pause(field: Field) -> None:
    field.command("pause", *_WHY)
    field.order()


def _halt(field: Field) -> None:
    field.command("halt", *_WHY)
    field.order()


def _empty_operator(field: Field) -> None:
    field.rpc("anvil_setBalance", field.services.deployment.operator, "0x0")
    field.order()


def _fill_operator(field: Field) -> None:
    field.rpc("anvil_setBalance", field.services.deployment.operator, hex(10**20))


def _silence_node(field: Field) -> None:
    field.chain_process.suspend()
    field.order()


def _stop_mining(field: Field) -> None:
    field.rpc("evm_setIntervalMining", 0)
    field.order()


# The first leaves an open transaction, as the others may: it comes first, so that its alarm is its own.
TROUBLES: Final[Mapping[str, Trouble]] = {
    "transaction_open_long": Trouble(
        summary="Nobody mines the payout.",
        make=_stop_mining,
        heal=lambda field: _done(field.rpc("evm_setIntervalMining", 2)),
    ),
    "waiting_paused": Trouble(
        summary="Somebody paused the payouts, and an order came.",
        make=_pause,
        heal=lambda field: _done(field.command("resume", *_WHY)),
    ),
    "waiting_halted": Trouble(
        summary="Somebody halted the payouts, and an order came.",
        make=_halt,
        heal=lambda field: _done(field.command("resume", *_WHY)),
    ),
    "waiting_gas_short": Trouble(
        summary="The operator has no coin left for gas.", make=_empty_operator, heal=_fill_operator
    ),
    "waiting_node_down": Trouble(
        summary="The only node hangs.", make=_silence_node, heal=lambda field: field.chain_process.resume()
    ),
}


def _done(_said: object) -> None:
    """Leave what was said; the drill looks at the effect."""
