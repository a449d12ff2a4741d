"""The reference contracts on a node, and the verbs that bring it into trouble."""

from collections.abc import Iterator

import pytest
from eth_account import Account
from web3.exceptions import ContractCustomError, Web3RPCError

from devstack import servers
from devstack.contracts import ALLOWANCE_UNITS, SUPPLY_UNITS, Deployment, Devchain, deploy
from devstack.evm import ChainRefused
from distributor.model import Hash
from distributor.units import TokenUnits, Wei

REF = Hash("0x" + b"1001".ljust(32, b"\0").hex())


def distribute(chain: Devchain, units: int) -> None:
    """Pay the first customer."""
    chain.distribute(chain.deployment.customers[0], TokenUnits(units), REF, "compra - BALLX")


@pytest.fixture
def manual_node() -> Iterator[servers.Anvil]:
    """A node that mines only when asked to."""
    with servers.anvil(mining=False) as node:
        yield node


def test_a_deployment_is_ready_to_pay(devchain: Devchain, deployment: Deployment) -> None:
    """After deploy the operator pays a customer out of the reserve, and both events say so."""
    distribute(devchain, 5)

    (payout,) = devchain.payouts()
    assert (payout.sender, payout.recipient, payout.amount_units) == (deployment.reserve, deployment.customers[0], 5)
    (event,) = devchain.distributed_events()
    assert (event.ref_id, event.amount_units, event.reason) == (REF, 5, "compra - BALLX")
    assert event.tx_hash == payout.tx_hash
    assert devchain.balance_of(deployment.customers[0]) == 5
    assert devchain.allowance() == ALLOWANCE_UNITS - 5


def test_each_test_finds_the_chain_as_deployed(devchain: Devchain, deployment: Deployment) -> None:
    """What the other tests here did to the shared chain is undone."""
    assert devchain.payouts() == []
    assert [event.amount_units for event in devchain.transfers()] == [SUPPLY_UNITS]
    assert devchain.balance_of(deployment.reserve) == SUPPLY_UNITS
    assert devchain.allowance() == ALLOWANCE_UNITS
    assert devchain.nonce_of(deployment.operator) == 0


def test_a_paused_authority_pays_nothing_until_it_goes_on(devchain: Devchain) -> None:
    """Pause and unpause reach the contract."""
    devchain.pause()
    with pytest.raises(ContractCustomError):
        distribute(devchain, 1)
    devchain.unpause()
    distribute(devchain, 1)

    assert len(devchain.payouts()) == 1


def test_a_revoked_operator_pays_nothing_until_it_is_granted_again(devchain: Devchain, deployment: Deployment) -> None:
    """Grant and revoke reach the contract."""
    devchain.revoke(deployment.operator)
    with pytest.raises(ContractCustomError):
        distribute(devchain, 1)
    devchain.grant(deployment.operator)
    distribute(devchain, 1)

    assert len(devchain.payouts()) == 1


def test_reserve_and_allowance_can_be_made_short(devchain: Devchain, deployment: Deployment) -> None:
    """An emptied reserve and a small allowance are what a test asks for."""
    devchain.approve(TokenUnits(3))
    devchain.transfer_from_reserve(deployment.customers[1], TokenUnits(SUPPLY_UNITS - 2))

    assert devchain.allowance() == 3
    assert devchain.balance_of(deployment.reserve) == 2


