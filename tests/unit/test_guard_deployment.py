"""The guard is created by a key of its own, and only what was asked for is called created."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from distributor.chain_types import Receipt
from distributor.errors import ChainUnavailable
from distributor.model import Address, SubmitOutcome
from distributor.payout.guard_deployment import DEPLOY_GAS, Deployed, GuardDeployment
from distributor.signing.creation import Deployer, created_address
from distributor.units import Wei
from foundation.errors import ConfigurationError
from tests import factories
from tests.fakes.chain import AUTHORITY, OPERATOR
from tests.fakes.signer import FakeSigner
from tests.world import World, a_world

DEPLOYER = factories.an_address("deployer")
OWNER = factories.an_address("owner")
NEW_GUARD = factories.an_address("new guard")
KEY = FakeSigner(DEPLOYER)


async def a_deployment(world: World, **changes: Any) -> GuardDeployment:
    """Return the creation of a guard on that chain, where the deployer has coin."""
    world.chain.set_gas(DEPLOYER, Wei(10**19))
    world.guard.owner = OWNER
    world.guard.contracts.add(NEW_GUARD)
    deployment = GuardDeployment(
        chain=world.chain,
        guard=world.guard,
        identity=world.identity,
        hot_keys={OPERATOR},
        owner=OWNER,
        code=b"\1\2",
        address_of=lambda _sender, _nonce: NEW_GUARD,
        limits=world.limits,
        sleep=world.a_block_passes,
        block_time_s=2.0,
    )
    return replace(deployment, **changes)


def only(found: Deployed | Sequence[str]) -> str:
    """Return the one sentence that is in the way."""
    (sentence,) = found.in_the_way if isinstance(found, Deployed) else found
    return sentence


async def test_a_guard_is_created_and_compared_with_what_was_asked() -> None:
    """One transaction, with the code and nothing else; it is called created once a block shows it."""
    world = await a_world()
    deployment = await a_deployment(world)
    assert await deployment.obstacles(None) == []
    done = await deployment.deploy(KEY)

    assert (done.guard, done.in_the_way) == (NEW_GUARD, [])
    (sent,) = world.chain.handed
    assert (sent.sender, sent.unsigned.call.data, sent.unsigned.gas_limit) == (DEPLOYER, b"\1\2", DEPLOY_GAS)


@pytest.mark.parametrize(
    ("changes", "deployer", "expected"),
    [
        ({"owner": OPERATOR}, DEPLOYER, "is a hot key"),
        ({"owner": AUTHORITY}, DEPLOYER, "is the token, the authority"),
        ({}, OPERATOR, "is the key of operator"),
    ],
)
async def test_neither_owner_nor_deployer_is_a_key_of_the_service(
    changes: dict[str, Any], deployer: Address, expected: str
) -> None:
    """The owner could drain the reserve; a nonce of the operator that nobody bound is the sign of a stolen key."""
    world = await a_world()
    deployment = await a_deployment(world, **changes)

    assert expected in only(await deployment.obstacles(deployer))
    assert expected in only(await deployment.deploy(FakeSigner(deployer)))
    assert world.chain.handed == []


async def test_what_the_creation_needs_is_looked_at_first() -> None:
    """Contracts, coin, and a price under the ceiling."""
    world = await a_world()
    deployment = await a_deployment(world)
    world.chain.rules.token_has_code = False
    assert "TOKEN_ADDRESS" in only(await deployment.obstacles(DEPLOYER))
    world.chain.rules.token_has_code = True
    world.chain.set_gas(DEPLOYER, Wei(10**9))
    assert "holds 0.000000001 POL" in only(await deployment.obstacles(DEPLOYER))
    world.chain.set_base_fee(Wei(10**15))
    assert "MAX_FEE_GWEI" in only(await deployment.deploy(KEY))
    assert world.chain.handed == []


async def test_a_price_that_rises_between_look_and_signature_signs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is signed is what was looked at last."""
    world = await a_world()
    deployment = await a_deployment(world)
    look = world.chain.pre_bind_snapshot

    async def rising(operator: Address) -> Any:
        found = await look(operator)
        world.chain.set_base_fee(Wei(10**15))
        return found

    monkeypatch.setattr(world.chain, "pre_bind_snapshot", rising)
    assert "MAX_FEE_GWEI" in only(await deployment.deploy(KEY))
    assert world.chain.handed == []


async def test_a_creation_that_no_node_takes_or_no_block_holds_is_not_called_created() -> None:
    """The hash is shown; nothing was lost but gas."""
    world = await a_world()
    deployment = await a_deployment(world)
    world.chain.refuse(SubmitOutcome.REFUSED)
    assert "The nodes refused it" in only(await deployment.deploy(KEY))

    world.chain.lose_answers(acted=False)
    done = await replace(deployment, blocks_max=3).deploy(KEY)
    assert "is in no block yet" in only(done)
    assert done.guard is None


async def test_a_node_that_is_silent_meanwhile_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is no answer about a transaction that was handed over."""
    world = await a_world()
    deployment = await a_deployment(world)
    look, silent = world.chain.snapshot, [True, True]

    async def sometimes(*asked: Any) -> Any:
        if silent:
            silent.pop()
            raise ChainUnavailable
        return await look(*asked)

    monkeypatch.setattr(world.chain, "snapshot", sometimes)
    assert (await deployment.deploy(KEY)).in_the_way == []


@pytest.mark.parametrize(
    ("trouble", "expected"), [("reverted", "refused by the chain"), ("none", "no guard at"), ("other", "answers")]
)
async def test_what_is_not_the_guard_that_was_asked_for_is_named(trouble: str, expected: str) -> None:
    """A receipt that failed, an address without a guard, a guard of somebody else."""
    world = await a_world()
    deployment = await a_deployment(world)
    if trouble == "reverted":
        world.chain.said_by("fake").receipt = _failed
    elif trouble == "none":
        world.guard.contracts.clear()
    else:
        world.guard.owner = DEPLOYER
    assert expected in only(await deployment.deploy(KEY))


def _failed(receipt: Receipt) -> Receipt:
    return replace(receipt, succeeded=False)


@pytest.mark.parametrize(
    ("nonce", "expected"),
    [
        (0, "0xcd234A471b72ba2F1Ccf0A70FCABA648a5eeCD8d"),
        (1, "0x343c43A37D37dfF08AE8C4A11544c718AbB4fCF8"),
    ],
)
def test_a_created_contract_has_the_address_that_ethereum_gives_it(nonce: int, expected: str) -> None:
    """The pair of an account and its first contracts that the Ethereum Stack Exchange explains the rule with."""
    assert created_address(Address("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"), nonce) == expected


def test_addresses_of_later_nonces_differ() -> None:
    """Up to 127 a number is one byte in RLP; from 128 on it has a length before it."""
    sender = Address("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0")
    assert len({created_address(sender, nonce) for nonce in (126, 127, 128, 255, 256, 2**40)}) == 6


def test_a_key_is_never_shown() -> None:
    """Neither a wrong one nor a right one."""
    with pytest.raises(ConfigurationError, match="DEPLOYER_PK") as caught:
        Deployer("seven words of a mnemonic")
    assert "mnemonic" not in str(caught.value)
    assert "01" * 32 not in repr(Deployer("01" * 32))
