// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @notice Trouble: pays, until somebody chooses another behaviour for a reference. The reference 0 means all others.
contract FickleAuthority {
    using SafeERC20 for IERC20;

    enum Behaviour {
        Pays,
        Refuses,
        RefusesAtLength,
        BurnsAllGas,
        PaysNothing,
        PaysShort,
        PaysTwice,
        PaysSomebodyElse,
        PaysDearly
    }

    uint256 private constant LONG_BYTES = 100_000;
    uint256 private constant DEAR_GAS = 2_000_000;

    IERC20 public immutable token;
    address public immutable reserve;
    mapping(bytes32 refId => Behaviour) public behaviour;

    error Unwilling(string why);

    constructor(IERC20 token_, address reserve_) {
        token = token_;
        reserve = reserve_;
    }

    function choose(bytes32 refId, Behaviour chosen) external {
        behaviour[refId] = chosen;
    }

    function distribute(address to, uint256 amount, bytes32 refId, string calldata) external {
        Behaviour chosen = behaviour[refId] == Behaviour.Pays ? behaviour[0] : behaviour[refId];
        if (chosen == Behaviour.Refuses) revert Unwilling("not today");
        if (chosen == Behaviour.RefusesAtLength) refuseAtLength();
        while (chosen == Behaviour.BurnsAllGas) {}
        uint256 start = gasleft();
        while (chosen == Behaviour.PaysDearly && start - gasleft() < DEAR_GAS) {}
        if (chosen == Behaviour.PaysNothing) return;
        if (chosen == Behaviour.PaysShort) amount -= 1;
        if (chosen == Behaviour.PaysSomebodyElse) to = address(0x5E);
        if (chosen == Behaviour.PaysTwice) token.safeTransferFrom(reserve, to, amount);
        token.safeTransferFrom(reserve, to, amount);
    }

    function refuseAtLength() private pure {
        assembly ("memory-safe") {
            let start := mload(0x40)
            mstore(start, not(0))
            revert(start, LONG_BYTES)
        }
    }
}
