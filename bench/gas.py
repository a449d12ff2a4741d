"""What a payout burns on the chain: by the size of its batch, with the guard and without, to a new holder and again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from web3 import Web3

from bench.ground import chain, logs_of
from devstack.contracts import Deployment
from devstack.evm import Evm
from devstack.runs import Run
from distributor.model import Address
from distributor.payout.guard_calls import ITEM_GAS, gas_needed

SIZES = (1, 2, 5, 10, 20, 30)
_UNITS = 10**18


@dataclass(frozen=True, kw_only=True, slots=True)
class GasOf:
    """Gas of one payout: of the transaction, divided by its orders."""

    size: int
    guarded: bool
    new_holder: int
    existing_holder: int


def measure(run: Run, sizes: Sequence[int] = SIZES) -> list[GasOf]:
    """Pay batches of each of *sizes* twice to the same wallets; the second time they hold tokens."""
    with chain(run, logs_of(run, "gas-plain"), guarded=False) as plain:
        alone = _plain(plain)
    with chain(run, logs_of(run, "gas-guarded"), guarded=True) as guarded:
        _pay(guarded, 1, "before")  # what the first payout of all writes once is not a payout's price
        return [alone, *(_guarded(guarded, size) for size in sizes)]


def _plain(deployment: Deployment) -> GasOf:
    evm = Evm(deployment.url)
    authority = evm.contract("Authority", deployment.authority)

    def pay(wallet: str, reference: bytes) -> int:
        call = authority.functions.distribute(Web3.to_checksum_address(wallet), _UNITS, reference, "bench")
        return int(evm.transact(call, deployment.operator)["gasUsed"])

    pay(_wallet("before"), _reference("before"))
    first, second = (pay(_wallet("plain"), _reference(f"plain {turn}")) for turn in ("first", "second"))
    return GasOf(size=1, guarded=False, new_holder=first, existing_holder=second)


def _guarded(deployment: Deployment, size: int) -> GasOf:
    first, second = (_pay(deployment, size, turn) for turn in ("first", "second"))
    return GasOf(size=size, guarded=True, new_holder=first, existing_holder=second)


def _pay(deployment: Deployment, size: int, turn: str) -> int:
    """Pay one batch to the wallets of its *size*; return the gas of each item."""
    evm = Evm(deployment.url)
    guard = evm.contract("PayoutGuard", deployment.guard or Address(""))
    wallets = [Web3.to_checksum_address(_wallet(f"{turn == 'before'} {size} {number}")) for number in range(size)]
    items = [(wallet, _UNITS, _reference(f"{turn} {wallet}"), "bench") for wallet in wallets]
    call = guard.functions.distributeMany(ITEM_GAS, items)
    return int(evm.transact(call, deployment.operator, gas=gas_needed(ITEM_GAS, size))["gasUsed"]) // size


def _wallet(name: str) -> str:
    return "0x" + hashlib.sha256(name.encode()).hexdigest()[:40]


def _reference(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
