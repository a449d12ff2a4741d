// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @title Authority
/// @notice Pays from the reserve on the word of an operator. Reference for the local chain: it has
/// the face of the deployed one and promises no more than that one is known to.
/// @dev A used refId is NOT rejected: the same call twice pays twice. The deployed contract may or
/// may not be stricter, so nobody may rely on it. Paying an order once is the caller's duty.
contract Authority is AccessControl, Pausable {
    using SafeERC20 for IERC20;

    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");

    /// @notice What is paid.
    IERC20 public immutable token;
    /// @notice Whose tokens they are. It must have approved this contract.
    address public immutable reserve;

    /// @notice An amount went from the reserve to a wallet.
    event Distributed(bytes32 indexed refId, address indexed to, uint256 amount, string reason);

    /// @param admin May pause, and grant and revoke the operator role.
    constructor(IERC20 token_, address reserve_, address admin) {
        token = token_;
        reserve = reserve_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    /// @notice Pay `amount` of the reserve to `to`. The token's own Transfer event is the proof.
    /// @param refId The order this pays, for readers of the chain; not checked for earlier use.
    function distribute(address to, uint256 amount, bytes32 refId, string calldata reason)
        external
        onlyRole(OPERATOR_ROLE)
        whenNotPaused
    {
        token.safeTransferFrom(reserve, to, amount);
        emit Distributed(refId, to, amount, reason);
    }

    /// @notice Stop all distributions.
    function pause() external onlyRole(DEFAULT_ADMIN_ROLE) {
        _pause();
    }

    /// @notice Let distributions go on.
    function unpause() external onlyRole(DEFAULT_ADMIN_ROLE) {
        _unpause();
    }

    /// @notice The most that can be paid now: what the reserve has, and lets this contract draw.
    function available() external view returns (uint256) {
        return Math.min(token.balanceOf(reserve), token.allowance(reserve, address(this)));
    }
}
