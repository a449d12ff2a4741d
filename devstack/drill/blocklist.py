"""An Authority that refuses one wallet and does everything else as before: some bytes of code before its own."""

from __future__ import annotations

from typing import Final

from eth_abi.abi import encode
from web3 import Web3

from devstack.evm import Evm
from distributor.model import Address

_REFUSAL: Final = bytes.fromhex("08c379a0") + encode(["string"], ["wallet is blocked"])
"""``Error(string)``, as ``require`` writes it."""
_MOVED: Final = Address(Web3.to_checksum_address(Web3.keccak(text="the code of the Authority")[-20:]))
"""Where the contract's own code is while a wallet is blocked."""
_ASK: Final = "73 {wallet} 600435 14 61004b 57"
"""PUSH20 wallet; PUSH1 4 CALLDATALOAD; EQ; PUSH2 refuse JUMPI"""
_FORWARD: Final = "365f5f37 5f5f365f73 {moved} 5af4 3d5f5f3e 610047 57 3d5ffd"
"""CALLDATACOPY of all; DELEGATECALL with all gas; RETURNDATACOPY of all; PUSH2 well JUMPI; REVERT with it"""
_WELL: Final = "5b 3d5ff3"
"""JUMPDEST; RETURN with what came back"""
_REFUSE: Final = "5b {stored} 61 {size} 5ffd"
"""JUMPDEST; the words of the refusal in memory; PUSH2 size PUSH0 REVERT"""
_STORE: Final = "7f {word} 61 {at} 52"
"""PUSH32 word; PUSH2 at; MSTORE"""
_WORD_BYTES: Final = 32


class Blocklist:
    """The wallet that the Authority refuses, while one is blocked."""

    def __init__(self) -> None:
        self._kept = ""

    def block(self, evm: Evm, authority: Address, wallet: Address) -> None:
        """Refuse *wallet* from the next call on."""
        self._kept = str(evm.rpc("eth_getCode", authority, "latest"))
        evm.rpc("anvil_setCode", _MOVED, self._kept)
        evm.rpc("anvil_setCode", authority, f"0x{_code(wallet).hex()}")

    def lift(self, evm: Evm, authority: Address) -> None:
        """Put the contract's own code back, if a wallet is blocked."""
        if self._kept:
            evm.rpc("anvil_setCode", authority, self._kept)
            self._kept = ""


def _code(wallet: Address) -> bytes:
    """Return the code that refuses a call whose first argument is *wallet*, and passes any other on."""
    words = [_REFUSAL[at : at + _WORD_BYTES].ljust(_WORD_BYTES, b"\0") for at in range(0, len(_REFUSAL), _WORD_BYTES)]
    stored = [_STORE.format(word=word.hex(), at=_two_bytes(_WORD_BYTES * at)) for at, word in enumerate(words)]
    ask, pass_on = _ASK.format(wallet=wallet[2:]), _FORWARD.format(moved=_MOVED[2:])
    refuse = _REFUSE.format(stored=" ".join(stored), size=_two_bytes(len(_REFUSAL)))
    return bytes.fromhex(f"{ask} {pass_on} {_WELL} {refuse}")


def _two_bytes(number: int) -> str:
    return number.to_bytes(2, "big").hex()
