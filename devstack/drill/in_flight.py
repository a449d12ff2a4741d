"""Troubles of what is bound: a payout that no block takes, finality that stands still, a second node that is silent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from devstack.drill.field import Field
from devstack.drill.second_node import SecondNode
from devstack.drill.trouble import Trouble
from devstack.stack import BLOCK_TIME_S, free_port
from distributor.ledger import keys
from distributor.model import Address, TransactionStatus
from distributor.payout.sweep import FINALITY_LAG_BLOCKS_MAX
from distributor.units import Wei

_DEAR_WEI: Final = Wei(100_000 * 10**9)
_CHEAP_WEI: Final = Wei(10**9)
_ELEVEN_MINUTES_MS: Final = 660_000
_WITH_A_NODE: Final = frozenset({TransactionStatus.SUBMITTED, TransactionStatus.MINED})


def mining(field: Field, *, goes_on: bool) -> None:
    """Let a block come every two seconds, or none."""
    field.rpc("evm_setIntervalMining", BLOCK_TIME_S if goes_on else 0)


def bound(field: Field) -> Mapping[str, str]:
    """Send an order while nobody mines; return its transaction, as ``show`` has it, once a node has it."""
    mining(field, goes_on=False)
    return submitted(field, field.order())


def submitted(field: Field, order_id: str, *, after: int = -1) -> Mapping[str, str]:
    """Wait until a node has a transaction of that order with a nonce *after* this one; return it, as in ``show``."""
    found: list[Mapping[str, str]] = []

    def looked() -> bool:
        opened = field.ask("show")["open_transactions"]
        found[:] = [each for each in opened if f"default:{order_id}" in each["orders"] and int(each["nonce"]) > after]
        return any(each["status"] in _WITH_A_NODE for each in found)

    field.until("submitted", looked)
    return found[0]


def _outbid(field: Field) -> None:
    """The network wants more than any ceiling, from after the submission on."""
    field.serve(REPLACE_AFTER_S="4")
    bound(field)
    field.chain.set_next_base_fee(_DEAR_WEI)
    field.rpc("anvil_mine", "0x1")


def _cheap_again(field: Field) -> None:
    field.chain.set_next_base_fee(_CHEAP_WEI)
    mining(field, goes_on=True)
    field.serve()


def _one_slot(field: Field) -> None:
    field.serve(MAX_IN_FLIGHT="1", ALARM_SLOTS_S="4")
    bound(field)
    field.order()


def _mining_and_corrected(field: Field) -> None:
    mining(field, goes_on=True)
    field.serve()


class _StalledTag:
    """A node whose finalized block stays where it is, while blocks come."""

    def __init__(self) -> None:
        self._node = SecondNode()

    def make(self, field: Field) -> None:
        self._node.start(field.services.chain.url)
        final = int(field.rpc("eth_getBlockByNumber", "finalized", False)["number"], 16)
        self._node.tell("proxy_setFinality", {"stalled_at": final})
        field.serve(RPC_URL=self._node.url)
        field.rpc("anvil_mine", hex(FINALITY_LAG_BLOCKS_MAX + 1))
        field.order()

    def heal(self, field: Field) -> None:
        field.serve()
        self._node.stop()


def _witness_away(field: Field) -> None:
    """Nobody listens at the second address, and that for longer than WITNESS_PATIENCE: a drill has no ten minutes."""
    field.serve(RPC_URL=f"{field.services.settings['RPC_URL']},http://127.0.0.1:{free_port()}")
    transaction = submitted(field, field.order())
    row = keys.transaction(Address(transaction["operator"]), int(transaction["nonce"]))
    field.until("waits for a second word", lambda: field.age(row, "alone_since_ms", _ELEVEN_MINUTES_MS))


def _sweep_off(field: Field) -> None:
    """The timer is disabled, and the last sweep was eleven minutes ago."""
    field.serve(**{"AzureWebJobs.sweep.Disabled": "1"})
    time.sleep(BLOCK_TIME_S)  # a sweep that began before the host was stopped is over
    field.age("watch", "swept_ms", _ELEVEN_MINUTES_MS)
    field.order()


_STALLED: Final = _StalledTag()

IN_FLIGHT: Final[Mapping[str, Trouble]] = {
    "replacement_ceiling": Trouble(
        summary="The network wants more than the ceilings, after a payout was submitted.",
        make=_outbid,
        heal=_cheap_again,
    ),
    "slots_stuck": Trouble(
        summary="Nobody mines, every slot is taken, and an order waits.", make=_one_slot, heal=_mining_and_corrected
    ),
    "finality_stalled": Trouble(
        summary="Blocks come, and none becomes final.", make=_STALLED.make, heal=_STALLED.heal, watched=True
    ),
    "witness_missing": Trouble(
        summary="A second node is configured, and confirms nothing.",
        make=_witness_away,
        heal=lambda field: field.serve(),
    ),
    "sweep_missing": Trouble(
        summary="The timer function `sweep` is disabled, and an order comes.",
        make=_sweep_off,
        heal=lambda field: field.serve(),
        swept=False,
    ),
}
