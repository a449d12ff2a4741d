// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {BallxToken} from "../BallxToken.sol";
import {IAuthority, PayoutGuard} from "../PayoutGuard.sol";
import {FickleAuthority} from "./FickleAuthority.sol";
import {GuardBench} from "./GuardBench.t.sol";
import {Vm, vm} from "./Vm.sol";

contract PayoutGuardTest is GuardBench {
    address private constant STRANGER = address(0x57);
    uint256 private constant DEAR_ITEM_GAS = 2_500_000;

    function setUp() external {
        deploy();
    }

    // Paying -------------------------------------------------------------------------------------

    function testFuzz_paysExactlyAndRecordsBlockAndRecipient(address to, uint256 amount, bytes32 refId, uint32 number)
        external
    {
        vm.assume(isPayable(to) && refId != 0);
        amount = 1 + amount % token.SUPPLY();
        vm.roll(number);

        vm.expectEmit(address(guard));
        emit PayoutGuard.Paid(refId, to, amount);
        pay(one(to, amount, refId));

        vm.assertEq(token.balanceOf(to), amount);
        vm.assertEq(guard.payment(refId), (uint256(number) << 160) | uint160(to));
    }

    function testFuzz_aReferenceIsNeverPaidTwice(address first, address second, uint256 amount) external {
        vm.assume(isPayable(first) && isPayable(second));
        amount = 1 + amount % (token.SUPPLY() / 2);
        pay(one(first, amount, REF));
        uint256 known = guard.payment(REF);
        uint256 before_ = token.balanceOf(RESERVE);

        vm.expectEmit(address(guard));
        emit PayoutGuard.AlreadyPaid(REF);
        PayoutGuard.Outcome[] memory outcomes = pay(one(second, amount, REF));

        assertOutcome(outcomes[0], PayoutGuard.Result.AlreadyPaid, abi.encode(known));
        vm.assertEq(token.balanceOf(RESERVE), before_);
    }

    function test_theSameReferenceTwiceInOneCallIsPaidOnce() external {
        PayoutGuard.Item[] memory items = new PayoutGuard.Item[](2);
        items[0] = items[1] = item(CUSTOMER, 5, REF);
        PayoutGuard.Outcome[] memory outcomes = pay(items);

        assertOutcome(outcomes[0], PayoutGuard.Result.Paid, "");
        assertOutcome(outcomes[1], PayoutGuard.Result.AlreadyPaid, abi.encode(guard.payment(REF)));
        vm.assertEq(token.balanceOf(CUSTOMER), 5);
    }

    /// Equal wallets and amounts, any of them failing in any way: each reference ends as its own outcome says.
    /// forge-config: default.fuzz.runs = 128
    function testFuzz_anySubsetOfEqualItemsMayFail(uint256 seed) external {
        PayoutGuard.Item[] memory items = equalItems(12);
        uint256 payable_;
        for (uint256 index = 0; index < items.length; ++index) {
            uint256 chosen = (seed >> (8 * index)) % 8;
            authority.choose(items[index].refId, FickleAuthority.Behaviour(chosen));
            if (chosen == uint256(FickleAuthority.Behaviour.Pays)) ++payable_;
        }
        PayoutGuard.Outcome[] memory outcomes = pay(items);

        for (uint256 index = 0; index < items.length; ++index) {
            bool pays = (seed >> (8 * index)) % 8 == uint256(FickleAuthority.Behaviour.Pays);
            vm.assertTrue((outcomes[index].result == PayoutGuard.Result.Paid) == pays);
            vm.assertTrue((guard.payment(items[index].refId) != 0) == pays);
        }
        vm.assertEq(token.balanceOf(CUSTOMER), 7 * payable_);
        vm.assertEq(token.balanceOf(RESERVE), token.SUPPLY() - 7 * payable_);
        vm.assertEq(countOf(guard.head()), payable_);
    }

    function testFuzz_aFailedItemCanBePaidLater(uint8 chosen) external {
        FickleAuthority.Behaviour trouble = FickleAuthority.Behaviour(1 + chosen % 7);
        authority.choose(REF, trouble);
        PayoutGuard.Outcome[] memory outcomes = pay(one(CUSTOMER, 5, REF));
        vm.assertTrue(outcomes[0].result == PayoutGuard.Result.Failed);
        vm.assertEq(guard.head(), 0);

        authority.choose(REF, FickleAuthority.Behaviour.Pays);
        outcomes = pay(one(CUSTOMER, 5, REF));

        vm.assertTrue(outcomes[0].result == PayoutGuard.Result.Paid);
        vm.assertEq(token.balanceOf(CUSTOMER), 5);
    }

    function test_whatDoesNotArriveExactlyIsNotPaid() external {
        authority.choose(REF, FickleAuthority.Behaviour.PaysShort);
        assertRefused(item(CUSTOMER, 5, REF), abi.encodeWithSelector(PayoutGuard.NotArrived.selector, 5, 0, 4));
        authority.choose(REF, FickleAuthority.Behaviour.PaysTwice);
        assertRefused(item(CUSTOMER, 5, REF), abi.encodeWithSelector(PayoutGuard.NotArrived.selector, 5, 0, 10));
        authority.choose(REF, FickleAuthority.Behaviour.PaysNothing);
        assertRefused(item(CUSTOMER, 5, REF), abi.encodeWithSelector(PayoutGuard.NotArrived.selector, 5, 0, 0));

        vm.assertEq(token.balanceOf(RESERVE), token.SUPPLY());
    }

    function test_theReserveIsNoRecipient() external {
        uint256 supply = token.SUPPLY();
        bytes memory why = abi.encodeWithSelector(PayoutGuard.NotArrived.selector, 5, supply, supply);
        assertRefused(item(RESERVE, 5, REF), why);
    }

    function test_whatIsNoPaymentIsRefused() external {
        assertRefused(item(CUSTOMER, 0, REF), abi.encodeWithSelector(PayoutGuard.NoAmount.selector));
        assertRefused(item(CUSTOMER, 5, 0), abi.encodeWithSelector(PayoutGuard.NoReference.selector));
        address[3] memory never = [address(guard), address(authority), address(token)];
        for (uint256 index = 0; index < never.length; ++index) {
            bytes memory why = abi.encodeWithSelector(PayoutGuard.RecipientRefused.selector, never[index]);
            assertRefused(item(never[index], 5, REF), why);
        }
    }

    function test_nobodyElseEntersTheFrame() external {
        vm.expectRevert(abi.encodeWithSelector(PayoutGuard.OnlyTheGuardItself.selector));
        vm.prank(HOT_KEY);
        guard.payItem(item(CUSTOMER, 5, REF));
    }

    // Refusals and gas ---------------------------------------------------------------------------

    function test_aRefusalIsHandedOnAndCut() external {
        authority.choose(REF, FickleAuthority.Behaviour.Refuses);
        assertRefused(item(CUSTOMER, 5, REF), abi.encodeWithSelector(FickleAuthority.Unwilling.selector, "not today"));

        authority.choose(REF, FickleAuthority.Behaviour.RefusesAtLength);
        PayoutGuard.Outcome[] memory outcomes = pay(one(CUSTOMER, 5, REF));

        vm.assertEq(outcomes[0].detail.length, 260);
        vm.assertEq(uint256(bytes32(outcomes[0].detail)), type(uint256).max);
    }

    /// Thirty refusals of 100 kB cost no more than their own frames.
    function test_longRefusalsDoNotMakeTheBatchDear() external {
        authority.choose(0, FickleAuthority.Behaviour.RefusesAtLength);
        PayoutGuard.Item[] memory items = equalItems(30);
        authority.choose(items[29].refId, FickleAuthority.Behaviour.Refuses);
        PayoutGuard.Outcome[] memory outcomes = payWithin(gasFor(30), ITEM_GAS, items);

        vm.assertEq(outcomes[0].detail.length, 260);
        assertOutcome(
            outcomes[29],
            PayoutGuard.Result.Failed,
            abi.encodeWithSelector(FickleAuthority.Unwilling.selector, "not today")
        );
    }

    /// All items but the last burn all the gas they get, and the last one is paid all the same.
    /// forge-config: default.fuzz.runs = 128
    function testFuzz_anItemBurnsItsOwnGasOnly(uint8 count) external {
        count = 1 + count % 30;
        authority.choose(0, FickleAuthority.Behaviour.BurnsAllGas);
        PayoutGuard.Item[] memory items = equalItems(count);
        FickleAuthority patient = new FickleAuthority(token, RESERVE);
        PayoutGuard.Outcome[] memory outcomes = payWithin(gasFor(count), ITEM_GAS, items);

        for (uint256 index = 0; index < count; ++index) {
            assertOutcome(outcomes[index], PayoutGuard.Result.Failed, "");
        }
        approve(address(patient));
        changeAuthority(patient);
        outcomes = payWithin(gasFor(count), ITEM_GAS, items);
        vm.assertTrue(outcomes[count - 1].result == PayoutGuard.Result.Paid);
    }

    /// With less gas than its items may use the call reverts as a whole, or does all that it would with enough.
    /// The items are dear, so that 1/64 of what one gets would be enough to report it as failed.
    /// forge-config: default.fuzz.runs = 128
    function testFuzz_shortGasNeverFailsAnItem(uint256 gas_) external {
        authority.choose(0, FickleAuthority.Behaviour.PaysDearly);
        gas_ = 30_000 + gas_ % (4 * DEAR_ITEM_GAS);
        PayoutGuard.Item[] memory items = equalItems(3);
        vm.prank(HOT_KEY);
        (bool ok, bytes memory answer) =
            address(guard).call{gas: gas_}(abi.encodeCall(guard.distributeMany, (DEAR_ITEM_GAS, items)));

        vm.assertEq(token.balanceOf(CUSTOMER), ok ? 21 : 0);
        if (!ok) return;
        PayoutGuard.Outcome[] memory outcomes = abi.decode(answer, (PayoutGuard.Outcome[]));
        for (uint256 index = 0; index < items.length; ++index) {
            assertOutcome(outcomes[index], PayoutGuard.Result.Paid, "");
        }
    }

    function test_shortGasIsNamed() external {
        PayoutGuard.Item[] memory items = equalItems(2);
        vm.expectRevert(abi.encodeWithSelector(PayoutGuard.GasShort.selector, 0));
        vm.prank(HOT_KEY);
        guard.distributeMany{gas: ITEM_GAS}(ITEM_GAS, items);
    }

    // The chain of payments ----------------------------------------------------------------------

    /// forge-config: default.fuzz.runs = 128
    function testFuzz_theHeadIsWhatTheEventsGive(uint256 seed) external {
        vm.recordLogs();
        uint256 expected;
        for (uint256 call = 1; call <= 4; ++call) {
            vm.roll(100 * call);
            PayoutGuard.Item[] memory items = equalItems(3 * call);
            for (uint256 index = 0; index < items.length; ++index) {
                authority.choose(items[index].refId, FickleAuthority.Behaviour((seed >> (6 * index + call)) % 3));
            }
            pay(items);
        }
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 links;
        for (uint256 index = 0; index < logs.length; ++index) {
            if (logs[index].emitter != address(guard)) continue;
            if (logs[index].topics[0] == PayoutGuard.Paid.selector) expected = appended(expected, logs[index]);
            if (logs[index].topics[0] != PayoutGuard.Linked.selector) continue;
            (uint256 previous, uint256 current) = abi.decode(logs[index].data, (uint256, uint256));
            vm.assertEq(current >> 48, expected);
            vm.assertEq(uint48(current) % 100, 0);
            vm.assertTrue(previous != current && uint48(previous) < uint48(current));
            ++links;
        }

        vm.assertEq(guard.head() >> 48, expected);
        vm.assertTrue(links <= 4);
    }

    function test_aCallThatPaysNothingLinksNothing() external {
        authority.choose(REF, FickleAuthority.Behaviour.Refuses);
        vm.recordLogs();
        pay(one(CUSTOMER, 5, REF));
        Vm.Log[] memory logs = vm.getRecordedLogs();

        vm.assertEq(logs.length, 1);
        vm.assertEq(uint256(logs[0].topics[0]), uint256(PayoutGuard.ItemFailed.selector));
        vm.assertEq(guard.head(), 0);
    }

    function test_theHeadNamesTheBlockOfTheLastPayment() external {
        vm.roll(77);
        vm.expectEmit(address(guard));
        emit PayoutGuard.Linked(0, headOf(digestOf(0, REF, CUSTOMER, 5), 1, 77));
        pay(one(CUSTOMER, 5, REF));
        vm.roll(78);
        pay(one(CUSTOMER, 5, REF));

        vm.assertEq(uint48(guard.head()), 77);
    }

    // Import -------------------------------------------------------------------------------------

    function testFuzz_whatIsImportedIsNeverPaid(address to, uint256 amount, bytes32 refId) external {
        vm.assume(to != address(0) && refId != 0 && amount != 0);
        PayoutGuard.Record[] memory records = new PayoutGuard.Record[](1);
        records[0] = PayoutGuard.Record(refId, to, amount);
        vm.roll(9);
        vm.expectEmit(address(guard));
        emit PayoutGuard.Paid(refId, to, amount);
        vm.expectEmit(address(guard));
        emit PayoutGuard.Linked(0, headOf(digestOf(0, refId, to, amount), 1, 9));
        vm.prank(OWNER);
        guard.record(records);

        PayoutGuard.Outcome[] memory outcomes = pay(one(CUSTOMER, 5, refId));
        assertOutcome(outcomes[0], PayoutGuard.Result.AlreadyPaid, abi.encode((uint256(9) << 160) | uint160(to)));
        vm.assertEq(token.balanceOf(RESERVE), token.SUPPLY());
    }

    function test_anImportPassesOverWhatIsKnown() external {
        pay(one(CUSTOMER, 5, REF));
        uint256 head = guard.head();
        PayoutGuard.Record[] memory records = new PayoutGuard.Record[](1);
        records[0] = PayoutGuard.Record(REF, STRANGER, 7);

        vm.expectEmit(address(guard));
        emit PayoutGuard.AlreadyPaid(REF);
        vm.prank(OWNER);
        guard.record(records);

        vm.assertEq(guard.head(), head);
    }

    function test_anImportTakesTwoHundredAndNoMore() external {
        vm.prank(OWNER);
        guard.record(recordsFrom(1, 200));
        vm.assertEq(countOf(guard.head()), 200);

        vm.expectRevert(abi.encodeWithSelector(PayoutGuard.TooManyRecords.selector, 201));
        vm.prank(OWNER);
        guard.record(recordsFrom(201, 201));
    }

    function test_anImportRefusesWhatIsNoPayment() external {
        PayoutGuard.Record[] memory records = new PayoutGuard.Record[](1);
        records[0] = PayoutGuard.Record(0, CUSTOMER, 5);
        refuseImport(records, abi.encodeWithSelector(PayoutGuard.NoReference.selector));
        records[0] = PayoutGuard.Record(REF, address(0), 5);
        refuseImport(records, abi.encodeWithSelector(PayoutGuard.NoRecipient.selector));
        records[0] = PayoutGuard.Record(REF, CUSTOMER, 0);
        refuseImport(records, abi.encodeWithSelector(PayoutGuard.NoAmount.selector));
    }

    function test_manyReferencesAreAskedForInOneAnswer() external {
        pay(one(CUSTOMER, 5, REF));
        bytes32[] memory refIds = new bytes32[](2);
        (refIds[0], refIds[1]) = ("unknown", REF);
        uint256[] memory records = guard.paymentsOf(refIds);

        vm.assertEq(records[0], 0);
        vm.assertEq(records[1], guard.payment(REF));
    }

    // Who may ------------------------------------------------------------------------------------

    function testFuzz_nobodyElsePays(address sender) external {
        vm.assume(sender != HOT_KEY);
        vm.expectRevert(abi.encodeWithSelector(PayoutGuard.NotAHotKey.selector, sender));
        vm.prank(sender);
        guard.distributeMany(ITEM_GAS, one(CUSTOMER, 5, REF));
    }

    function test_aRemovedKeyPaysNoMore() external {
        vm.prank(OWNER);
        guard.remove(HOT_KEY);
        vm.expectRevert(abi.encodeWithSelector(PayoutGuard.NotAHotKey.selector, HOT_KEY));
        vm.prank(HOT_KEY);
        guard.distributeMany(ITEM_GAS, one(CUSTOMER, 5, REF));
    }

    function testFuzz_onlyTheOwnerRules(address sender) external {
        vm.assume(sender != OWNER);
        bytes[7] memory calls = [
            abi.encodeCall(guard.record, (recordsFrom(1, 1))),
            abi.encodeCall(guard.allow, (STRANGER)),
            abi.encodeCall(guard.remove, (HOT_KEY)),
            abi.encodeCall(guard.pause, ()),
            abi.encodeCall(guard.unpause, ()),
            abi.encodeCall(guard.setAuthority, (IAuthority(address(authority)))),
            abi.encodeCall(guard.transferOwnership, (STRANGER))
        ];
        for (uint256 index = 0; index < calls.length; ++index) {
            vm.prank(sender);
            (bool ok, bytes memory why) = address(guard).call(calls[index]);
            vm.assertTrue(!ok);
            assertSame(why, abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, sender));
        }
    }

    function test_pauseStopsPaymentsAndUnpauseLetsThemGoOn() external {
        vm.prank(OWNER);
        guard.pause();
        vm.expectRevert(abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        vm.prank(HOT_KEY);
        guard.distributeMany(ITEM_GAS, one(CUSTOMER, 5, REF));

        vm.prank(OWNER);
        guard.unpause();
        pay(one(CUSTOMER, 5, REF));
        vm.assertEq(token.balanceOf(CUSTOMER), 5);
    }

    function test_ownershipMovesInTwoStepsAndNeverEnds() external {
        vm.prank(OWNER);
        guard.transferOwnership(STRANGER);
        vm.assertTrue(guard.owner() == OWNER);
        vm.prank(STRANGER);
        guard.acceptOwnership();
        vm.assertTrue(guard.owner() == STRANGER);

        vm.expectRevert(abi.encodeWithSelector(PayoutGuard.OwnershipIsNeverRenounced.selector));
        vm.prank(STRANGER);
        guard.renounceOwnership();
    }

    function test_anOwnerIsNeverAHotKey() external {
        vm.expectRevert(abi.encodeWithSelector(PayoutGuard.OwnerCannotBeHotKey.selector, OWNER));
        vm.prank(OWNER);
        guard.allow(OWNER);
        vm.expectRevert(abi.encodeWithSelector(PayoutGuard.HotKeyCannotOwn.selector, HOT_KEY));
        vm.prank(OWNER);
        guard.transferOwnership(HOT_KEY);
        vm.prank(OWNER);
        guard.transferOwnership(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(PayoutGuard.OwnerCannotBeHotKey.selector, STRANGER));
        vm.prank(OWNER);
        guard.allow(STRANGER);
    }

    // Another Authority --------------------------------------------------------------------------

    function test_theAuthorityChangesOnlyWhilePausedAndTheRecordsStay() external {
        pay(one(CUSTOMER, 5, REF));
        FickleAuthority other = new FickleAuthority(token, RESERVE);
        approve(address(other));
        vm.expectRevert(abi.encodeWithSelector(Pausable.ExpectedPause.selector));
        vm.prank(OWNER);
        guard.setAuthority(IAuthority(address(other)));

        changeAuthority(other);
        PayoutGuard.Outcome[] memory outcomes = pay(one(CUSTOMER, 5, REF));
        vm.assertTrue(outcomes[0].result == PayoutGuard.Result.AlreadyPaid);
        pay(one(CUSTOMER, 5, "another"));

        vm.assertEq(token.balanceOf(CUSTOMER), 10);
        vm.assertTrue(address(guard.authority()) == address(other));
    }

    function test_tokenAndAuthorityAreContracts() external {
        vm.expectRevert(abi.encodeWithSelector(PayoutGuard.NoContract.selector, STRANGER));
        new PayoutGuard(token, IAuthority(STRANGER), OWNER);
        vm.expectRevert(abi.encodeWithSelector(PayoutGuard.NoContract.selector, STRANGER));
        new PayoutGuard(BallxToken(STRANGER), IAuthority(address(authority)), OWNER);
    }

    // --------------------------------------------------------------------------------------------

    function appended(uint256 countedDigest, Vm.Log memory log) private pure returns (uint256) {
        (uint256 digest, uint256 count) = (countedDigest >> 48, countedDigest & type(uint48).max);
        address to = address(uint160(uint256(log.topics[2])));
        digest = digestOf(digest, log.topics[1], to, abi.decode(log.data, (uint256)));
        return (digest << 48) | (count + 1);
    }

    function assertRefused(PayoutGuard.Item memory refused, bytes memory why) private {
        PayoutGuard.Item[] memory items = new PayoutGuard.Item[](1);
        items[0] = refused;
        vm.expectEmit(address(guard));
        emit PayoutGuard.ItemFailed(refused.refId, why);
        assertOutcome(pay(items)[0], PayoutGuard.Result.Failed, why);
        vm.assertEq(guard.payment(refused.refId), 0);
    }

    function refuseImport(PayoutGuard.Record[] memory records, bytes memory why) private {
        vm.expectRevert(why);
        vm.prank(OWNER);
        guard.record(records);
    }
}
