// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {BallxToken} from "../BallxToken.sol";
import {IAuthority, PayoutGuard} from "../PayoutGuard.sol";
import {FickleAuthority} from "./FickleAuthority.sol";
import {vm} from "./Vm.sol";

/// @notice A guard before an Authority that can be made to misbehave, and words to pay through it.
abstract contract GuardBench {
    address internal constant OWNER = address(0x0A);
    address internal constant HOT_KEY = address(0x09);
    address internal constant RESERVE = address(0x4E);
    address internal constant CUSTOMER = address(0xC0);
    bytes32 internal constant REF = "order-1";
    uint256 internal constant ITEM_GAS = 200_000;

    BallxToken internal token;
    FickleAuthority internal authority;
    PayoutGuard internal guard;

    function deploy() internal {
        token = new BallxToken(RESERVE);
        authority = new FickleAuthority(token, RESERVE);
        guard = new PayoutGuard(token, IAuthority(address(authority)), OWNER);
        vm.prank(OWNER);
        guard.allow(HOT_KEY);
        approve(address(authority));
    }

    function approve(address spender) internal {
        vm.prank(RESERVE);
        token.approve(spender, type(uint256).max);
    }

    function changeAuthority(FickleAuthority other) internal {
        vm.prank(OWNER);
        guard.pause();
        vm.prank(OWNER);
        guard.setAuthority(IAuthority(address(other)));
        vm.prank(OWNER);
        guard.unpause();
    }

    /// What the service signs, less what the transaction itself costs before the call begins.
    function gasFor(uint256 count) internal pure returns (uint256) {
        return 60_000 - 21_000 + count * (ITEM_GAS + 15_000) + ITEM_GAS / 63 - callDataGas(count);
    }

    function callDataGas(uint256 count) private pure returns (uint256) {
        return 1_000 + count * 3_000;
    }

    function pay(PayoutGuard.Item[] memory items) internal returns (PayoutGuard.Outcome[] memory) {
        return payWithin(gasFor(items.length), ITEM_GAS, items);
    }

    function payWithin(uint256 gas_, uint256 gasPerItem, PayoutGuard.Item[] memory items)
        internal
        returns (PayoutGuard.Outcome[] memory)
    {
        vm.prank(HOT_KEY);
        return guard.distributeMany{gas: gas_}(gasPerItem, items);
    }

    function item(address to, uint256 amount, bytes32 refId) internal pure returns (PayoutGuard.Item memory) {
        return PayoutGuard.Item(to, amount, refId, "distribuicao de fidelidade de cliente da loja numero um - BALLX!");
    }

    function one(address to, uint256 amount, bytes32 refId) internal pure returns (PayoutGuard.Item[] memory items) {
        items = new PayoutGuard.Item[](1);
        items[0] = item(to, amount, refId);
    }

    function equalItems(uint256 count) internal pure returns (PayoutGuard.Item[] memory items) {
        items = new PayoutGuard.Item[](count);
        for (uint256 index = 0; index < count; ++index) {
            items[index] = item(CUSTOMER, 7, bytes32(index + 1));
        }
    }

    function recordsFrom(uint256 first, uint256 count) internal pure returns (PayoutGuard.Record[] memory records) {
        records = new PayoutGuard.Record[](count);
        for (uint256 index = 0; index < count; ++index) {
            records[index] = PayoutGuard.Record(bytes32(first + index), CUSTOMER, 7);
        }
    }

    function isPayable(address to) internal view returns (bool) {
        bool ours = to == address(guard) || to == address(authority) || to == address(token);
        return to != address(0) && to != RESERVE && !ours;
    }

    function digestOf(uint256 digest, bytes32 refId, address to, uint256 amount) internal pure returns (uint256) {
        return uint160(uint256(keccak256(abi.encode(digest, refId, to, amount))));
    }

    function headOf(uint256 digest, uint256 count, uint256 number) internal pure returns (uint256) {
        return (digest << 96) | (count << 48) | number;
    }

    function countOf(uint256 head) internal pure returns (uint256) {
        return uint48(head >> 48);
    }

    function assertOutcome(PayoutGuard.Outcome memory outcome, PayoutGuard.Result result, bytes memory detail)
        internal
        pure
    {
        vm.assertEq(uint256(outcome.result), uint256(result));
        assertSame(outcome.detail, detail);
    }

    function assertSame(bytes memory left, bytes memory right) internal pure {
        vm.assertEq(uint256(keccak256(left)), uint256(keccak256(right)));
    }
}
