"""Why a contract refused, from what it returned."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode

from distributor.addresses import keccak256
from distributor.chain.reverts import decode_revert
from distributor.chain_types import RevertKind

ALICE = "0x" + "11" * 20
ROLE = bytes.fromhex("22" * 32)


def custom(signature: str, *values: object) -> bytes:
    """Encode a custom error as Solidity does."""
    types = [part for part in signature.partition("(")[2].rstrip(")").split(",") if part]
    return keccak256(signature.encode())[:4] + encode(types, values)


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (
            custom("AccessControlUnauthorizedAccount(address,bytes32)", ALICE, ROLE),
            RevertKind.ROLE_MISSING,
            f"AccessControlUnauthorizedAccount({ALICE}, 0x{ROLE.hex()})",
        ),
        (
            custom("OwnableUnauthorizedAccount(address)", ALICE),
            RevertKind.ROLE_MISSING,
            f"OwnableUnauthorizedAccount({ALICE})",
        ),
        (custom("EnforcedPause()"), RevertKind.AUTHORITY_PAUSED, "EnforcedPause()"),
        (
            custom("ERC20InsufficientBalance(address,uint256,uint256)", ALICE, 5, 10),
            RevertKind.RESERVE_SHORT,
            f"ERC20InsufficientBalance({ALICE}, 5, 10)",
        ),
        (
            custom("ERC20InsufficientAllowance(address,uint256,uint256)", ALICE, 5, 10),
            RevertKind.ALLOWANCE_SHORT,
            f"ERC20InsufficientAllowance({ALICE}, 5, 10)",
        ),
        (custom("SafeERC20FailedOperation(address)", ALICE), RevertKind.OTHER, f"SafeERC20FailedOperation({ALICE})"),
        (custom("Panic(uint256)", 0x11), RevertKind.OTHER, "Panic(17)"),
        (custom("Error(string)", "Pausable: paused"), RevertKind.AUTHORITY_PAUSED, "Pausable: paused"),
        (
            custom("Error(string)", "AccessControl: account 0xab is missing role 0xcd"),
            RevertKind.ROLE_MISSING,
            "AccessControl: account 0xab is missing role 0xcd",
        ),
        (
            custom("Error(string)", "Ownable: caller is not the owner"),
            RevertKind.ROLE_MISSING,
            "Ownable: caller is not the owner",
        ),
        (
            custom("Error(string)", "ERC20: insufficient allowance"),
            RevertKind.ALLOWANCE_SHORT,
            "ERC20: insufficient allowance",
        ),
        (
            custom("Error(string)", "ERC20: transfer amount exceeds allowance"),
            RevertKind.ALLOWANCE_SHORT,
            "ERC20: transfer amount exceeds allowance",
        ),
        (
            custom("Error(string)", "ERC20: transfer amount exceeds balance"),
            RevertKind.RESERVE_SHORT,
            "ERC20: transfer amount exceeds balance",
        ),
        (custom("Error(string)", "used refId"), RevertKind.OTHER, "used refId"),
        (custom("Error(string)", "x" * 900), RevertKind.OTHER, "x" * 200),
        (custom("DailyLimit(uint256)", 7), RevertKind.OTHER, "0x" + custom("DailyLimit(uint256)", 7)[:4].hex()),
        (custom("Error(string)", "cut")[:20], RevertKind.OTHER, "Error()"),
        (custom("Error(string)", "cut")[:-32] + b"\xff" * 32, RevertKind.OTHER, "Error()"),
        (custom("EnforcedPause()")[:3], RevertKind.OTHER, "0xd93c06"),
        (b"", RevertKind.OTHER, "execution reverted"),
    ],
)
def test_revert_data_say_why_the_contract_refused(data: bytes, kind: RevertKind, text: str) -> None:
    """Known errors by name and arguments, strings as they are, unknown errors by selector, nothing by the node."""
    revert = decode_revert(data, "execution reverted")

    assert (kind, text) == (revert.kind, revert.text)


def test_a_node_without_revert_data_is_understood_by_its_text() -> None:
    """Some nodes give the reason in their message only."""
    revert = decode_revert(b"", "execution reverted: Pausable: paused")

    assert revert.kind == RevertKind.AUTHORITY_PAUSED
