"""
The reference contracts on a local chain, and the verbs to bring that chain into trouble.

Everything is done with anvil's well-known accounts, which the node signs for. Their keys are
public: https://getfoundry.sh/anvil/overview. Never use them elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hexbytes import HexBytes
from web3 import Web3
from web3.contract.contract import ContractFunction
from web3.types import TxReceipt

from devstack.contract_events import DistributedEvent, TransferEvent
from devstack.evm import ChainRefused, Evm
from distributor.model import Address, Hash
from distributor.units import TokenUnits, Wei

OPERATOR_KEY = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"
SECOND_OPERATOR_KEY = "0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6"
SIDE_OPERATOR_KEY = "0xf214f2b2cd398c806f84e317254e0f0b801d0643303237d97a22a48e01628897"
"""The eleventh of the well-known keys: anvil gives coin to the first ten alone."""
_ADMIN, _RESERVE, _OPERATOR, _CUSTOMERS, _SECOND_OPERATOR = 0, 1, 2, slice(3, 9), 9

SUPPLY_UNITS = TokenUnits(200_000_000_000 * 10**18)
ALLOWANCE_UNITS = TokenUnits(1_000_000_000 * 10**18)
"""What the reserve lets the Authority draw at first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """Token and Authority on a chain, and who is who."""

    url: str
    chain_id: int
    block_number: int
    """The first block that knows them."""
    token: Address
    authority: Address
    admin: Address
    """May pause the Authority and appoint operators."""
    reserve: Address
    operator: Address
    operator_key: str = field(default=OPERATOR_KEY, repr=False)
    second_operator: Address
    """Has gas and no role until it is granted."""
    second_operator_key: str = field(default=SECOND_OPERATOR_KEY, repr=False)
    customers: tuple[Address, ...]
    guard: Address | None = None
    """The only operator of the Authority, owned by *admin*, with both operators as its hot keys; None: no guard."""


def deploy(url: str, *, allowance_units: TokenUnits = ALLOWANCE_UNITS, guarded: bool = False) -> Deployment:
    """
    Put token and Authority on the chain at *url*, appoint the operator, let the Authority draw *allowance_units*.

    *guarded*: a guard is appointed instead, and the operators pay through it.

    Raises:
        ChainRefused: One of the transactions reverted.
    """
    evm = Evm(url)
    accounts = evm.accounts()
    admin, reserve, operator = accounts[_ADMIN], accounts[_RESERVE], accounts[_OPERATOR]
    token, block_number = evm.create("BallxToken", admin, {"reserve": reserve})
    authority, _ = evm.create("Authority", admin, {"token_": token, "reserve_": reserve, "admin": admin})
    deployment = Deployment(
        url=url,
        chain_id=evm.web3.eth.chain_id,
        block_number=block_number,
        token=token,
        authority=authority,
        admin=admin,
        reserve=reserve,
        operator=operator,
        second_operator=accounts[_SECOND_OPERATOR],
        customers=tuple(accounts[_CUSTOMERS]),
    )
    chain = Devchain(deployment)
    chain.approve(allowance_units)
    if guarded:
        return chain.install_guard()
    chain.grant(operator)
    return deployment


