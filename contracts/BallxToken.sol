// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title BALLX
/// @notice Reference token for the local chain: the face of the deployed one, which has 18 decimals
/// and a fixed supply.
contract BallxToken is ERC20 {
    uint256 public constant SUPPLY = 200_000_000_000e18;

    /// @param reserve Gets the whole supply; no more is ever minted.
    constructor(address reserve) ERC20("BALLX", "BALLX") {
        _mint(reserve, SUPPLY);
    }
}
