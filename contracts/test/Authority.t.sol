// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {Authority} from "../Authority.sol";
import {BallxToken} from "../BallxToken.sol";
import {vm} from "./Vm.sol";

contract AuthorityTest {
    address private constant ADMIN = address(0xAD);
    address private constant OPERATOR = address(0x09);
    address private constant RESERVE = address(0x4E);
    address private constant CUSTOMER = address(0xC0);
    bytes32 private constant REF = "order-1";

    BallxToken private token;
    Authority private authority;

    function setUp() external {
        token = new BallxToken(RESERVE);
        authority = new Authority(token, RESERVE, ADMIN);
        grant(OPERATOR);
        approve(type(uint256).max);
    }

    // Who may ------------------------------------------------------------------------------------

    function testFuzz_nobodyElseDistributes(address stranger) external {
        vm.assume(stranger != OPERATOR);

        vm.expectRevert(missing(stranger, authority.OPERATOR_ROLE()));
        vm.prank(stranger);
        authority.distribute(CUSTOMER, 1, REF, "");
    }

    function test_aRevokedOperatorStops() external {
        bytes32 role = authority.OPERATOR_ROLE();
        vm.prank(ADMIN);
        authority.revokeRole(role, OPERATOR);

        vm.expectRevert(missing(OPERATOR, role));
        distribute(CUSTOMER, 1);
    }

    function testFuzz_onlyTheAdminPausesAndAppoints(address stranger) external {
        vm.assume(stranger != ADMIN);
        bytes32 admin = authority.DEFAULT_ADMIN_ROLE();
        bytes32 operator = authority.OPERATOR_ROLE();

        vm.expectRevert(missing(stranger, admin));
        vm.prank(stranger);
        authority.pause();
        vm.expectRevert(missing(stranger, admin));
        vm.prank(stranger);
        authority.unpause();
        vm.expectRevert(missing(stranger, admin));
        vm.prank(stranger);
        authority.grantRole(operator, stranger);
    }

    function test_theDeployerHasNoPower() external view {
        vm.assertTrue(!authority.hasRole(authority.DEFAULT_ADMIN_ROLE(), address(this)));
    }

    // Pause --------------------------------------------------------------------------------------

    function test_pauseStopsDistributionsAndUnpauseLetsThemGoOn() external {
        vm.prank(ADMIN);
        authority.pause();

        vm.expectRevert(abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        distribute(CUSTOMER, 1);

        vm.prank(ADMIN);
        authority.unpause();
        distribute(CUSTOMER, 1);
        vm.assertEq(token.balanceOf(CUSTOMER), 1);
    }

    // Money --------------------------------------------------------------------------------------

    function testFuzz_paysExactlyTheAmountOutOfTheReserve(
        address to,
        uint256 amount,
        bytes32 ref,
        string calldata reason
    ) external {
        vm.assume(to != address(0) && to != RESERVE && to != address(authority));
        amount %= token.SUPPLY() + 1;

        vm.expectEmit(address(token));
        emit IERC20.Transfer(RESERVE, to, amount);
        vm.expectEmit(address(authority));
        emit Authority.Distributed(ref, to, amount, reason);
        vm.prank(OPERATOR);
        authority.distribute(to, amount, ref, reason);

        vm.assertEq(token.balanceOf(to), amount);
        vm.assertEq(token.balanceOf(RESERVE), token.SUPPLY() - amount);
        vm.assertEq(token.balanceOf(address(authority)), 0);
    }

    function testFuzz_neverPaysMoreThanTheReserveHas(uint256 amount) external {
        uint256 supply = token.SUPPLY();
        vm.assume(amount > supply);

        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, RESERVE, supply, amount));
        distribute(CUSTOMER, amount);
    }

    function testFuzz_neverPaysMoreThanTheAllowance(uint256 allowance, uint256 amount) external {
        vm.assume(allowance < amount);
        approve(allowance);

        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(authority), allowance, amount
            )
        );
        distribute(CUSTOMER, amount);
    }

    function testFuzz_theAllowanceShrinksByWhatWasPaid(uint256 allowance, uint256 amount) external {
        allowance %= token.SUPPLY();
        amount %= allowance + 1;
        approve(allowance);

        distribute(CUSTOMER, amount);

        vm.assertEq(token.allowance(RESERVE, address(authority)), allowance - amount);
    }

    function testFuzz_availableIsTheLesserOfBalanceAndAllowance(uint256 balance, uint256 allowance) external {
        uint256 supply = token.SUPPLY();
        balance %= supply + 1;
        vm.prank(RESERVE);
        token.transfer(CUSTOMER, supply - balance);
        approve(allowance);

        vm.assertEq(authority.available(), balance < allowance ? balance : allowance);
    }

    /// What nobody may rely on is written down: this one pays a used refId again.
    function test_aUsedRefIdIsPaidAgain() external {
        distribute(CUSTOMER, 7);
        distribute(CUSTOMER, 7);

        vm.assertEq(token.balanceOf(CUSTOMER), 14);
    }

    function test_theZeroAddressIsRefused() external {
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, address(0)));
        distribute(address(0), 1);
    }

    // --------------------------------------------------------------------------------------------

    function grant(address operator) private {
        bytes32 role = authority.OPERATOR_ROLE();
        vm.prank(ADMIN);
        authority.grantRole(role, operator);
    }

    function approve(uint256 amount) private {
        vm.prank(RESERVE);
        token.approve(address(authority), amount);
    }

    function distribute(address to, uint256 amount) private {
        vm.prank(OPERATOR);
        authority.distribute(to, amount, REF, "compra - BALLX");
    }

    function missing(address account, bytes32 role) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, account, role);
    }
}
