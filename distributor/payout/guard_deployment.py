"""
Use case: create the guard contract, by a key that this service does not use.

It changes nothing of the ledger, and nothing is paid through a guard before ``guard adopt``: a guard that was
created twice costs its gas, and is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from distributor.chain_types import Call, PreBindSnapshot, Receipt
from distributor.errors import ChainUnavailable, WrongChain
from distributor.model import Address, Fees, SubmitOutcome
from distributor.payout import fees
from distributor.ports import CodeChain, Guard, SignedTransaction, Signer, UnsignedTransaction
from distributor.settings.chain import FeeSettings
from distributor.state import Identity
from distributor.units import format_units
from foundation.clock import Sleep

DEPLOY_GAS: Final = 2_000_000
"""Measured 1.4 million on a local chain; what is not used costs nothing."""
_TAKEN = {SubmitOutcome.ACCEPTED, SubmitOutcome.ALREADY_KNOWN, SubmitOutcome.UNKNOWN}
_NATIVE_DECIMALS: Final = 18


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployed:
    """The guard that was created, or why there is none; what is in the way has a sentence each."""

    guard: Address | None = None
    signed: SignedTransaction | None = None
    in_the_way: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class GuardDeployment:
    """Look first, then create, then look at what was created. Raises ChainUnavailable."""

    chain: CodeChain
    guard: Guard
    identity: Identity
    hot_keys: Collection[Address]
    """Every operator there ever was: none of them may own the guard, nor create it."""
    owner: Address
    code: bytes
    """What creates the guard, its arguments behind it."""
    address_of: Callable[[Address, int], Address]
    limits: FeeSettings
    sleep: Sleep
    block_time_s: float
    blocks_max: int = 150

    def owner_trouble(self, deployer: Address | None) -> Sequence[str]:
        """Return what speaks against the owner and the key that creates it."""
        own = {self.identity.token, self.identity.authority, self.identity.reserve, self.identity.guard}
        found = []
        if self.owner in self.hot_keys:
            found.append(f"Owner {self.owner} is a hot key: the owner could drain the reserve.")
        if self.owner in own:
            found.append(f"Owner {self.owner} is the token, the authority, the reserve or the guard of today.")
        if deployer in self.hot_keys:
            found.append(
                f"DEPLOYER_PK is the key of operator {deployer}: it signs payouts only, or its nonces no longer agree."
            )
        return found

    async def obstacles(self, deployer: Address | None) -> Sequence[str]:
        """Return what prevents the creation, each as a sentence; empty when nothing does."""
        found = [*self.owner_trouble(deployer)]
        for name, address in (("TOKEN_ADDRESS", self.identity.token), ("AUTHORITY_ADDRESS", self.identity.authority)):
            if not await self.chain.has_code(address):
                found.append(f"{name} {address} is no contract.")
        if deployer is not None:
            snapshot = await self.chain.pre_bind_snapshot(deployer)
            price = self._price(snapshot)
            found += [_too_dear()] if price is None else _too_poor(deployer, snapshot, price)
        return found

    async def deploy(self, signer: Signer) -> Deployed:
        """Create the guard, wait until it is in a block, and compare it with what was asked for."""
        if found := await self.obstacles(signer.address):
            return Deployed(in_the_way=found)
        snapshot = await self.chain.pre_bind_snapshot(signer.address)
        price = self._price(snapshot)
        if price is None:
            return Deployed(in_the_way=[_too_dear()])
        signed = await signer.sign(self._unsigned(snapshot.nonce, price))
        guard = self.address_of(signer.address, snapshot.nonce)
        (said,) = await self.chain.submit([signed.raw])
        if said.outcome not in _TAKEN:
            return Deployed(signed=signed, in_the_way=[f"The nodes refused it: {said.outcome} {said.detail}".rstrip()])
        receipt = await self._receipt(signed)
        if receipt is None:
            return Deployed(signed=signed, in_the_way=[f"Transaction {signed.tx_hash} is in no block yet."])
        return Deployed(guard=guard, signed=signed, in_the_way=await self._wrong_with(guard, receipt))

    def _price(self, snapshot: PreBindSnapshot) -> Fees | None:
        return fees.first(snapshot.market, self.limits, gas_limit=DEPLOY_GAS)

    def _unsigned(self, nonce: int, price: Fees) -> UnsignedTransaction:
        call = Call(to=self.owner, data=self.code)
        chain_id = self.identity.chain_id
        return UnsignedTransaction(chain_id=chain_id, nonce=nonce, call=call, gas_limit=DEPLOY_GAS, fees=price)

    async def _receipt(self, signed: SignedTransaction) -> Receipt | None:
        """Look once a block; a node that does not answer says nothing, and is asked again."""
        for _ in range(self.blocks_max):
            try:
                snapshot = await self.chain.snapshot([], [signed.tx_hash], [])
            except (ChainUnavailable, WrongChain):
                snapshot = None
            if snapshot is not None and signed.tx_hash in snapshot.receipts:
                return snapshot.receipts[signed.tx_hash]
            await self.sleep(self.block_time_s)
        return None

    async def _wrong_with(self, guard: Address, receipt: Receipt) -> Sequence[str]:
        if not receipt.succeeded:
            return [f"Transaction {receipt.tx_hash} was refused by the chain: there is no guard at {guard}."]
        facts = await self.guard.facts(guard, sorted(self.hot_keys), [], block=receipt.block.number)
        if facts is None:
            return [f"There is no guard at {guard}."]
        asked = (self.identity.token, self.identity.authority, self.owner)
        said = (facts.token, facts.authority, facts.owner)
        return [] if said == asked else [f"Guard {guard} answers {said}, and was asked to be {asked}."]


def _too_dear() -> str:
    return "The network asks more than MAX_FEE_GWEI: raise it, or wait."


def _too_poor(deployer: Address, snapshot: PreBindSnapshot, price: Fees) -> Sequence[str]:
    needed = DEPLOY_GAS * price.max_fee_wei
    if snapshot.gas_balance_wei >= needed:
        return []
    holds, needs = format_units(snapshot.gas_balance_wei, _NATIVE_DECIMALS), format_units(needed, _NATIVE_DECIMALS)
    return [f"{deployer} holds {holds} POL, and up to {needs} is needed."]
