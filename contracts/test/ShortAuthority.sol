// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @notice Trouble: pays one unit less than it was told to.
contract ShortAuthority {
    using SafeERC20 for IERC20;

    IERC20 public immutable token;
    address public immutable reserve;

    constructor(IERC20 token_, address reserve_) {
        token = token_;
        reserve = reserve_;
    }

    function distribute(address to, uint256 amount, bytes32, string calldata) external {
        token.safeTransferFrom(reserve, to, amount - 1);
    }
}