class Devchain:
    """
    A local chain controlled by the test.

    A verb that changes a contract returns when that is mined. Where the node mines only when asked
    to, it asks, and what others have in the pool is mined with it.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._evm = Evm(deployment.url)
        self._next_base_fees: dict[str, Wei] = {}
        self._token = self._evm.contract("BallxToken", deployment.token)
        self._authority = self._evm.contract("Authority", deployment.authority)

    # the node ----------------------------------------------------------------------------------

    def rpc(self, method: str, *params: Any) -> Any:
        """Ask the node anything; raises web3's Web3RPCError when it refuses."""
        return self._evm.rpc(method, *params)

    def receipt(self, tx_hash: str) -> TxReceipt:
        """Return the receipt of a transaction that was sent, once it is there."""
        return self._evm.receipt(HexBytes(tx_hash))

    def mine(self, blocks: int = 1) -> None:
        self.rpc("anvil_mine", hex(blocks))

    def mine_to_finality(self) -> None:
        """Mine until what is in the latest block is final by the ``finalized`` tag."""
        self.mine(2)

    def snapshot(self) -> str:
        """Remember the chain as it is, with the price of the next block; the answer is for ``revert``, once."""
        taken = str(self.rpc("evm_snapshot"))
        self._next_base_fees[taken] = self.next_base_fee()
        return taken

    def revert(self, snapshot: str) -> None:
        """
        Bring back the chain as it was at *snapshot*, with an empty pool, mining at once.

        The base fee of the next block is set again: ``evm_revert`` takes back the blocks and keeps their last price.
        """
        if not self.rpc("evm_revert", snapshot):
            raise ChainRefused(f"no snapshot {snapshot}")
        self.rpc("anvil_dropAllTransactions")
        self.set_next_base_fee(self._next_base_fees.pop(snapshot))
        self.set_automine(enabled=True)

    def reorg(self, depth: int) -> None:
        """Replace the last *depth* blocks by empty ones; what was in them is in no pool either."""
        self.rpc("anvil_reorg", depth, [])

    def set_automine(self, *, enabled: bool) -> None:
        self.rpc("evm_setAutomine", enabled)

    def next_base_fee(self) -> Wei:
        return Wei(int(self.rpc("eth_getBlockByNumber", "pending", False)["baseFeePerGas"], 16))

    def set_next_base_fee(self, base_fee_wei: Wei) -> None:
        """Set the base fee of the next block; those after it follow the usual rule."""
        self.rpc("anvil_setNextBlockBaseFeePerGas", hex(base_fee_wei))

    def set_balance(self, address: Address, balance_wei: Wei) -> None:
        self.rpc("anvil_setBalance", address, hex(balance_wei))

    def gas_balance_of(self, address: Address) -> Wei:
        return Wei(self._evm.web3.eth.get_balance(Web3.to_checksum_address(address)))

    def nonce_of(self, address: Address) -> int:
        """Return the transaction count at the latest block."""
        return self._evm.web3.eth.get_transaction_count(Web3.to_checksum_address(address))

    # the Authority -----------------------------------------------------------------------------

    def pause(self) -> None:
        self._do(self._authority.functions.pause(), self.deployment.admin)

    def unpause(self) -> None:
        self._do(self._authority.functions.unpause(), self.deployment.admin)

    def grant(self, operator: Address) -> None:
        role = self._authority.functions.OPERATOR_ROLE().call()
        self._do(self._authority.functions.grantRole(role, operator), self.deployment.admin)

    def revoke(self, operator: Address) -> None:
        role = self._authority.functions.OPERATOR_ROLE().call()
        self._do(self._authority.functions.revokeRole(role, operator), self.deployment.admin)

    def distribute(self, wallet: Address, amount_units: TokenUnits, ref_id: Hash, reason: str) -> None:
        """Pay *wallet* by the operator's hand, behind the back of every ledger."""
        self._do(self._authority.functions.distribute(wallet, amount_units, ref_id, reason), self.deployment.operator)

    def misbehave(self, name: str) -> Deployment:
        """Return the same system with another Authority: *name* is a contract of ``contracts/test``."""
        known = {"token_": self.deployment.token, "reserve_": self.deployment.reserve}
        authority, _ = self._evm.create(f"test/{name}", self.deployment.admin, known)
        trouble = replace(self.deployment, authority=authority)
        Devchain(trouble).approve(ALLOWANCE_UNITS)
        return trouble

    def new_authority(self) -> Deployment:
        """Return the same system with another Authority, which may draw from the reserve; no key has a role there."""
        known = {"token_": self.deployment.token, "reserve_": self.deployment.reserve, "admin": self.deployment.admin}
        authority, _ = self._evm.create("Authority", self.deployment.admin, known)
        replaced = replace(self.deployment, authority=authority)
        Devchain(replaced).approve(ALLOWANCE_UNITS)
        return replaced

    # the guard ---------------------------------------------------------------------------------

    def install_guard(self) -> Deployment:
        """Put a guard before the Authority, and return the same system with it: it alone has the role."""
        guard = self.new_guard()
        self.grant(guard)
        return replace(self.deployment, guard=guard)

    def new_guard(self) -> Address:
        """Return a new guard that allows both operators, and has no role yet."""
        admin = self.deployment.admin
        known = {"token_": self.deployment.token, "authority_": self.deployment.authority, "owner_": admin}
        guard, _ = self._evm.create("PayoutGuard", admin, known)
        for key in (self.deployment.operator, self.deployment.second_operator):
            self.at_guard("allow", key, guard=guard)
        return guard

    def at_guard(self, verb: str, *args: Any, guard: Address | None = None) -> None:
        """Let the guard's owner do *verb*: ``allow``, ``remove``, ``pause``, ``unpause``, ``record``."""
        contract = self._evm.contract("PayoutGuard", guard or self._guard)
        self._do(contract.get_function_by_name(verb)(*args), self.deployment.admin)

    def pay_through_guard(
        self, sender: Address, wallet: Address, amount_units: TokenUnits, ref_id: Hash, *, item_gas: int = 200_000
    ) -> None:
        """Pay one item by the hand of *sender*, behind the back of every ledger."""
        contract = self._evm.contract("PayoutGuard", self._guard)
        item = (Web3.to_checksum_address(wallet), amount_units, ref_id, "elsewhere")
        self._evm.transact(contract.functions.distributeMany(item_gas, [item]), sender, gas=400_000)

    def recorded(self, ref_id: Hash) -> int:
        """Return what the guard recorded for a reference; 0 while it is not paid."""
        return int(self._evm.contract("PayoutGuard", self._guard).functions.payment(ref_id).call())

    @property
    def _guard(self) -> Address:
        if self.deployment.guard is None:
            raise ChainRefused("this deployment has no guard")
        return self.deployment.guard

    # the token ---------------------------------------------------------------------------------

    def approve(self, allowance_units: TokenUnits) -> None:
        """Let the Authority draw *allowance_units* from the reserve, instead of what it could draw."""
        approval = self._token.functions.approve(self.deployment.authority, allowance_units)
        self._do(approval, self.deployment.reserve)

    def transfer_from_reserve(self, wallet: Address, amount_units: TokenUnits) -> None:
        """Move tokens out of the reserve by its own hand, not by a distribution."""
        self._do(self._token.functions.transfer(wallet, amount_units), self.deployment.reserve)

    def balance_of(self, wallet: Address) -> TokenUnits:
        return TokenUnits(self._token.functions.balanceOf(wallet).call())

    def allowance(self) -> TokenUnits:
        """Return what the Authority may still draw."""
        spender = self.deployment.authority
        return TokenUnits(self._token.functions.allowance(self.deployment.reserve, spender).call())

    def transfers(self) -> list[TransferEvent]:
        """Return every ``Transfer`` of the token in the order of the chain, the minting first."""
        return [TransferEvent.of(log) for log in self._token.events.Transfer().get_logs(from_block=0)]

    def payouts(self) -> list[TransferEvent]:
        """Return the transfers out of the reserve."""
        return [transfer for transfer in self.transfers() if transfer.sender == self.deployment.reserve]

    def distributed_events(self) -> list[DistributedEvent]:
        """Return every ``Distributed`` of the Authority in the order of the chain."""
        return [DistributedEvent.of(log) for log in self._authority.events.Distributed().get_logs(from_block=0)]

    def _do(self, call: ContractFunction, sender: Address) -> None:
        self._evm.transact(call, sender)