def test_gas_and_base_fee_can_be_made_short(devchain: Devchain, deployment: Deployment) -> None:
    """A poor operator and a dear block are what a test asks for."""
    devchain.set_balance(deployment.operator, Wei(7))
    devchain.set_next_base_fee(Wei(500 * 10**9))
    devchain.mine()

    assert devchain.gas_balance_of(deployment.operator) == 7
    assert int(devchain.rpc("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16) == 500 * 10**9


def test_revert_empties_the_pool_and_mines_again(devchain: Devchain, deployment: Deployment) -> None:
    """A test that stopped the mining leaves no transaction behind for the next one."""
    before = devchain.snapshot()
    devchain.set_automine(enabled=False)
    devchain.rpc("eth_sendTransaction", {"from": deployment.operator, "to": deployment.customers[0], "value": "0x1"})
    pending = devchain.rpc("txpool_status")["pending"]
    devchain.revert(before)

    assert int(pending, 16) == 1
    assert int(devchain.rpc("txpool_status")["pending"], 16) == 0
    assert devchain.rpc("anvil_getAutomine") is True
    with pytest.raises(ChainRefused):
        devchain.revert(before)


@pytest.mark.parametrize("mined", [0, 1, 3])
def test_revert_brings_back_the_price_of_the_next_block(devchain: Devchain, mined: int) -> None:
    """A test that made blocks dear, mined or not yet, leaves the next one the price it found."""
    found = devchain.next_base_fee()
    before = devchain.snapshot()
    devchain.set_next_base_fee(Wei(500 * 10**9))
    devchain.mine(mined)
    dear = devchain.next_base_fee()
    devchain.revert(before)

    assert dear > Wei(300 * 10**9)
    assert devchain.next_base_fee() == found
    devchain.mine()
    assert int(devchain.rpc("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16) == found


def test_a_reorganisation_takes_a_payout_back(devchain: Devchain, deployment: Deployment) -> None:
    """What was mined can be gone, and the chain is as high as before."""
    distribute(devchain, 5)
    height = devchain.rpc("eth_blockNumber")
    devchain.reorg(1)

    assert devchain.payouts() == []
    assert devchain.nonce_of(deployment.operator) == 0
    assert devchain.rpc("eth_blockNumber") == height


def test_a_deployment_works_where_mining_is_asked_for(manual_node: servers.Anvil) -> None:
    """On a node that never mines by itself the verbs ask it to, and finality is two blocks away."""
    chain = Devchain(deploy(manual_node.url, allowance_units=TokenUnits(9)))
    latest = chain.rpc("eth_blockNumber")
    chain.mine_to_finality()

    assert chain.allowance() == 9
    assert chain.rpc("eth_getBlockByNumber", "finalized", False)["number"] == latest


@pytest.mark.parametrize(
    ("name", "paid_units"), [("SilentAuthority", 0), ("ForgingAuthority", 0), ("ShortAuthority", 4)]
)
def test_a_misbehaving_authority_takes_the_call_and_does_not_pay_it(
    devchain: Devchain, name: str, paid_units: int
) -> None:
    """Status 1 and even a look-alike event are no proof: only the token's own transfers are."""
    trouble = devchain.misbehave(name)
    distribute(Devchain(trouble), 5)

    assert sum(payout.amount_units for payout in devchain.payouts()) == paid_units
    assert devchain.balance_of(trouble.customers[0]) == paid_units


def test_a_refused_node_command_is_an_error(devchain: Devchain) -> None:
    """A verb that did nothing never looks like one that did."""
    with pytest.raises(Web3RPCError):
        devchain.rpc("anvil_noSuchThing")


def test_a_verb_that_reverts_on_chain_is_an_error(devchain: Devchain, deployment: Deployment) -> None:
    """A reverted transaction never looks like one that was done."""
    call = devchain._authority.functions.pause()
    with pytest.raises(ChainRefused, match="reverted"):
        devchain._evm.transact(call, deployment.customers[0], gas=100_000)


def test_the_keys_are_those_of_the_operators(deployment: Deployment) -> None:
    """The signer with such a key is the one that was appointed, or can be."""
    assert Account.from_key(deployment.operator_key).address == deployment.operator
    assert Account.from_key(deployment.second_operator_key).address == deployment.second_operator


def test_keys_are_not_shown(deployment: Deployment) -> None:
    """A deployment can be printed."""
    assert deployment.operator_key not in repr(deployment)
    assert deployment.second_operator_key not in repr(deployment)


def test_a_block_taken_back_after_hundreds_of_others_leaves_the_contracts_in_place(manual_node: servers.Anvil) -> None:
    """A reorganised block whose ancestor is older than the node's usual 500 states costs no contract its code."""
    known = deploy(manual_node.url)
    chain = Devchain(known)
    chain.rpc("anvil_mine", hex(600))
    chain.reorg(598)

    assert [len(chain.rpc("eth_getCode", each, "latest")) > 2 for each in (known.token, known.authority)] == [True] * 2
