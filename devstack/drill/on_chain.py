"""Troubles of the chain, of its nodes and of the contracts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from eth_typing import HexStr
from web3 import Web3

from devstack.contracts import ALLOWANCE_UNITS
from devstack.drill.field import Field
from devstack.drill.trouble import WHY, Trouble, nothing, then_order
from devstack.stack import BLOCK_TIME_S, free_port
from distributor.model import Address
from distributor.order_ids import ref_id
from distributor.units import TokenUnits, Wei

_DEAR_WEI: Final = Wei(100_000 * 10**9)
_CHEAP_WEI: Final = Wei(10**9)
_FULL_WEI: Final = Wei(10**20)
_FEW_WEI: Final = Wei(10**17)
"""Enough for ten payouts."""
_LITTLE_UNITS: Final = TokenUnits(500 * 10**18)
_OTHER_CHAIN: Final = 137
_PAYMENT_UNITS: Final = TokenUnits(125 * 10**17)
"""What the order of a drill is about."""


def _mining(field: Field) -> None:
    field.rpc("evm_setIntervalMining", BLOCK_TIME_S)


def _coin(wei: Wei) -> Callable[[Field], None]:
    return lambda field: field.chain.set_balance(field.services.deployment.operator, wei)


def _chain_id(number: int | None) -> Callable[[Field], object]:
    return lambda field: field.rpc("anvil_setChainId", number or field.services.deployment.chain_id)


def _silent_after_binding(field: Field) -> None:
    """The node answers until the order is with it, and then no more."""
    field.serve(ALARM_SETTLEMENT_S="4")
    field.rpc("evm_setIntervalMining", 0)
    order_id = field.order()
    field.until("submitted", lambda: field.document(order_id)["status"] == "submitted")
    field.chain_process.suspend()


def _answering(field: Field) -> None:
    field.chain_process.resume()
    _mining(field)
    field.serve()


def _guard(field: Field) -> Address:
    """Return the guard that the stack pays through."""
    return Address(field.services.settings["GUARD_ADDRESS"])


def _without_code(which: str) -> Trouble:
    """Return the trouble that the contract *which* is not there."""
    kept: list[str] = []

    def address(field: Field) -> Address:
        deployment = field.services.deployment
        return deployment.token if which == "token" else deployment.authority

    def take(field: Field) -> None:
        kept.append(str(field.rpc("eth_getCode", address(field), "latest")))
        field.rpc("anvil_setCode", address(field), "0x")

    return Trouble(
        summary=f"There is no contract at the address of the {which}.",
        make=then_order(take),
        heal=lambda field: field.rpc("anvil_setCode", address(field), kept.pop()),
    )


def _empty_reserve(left_units: TokenUnits) -> Callable[[Field], None]:
    """Move all but *left_units* to the administrator, as the reserve's own hand does."""

    def move(field: Field) -> None:
        chain, deployment = field.chain, field.services.deployment
        chain.transfer_from_reserve(deployment.admin, TokenUnits(chain.balance_of(deployment.reserve) - left_units))

    return move


def _fill_reserve(field: Field) -> None:
    deployment = field.services.deployment
    token = field.evm.contract("BallxToken", deployment.token)
    field.evm.transact(
        token.functions.transfer(deployment.reserve, field.chain.balance_of(deployment.admin)), deployment.admin
    )


class Stray:
    """A transaction sent with the operator's key from a wallet, which the runbook forbids."""

    def __init__(self) -> None:
        self._sent = ""

    def send(self, field: Field) -> None:
        """Send it, behind the ledger's back."""
        operator = Web3.to_checksum_address(field.services.deployment.operator)
        sent = field.evm.web3.eth.send_transaction({"from": operator, "to": operator, "value": Web3.to_wei(0, "ether")})
        self._sent = sent.to_0x_hex()

    def send_and_mine(self, field: Field) -> None:
        """Send it, and wait until it is in a block."""
        self.send(field)
        field.evm.web3.eth.wait_for_transaction_receipt(HexStr(self._sent))

    def resolve(self, field: Field) -> None:
        """Do what the page ledger_behind says of one stray transaction of the key."""
        operator = field.services.deployment.operator
        _mining(field)
        field.do("pause", *WHY)
        found = field.evm.web3.eth.wait_for_transaction_receipt(HexStr(self._sent))
        nonce = field.evm.web3.eth.get_transaction(found["transactionHash"])["nonce"]
        typed = ("resolve", "--operator", operator, "--nonce", str(nonce), "--tx", self._sent, *WHY)
        field.until("resolved", lambda: field.ends_well(*typed))
        field.do("resume", *WHY)


def _unmined(stray: Stray) -> Callable[[Field], None]:
    def send(field: Field) -> None:
        field.rpc("evm_setIntervalMining", 0)
        stray.send(field)

    return send


def _paid_by_another_hand(amount_units: TokenUnits) -> Callable[[Field], None]:
    """Let another key pay the reference of an order that waits, through the same guard."""

    def pay(field: Field) -> None:
        field.do("pause", *WHY)
        reference = ref_id("default", field.order())
        field.chain.pay_through_guard(field.services.deployment.second_operator, field.wallet, amount_units, reference)
        field.do("resume", *WHY)

    return pay


