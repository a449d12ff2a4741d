"""The same small world twice: on the fake chain and on a real node, with the same verbs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from devstack.contracts import Deployment, Devchain
from distributor.chain.polygon import Polygon
from distributor.model import Address, Hash, Order
from distributor.ports import Chain
from distributor.units import TokenUnits, Wei
from foundation.clock import UnixMs
from tests.fakes.chain import AUTHORITY, CUSTOMERS, OPERATOR, RESERVE, TOKEN, Behaviour, FakeChain
from tests.fakes.clock import FrozenClock

ONE_TOKEN = TokenUnits(10**18)


@dataclass(frozen=True, kw_only=True)
class Places:
    """Who is who on a chain."""

    chain_id: int
    token: Address
    authority: Address
    reserve: Address
    operator: Address
    customer: Address


class World(Protocol):
    """A chain that mines only when asked to, and what can happen to it."""

    @property
    def chain(self) -> Chain: ...
    @property
    def places(self) -> Places: ...
    def mine(self, blocks: int = 1) -> None: ...
    def drop(self, tx_hash: Hash) -> None: ...
    def reorg(self, depth: int) -> None: ...
    def pause(self) -> None: ...
    def revoke(self) -> None: ...
    def set_allowance(self, amount_units: TokenUnits) -> None: ...
    def set_reserve(self, amount_units: TokenUnits) -> None: ...
    def set_gas(self, balance_wei: Wei) -> None: ...
    def remove_token(self) -> None: ...
    def remove_authority(self) -> None: ...
    def misbehave(self, behaviour: Behaviour) -> None: ...


class FakeWorld:
    """The fake chain."""

    def __init__(self) -> None:
        self._fake = FakeChain()

    @property
    def chain(self) -> Chain:
        return self._fake

    @property
    def places(self) -> Places:
        return Places(
            chain_id=self._fake.chain_id,
            token=TOKEN,
            authority=AUTHORITY,
            reserve=RESERVE,
            operator=OPERATOR,
            customer=CUSTOMERS[0],
        )

    def mine(self, blocks: int = 1) -> None:
        self._fake.mine(blocks)

    def drop(self, tx_hash: Hash) -> None:
        self._fake.drop(tx_hash)

    def reorg(self, depth: int) -> None:
        self._fake.reorg(depth, keep=False)

    def pause(self) -> None:
        self._fake.pause_authority()

    def revoke(self) -> None:
        self._fake.revoke_role(OPERATOR)

    def set_allowance(self, amount_units: TokenUnits) -> None:
        self._fake.set_allowance(amount_units)

    def set_reserve(self, amount_units: TokenUnits) -> None:
        self._fake.set_reserve(amount_units)

    def set_gas(self, balance_wei: Wei) -> None:
        self._fake.set_gas(OPERATOR, balance_wei)

    def remove_token(self) -> None:
        self._fake.rules.token_has_code = False

    def remove_authority(self) -> None:
        self._fake.rules.authority_has_code = False

    def misbehave(self, behaviour: Behaviour) -> None:
        self._fake.rules.behaviour = behaviour


class AnvilWorld:
    """A real node with the reference contracts, through the real adapter."""

    def __init__(self, devchain: Devchain) -> None:
        self._devchain = devchain
        self._deployment = devchain.deployment
        self.opened = [_polygon(self._deployment)]
        devchain.set_automine(enabled=False)

    @property
    def chain(self) -> Chain:
        return self.opened[-1]

    @property
    def places(self) -> Places:
        known = self._deployment
        return Places(
            chain_id=known.chain_id,
            token=known.token,
            authority=known.authority,
            reserve=known.reserve,
            operator=known.operator,
            customer=known.customers[0],
        )

    def mine(self, blocks: int = 1) -> None:
        self._devchain.mine(blocks)

    def drop(self, tx_hash: Hash) -> None:
        self._devchain.rpc("anvil_dropTransaction", tx_hash)

    def reorg(self, depth: int) -> None:
        self._devchain.rpc("anvil_reorg", depth, [])

    def pause(self) -> None:
        self._devchain.pause()

    def revoke(self) -> None:
        self._devchain.revoke(self._deployment.operator)

    def set_allowance(self, amount_units: TokenUnits) -> None:
        self._devchain.approve(amount_units)

    def set_reserve(self, amount_units: TokenUnits) -> None:
        surplus = self._devchain.balance_of(self._deployment.reserve) - amount_units
        self._devchain.transfer_from_reserve(self._deployment.admin, TokenUnits(surplus))

    def set_gas(self, balance_wei: Wei) -> None:
        self._devchain.set_balance(self._deployment.operator, balance_wei)

    def remove_token(self) -> None:
        self._devchain.rpc("anvil_setCode", self._deployment.token, "0x")

    def remove_authority(self) -> None:
        self._devchain.rpc("anvil_setCode", self._deployment.authority, "0x")

    def misbehave(self, behaviour: Behaviour) -> None:
        self._deployment = self._devchain.misbehave(f"{behaviour.capitalize()}Authority")
        self.opened.append(_polygon(self._deployment))


@asynccontextmanager
async def anvil_world(devchain: Devchain) -> AsyncIterator[AnvilWorld]:
    """Open a world on a real node, and close every connection to it at the end."""
    world = AnvilWorld(devchain)
    try:
        yield world
    finally:
        for chain in world.opened:
            await chain.aclose()


def an_order(wallet: Address, *, amount_units: TokenUnits = ONE_TOKEN, order_id: str = "1001") -> Order:
    """Return an order as the intake leaves it."""
    return Order(
        source="default",
        order_id=order_id,
        wallet=wallet,
        amount_units=amount_units,
        tipo="cashback",
        reason="cashback - BALLX",
        ref_id=Hash(f"0x{order_id.encode().hex():0<64}"),
        fingerprint="",
        received_ms=UnixMs(0),
        updated_ms=UnixMs(0),
    )


def _polygon(known: Deployment) -> Polygon:
    return Polygon(
        [known.url],
        chain_id=known.chain_id,
        token=known.token,
        authority=known.authority,
        reserve=known.reserve,
        timeout_s=10.0,
        clock=FrozenClock(),
    )
