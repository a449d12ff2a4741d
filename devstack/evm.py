"""An anvil node as it is spoken to here: any method, and contracts from the committed artifacts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hexbytes import HexBytes
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.contract.contract import ContractConstructor, ContractFunction
from web3.types import RPCEndpoint, TxParams, TxReceipt

from devstack import paths
from distributor.model import Address

_RECEIPT_TIMEOUT_S = 30
_RECEIPT_POLL_S = 0.02


class ChainRefused(RuntimeError):
    """A transaction of the stack's own was mined and reverted."""


class Evm:
    """One node, which signs for its own accounts."""

    def __init__(self, url: str) -> None:
        self.web3 = Web3(HTTPProvider(url))

    def rpc(self, method: str, *params: Any) -> Any:
        return self.web3.manager.request_blocking(RPCEndpoint(method), list(params))

    def accounts(self) -> list[Address]:
        return [Address(account) for account in self.web3.eth.accounts]

    def contract(self, name: str, address: Address) -> Contract:
        return self.web3.eth.contract(Web3.to_checksum_address(address), abi=artifact(name)["abi"])

    def create(self, name: str, sender: Address, known: Mapping[str, Any]) -> tuple[Address, int]:
        """Create a contract whose constructor takes some of the *known* values; return where it is, and since when."""
        compiled = artifact(name)
        factory = self.web3.eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
        wanted = [
            each["name"] for entry in compiled["abi"] if entry["type"] == "constructor" for each in entry["inputs"]
        ]
        receipt = self.transact(factory.constructor(*(known[name] for name in wanted)), sender)
        return Address(str(receipt["contractAddress"])), receipt["blockNumber"]

    def transact(
        self, call: ContractFunction | ContractConstructor, sender: Address, *, gas: int | None = None
    ) -> TxReceipt:
        """Do *call* and wait for its receipt; with *gas* given the node does not try it first."""
        limit: TxParams = {} if gas is None else {"gas": gas}
        tx_hash = call.transact({"from": Web3.to_checksum_address(sender), **limit})
        if not self.rpc("anvil_getAutomine"):
            self.rpc("anvil_mine", "0x1")
        receipt = self.receipt(tx_hash)
        if receipt["status"] != 1:
            raise ChainRefused(f"{tx_hash.to_0x_hex()} reverted")
        return receipt

    def receipt(self, tx_hash: HexBytes) -> TxReceipt:
        """Return the receipt once it is there: a node that mines at once answers the sender before it has."""
        return self.web3.eth.wait_for_transaction_receipt(tx_hash, _RECEIPT_TIMEOUT_S, _RECEIPT_POLL_S)


def artifact(name: str) -> dict[str, Any]:
    """Return a compiled contract (``Authority``, ``test/SilentAuthority``): abi, bytecode, deployedBytecode."""
    compiled: dict[str, Any] = json.loads((paths.ARTIFACTS / f"{name}.json").read_text(encoding="utf-8"))
    return compiled
