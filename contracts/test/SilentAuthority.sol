// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice Trouble: takes every distribution, succeeds, and pays nothing.
contract SilentAuthority {
    function distribute(address, uint256, bytes32, string calldata) external {}
}
