// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {BallxToken} from "../BallxToken.sol";
import {vm} from "./Vm.sol";

contract BallxTokenTest {
    /// The whole supply is the reserve's, whoever that is, in units of 10^-18.
    function testFuzz_theReserveGetsTheWholeSupply(address reserve) external {
        vm.assume(reserve != address(0));
        BallxToken token = new BallxToken(reserve);

        vm.assertEq(token.decimals(), 18);
        vm.assertEq(token.totalSupply(), 200_000_000_000 * 10 ** 18);
        vm.assertEq(token.balanceOf(reserve), token.totalSupply());
    }
}
