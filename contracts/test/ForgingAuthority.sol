// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice Trouble: pays nothing and says it did, with events that look like the token's and the Authority's.
contract ForgingAuthority {
    address public immutable reserve;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Distributed(bytes32 indexed refId, address indexed to, uint256 amount, string reason);

    constructor(address reserve_) {
        reserve = reserve_;
    }

    function distribute(address to, uint256 amount, bytes32 refId, string calldata reason) external {
        emit Transfer(reserve, to, amount);
        emit Distributed(refId, to, amount, reason);
    }
}
