"""
Why a contract refused: revert data to a reason the service can act on.

Source of the selectors: OpenZeppelin Contracts 5 (``AccessControl``, ``Ownable``, ``Pausable``,
draft-IERC6093, ``SafeERC20``) and our guard; of the strings: OpenZeppelin Contracts 4, which deployed contracts use.
"""

from __future__ import annotations

from typing import Final

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from distributor.addresses import keccak256
from distributor.chain_types import Revert, RevertKind

_SELECTOR_BYTES: Final = 4
_MAX_TEXT: Final = 200
"""Characters of a reason that are kept: a contract may revert with a novel."""

_ERRORS: Final = {
    "Error(string)": RevertKind.OTHER,  # its string decides
    "Panic(uint256)": RevertKind.OTHER,
    "AccessControlUnauthorizedAccount(address,bytes32)": RevertKind.ROLE_MISSING,
    "OwnableUnauthorizedAccount(address)": RevertKind.ROLE_MISSING,
    "EnforcedPause()": RevertKind.AUTHORITY_PAUSED,
    "ERC20InsufficientBalance(address,uint256,uint256)": RevertKind.RESERVE_SHORT,
    "ERC20InsufficientAllowance(address,uint256,uint256)": RevertKind.ALLOWANCE_SHORT,
    "SafeERC20FailedOperation(address)": RevertKind.OTHER,
    "NotAHotKey(address)": RevertKind.ROLE_MISSING,
    "NotArrived(uint256,uint256,uint256)": RevertKind.OTHER,
    "RecipientRefused(address)": RevertKind.OTHER,
    "GasShort(uint256)": RevertKind.OTHER,
}
_BY_SELECTOR: Final = {keccak256(error.encode())[:_SELECTOR_BYTES]: error for error in _ERRORS}

_STRINGS: Final = (
    ("pausable: paused", RevertKind.AUTHORITY_PAUSED),
    ("accesscontrol: account", RevertKind.ROLE_MISSING),
    ("ownable: caller is not the owner", RevertKind.ROLE_MISSING),
    ("erc20: insufficient allowance", RevertKind.ALLOWANCE_SHORT),
    ("erc20: transfer amount exceeds allowance", RevertKind.ALLOWANCE_SHORT),
    ("erc20: transfer amount exceeds balance", RevertKind.RESERVE_SHORT),
)


def decode_revert(data: bytes, node_text: str) -> Revert:
    """
    Return why a contract refused, from its revert *data*, or from the node's own words without them.

    Data of an unknown error give its selector; nothing here raises on what a contract may return.
    """
    error = _BY_SELECTOR.get(data[:_SELECTOR_BYTES])
    if error is None:
        text = f"0x{data[:_SELECTOR_BYTES].hex()}" if data else node_text
        return Revert(kind=_kind_of_string(text), text=text[:_MAX_TEXT])
    values = _arguments(error, data[_SELECTOR_BYTES:])
    if error == "Error(string)" and values:
        return Revert(kind=_kind_of_string(values[0]), text=values[0][:_MAX_TEXT])
    return Revert(kind=_ERRORS[error], text=f"{error.partition('(')[0]}({', '.join(values)})")


def _arguments(error: str, data: bytes) -> list[str]:
    """Return the error's arguments as text; none where the contract encoded them wrongly."""
    types = [part for part in error.partition("(")[2].rstrip(")").split(",") if part]
    try:
        values = decode(types, data)
    except (DecodingError, ValueError):  # a text that is no UTF-8 is a ValueError
        return []
    return [f"0x{value.hex()}" if isinstance(value, bytes) else str(value) for value in values]


def _kind_of_string(text: str) -> RevertKind:
    lowered = text.lower()
    return next((kind for part, kind in _STRINGS if part in lowered), RevertKind.OTHER)