def _second_node(field: Field) -> None:
    """Nobody listens at the second address."""
    field.serve(RPC_URL=f"{field.services.settings['RPC_URL']},http://127.0.0.1:{free_port()}")


_IN_BLOCK, _IN_POOL = Stray(), Stray()

ON_CHAIN: Final[Mapping[str, Trouble]] = {
    # It leaves an open transaction, as others may: it comes first, so that its alarm is its own.
    "transaction_open_long": Trouble(
        summary="Nobody mines the payout.",
        make=then_order(lambda field: field.rpc("evm_setIntervalMining", 0)),
        heal=_mining,
    ),
    "settlement_silent": Trouble(
        summary="The only node hangs while a payout is open.", make=_silent_after_binding, heal=_answering
    ),
    "waiting_node_down": Trouble(
        summary="The only node hangs.",
        make=then_order(lambda field: field.chain_process.suspend()),
        heal=lambda field: field.chain_process.resume(),
    ),
    "node_silent": Trouble(
        summary="A second node is configured, and nobody listens there.",
        make=_second_node,
        heal=lambda field: field.serve(),
        watched=True,
    ),
    "waiting_wrong_chain": Trouble(
        summary="The node serves another chain.", make=then_order(_chain_id(_OTHER_CHAIN)), heal=_chain_id(None)
    ),
    "waiting_fee_ceiling": Trouble(
        summary="The network asks for more than MAX_FEE_GWEI.",
        make=then_order(lambda field: field.chain.set_next_base_fee(_DEAR_WEI)),
        heal=lambda field: field.chain.set_next_base_fee(_CHEAP_WEI),
    ),
    "waiting_gas_short": Trouble(
        summary="The operator has no coin left for gas.", make=then_order(_coin(Wei(0))), heal=_coin(_FULL_WEI)
    ),
    "low_gas": Trouble(
        summary="The operator's coin is enough for a few payouts.",
        make=_coin(_FEW_WEI),
        heal=_coin(_FULL_WEI),
        watched=True,
    ),
    "waiting_reserve_short": Trouble(
        summary="The reserve is empty.", make=then_order(_empty_reserve(TokenUnits(0))), heal=_fill_reserve
    ),
    "low_reserve": Trouble(
        summary="The reserve holds less than LOW_RESERVE_TOKENS.",
        make=_empty_reserve(_LITTLE_UNITS),
        heal=_fill_reserve,
        watched=True,
    ),
    "waiting_allowance_short": Trouble(
        summary="The Authority may draw nothing from the reserve.",
        make=then_order(lambda field: field.chain.approve(TokenUnits(0))),
        heal=lambda field: field.chain.approve(ALLOWANCE_UNITS),
    ),
    "low_allowance": Trouble(
        summary="The Authority may draw less than LOW_ALLOWANCE_TOKENS.",
        make=lambda field: field.chain.approve(_LITTLE_UNITS),
        heal=lambda field: field.chain.approve(ALLOWANCE_UNITS),
        watched=True,
    ),
    "waiting_token_missing": _without_code("token"),
    "waiting_authority_missing": _without_code("authority"),
    "waiting_role_missing": Trouble(
        summary="The Authority no longer lets the guard pay.",
        make=then_order(lambda field: field.chain.revoke(_guard(field))),
        heal=lambda field: field.chain.grant(_guard(field)),
    ),
    "waiting_authority_paused": Trouble(
        summary="The Authority is paused by its administrators.",
        make=then_order(lambda field: field.chain.pause()),
        heal=lambda field: field.chain.unpause(),
    ),
    "waiting_guard_paused": Trouble(
        summary="The guard is paused by its owner.",
        make=then_order(lambda field: field.chain.at_guard("pause")),
        heal=lambda field: field.chain.at_guard("unpause"),
    ),
    "waiting_guard_bypassed": Trouble(
        summary="The operator may pay without the guard.",
        make=then_order(lambda field: field.chain.grant(field.services.deployment.operator)),
        heal=lambda field: field.chain.revoke(field.services.deployment.operator),
    ),
    "waiting_nonce_ahead": Trouble(
        summary="Somebody sent a transaction with the operator's key.",
        make=then_order(_IN_BLOCK.send_and_mine),
        heal=_IN_BLOCK.resolve,
    ),
    "waiting_pool_ahead": Trouble(
        summary="A transaction with the operator's key, not in the ledger, waits in the pool.",
        make=then_order(_unmined(_IN_POOL)),
        heal=_IN_POOL.resolve,
    ),
    "paid_elsewhere": Trouble(
        summary="Another installation paid an order through the same guard.",
        make=_paid_by_another_hand(_PAYMENT_UNITS),
        heal=nothing,
    ),
    "held_reference_used": Trouble(
        summary="Another installation paid another amount under the order's reference.",
        make=_paid_by_another_hand(_LITTLE_UNITS),
        heal=lambda field: field.page("held_reference_used"),
        ends="cancelled",
    ),
}
