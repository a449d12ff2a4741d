// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {PayoutGuard} from "../PayoutGuard.sol";
import {FickleAuthority} from "./FickleAuthority.sol";
import {GuardBench} from "./GuardBench.t.sol";
import {Vm, vm} from "./Vm.sol";

/// @notice Two hot keys, an owner and a fickle Authority, in any order; what the events say is summed up here.
contract GuardHandler is GuardBench {
    address private constant SECOND_KEY = address(0x99);
    uint256 private constant REFERENCES = 24;
    uint256 private constant WALLETS = 3;

    uint256 public paidUnits;
    uint256 public importedUnits;
    uint256 public countedDigest;
    uint256 public timesPaidTwice;
    mapping(bytes32 => uint256) public timesPaid;

    constructor() {
        deploy();
        vm.prank(OWNER);
        guard.allow(SECOND_KEY);
    }

    function distributeSome(uint256 seed, uint8 count, bool second) external {
        PayoutGuard.Item[] memory items = new PayoutGuard.Item[](count % 8);
        for (uint256 index = 0; index < items.length; ++index) {
            uint256 draw = uint256(keccak256(abi.encode(seed, index)));
            items[index] = item(wallet(draw), 1 + (draw >> 8) % 3, bytes32(1 + (draw >> 16) % REFERENCES));
        }
        vm.recordLogs();
        vm.prank(second ? SECOND_KEY : HOT_KEY);
        guard.distributeMany(ITEM_GAS, items);
        paidUnits += sumUp();
    }

    function importSome(uint256 seed, uint8 count) external {
        PayoutGuard.Record[] memory records = recordsFrom(1 + seed % REFERENCES, count % 4);
        vm.recordLogs();
        vm.prank(OWNER);
        guard.record(records);
        importedUnits += sumUp();
    }

    function misbehave(uint256 refId, uint8 chosen) external {
        authority.choose(bytes32(1 + refId % REFERENCES), FickleAuthority.Behaviour(chosen % 8));
    }

    function moveOn(uint8 blocks) external {
        vm.roll(block.number + blocks);
    }

    function headIsReproduced() external view returns (bool) {
        return guard.head() >> 48 == countedDigest;
    }

    function movedUnits() external view returns (uint256) {
        return token.SUPPLY() - token.balanceOf(RESERVE);
    }

    function walletUnits() external view returns (uint256 units) {
        for (uint256 index = 0; index < WALLETS; ++index) {
            units += token.balanceOf(wallet(index));
        }
    }

    function recordsAgree() external view returns (bool) {
        for (uint256 index = 1; index <= REFERENCES + 2; ++index) {
            if ((guard.payment(bytes32(index)) != 0) != (timesPaid[bytes32(index)] == 1)) return false;
        }
        return true;
    }

    function sumUp() private returns (uint256 units) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 index = 0; index < logs.length; ++index) {
            Vm.Log memory log = logs[index];
            if (log.emitter != address(guard) || log.topics[0] != PayoutGuard.Paid.selector) continue;
            uint256 amount = abi.decode(log.data, (uint256));
            address to = address(uint160(uint256(log.topics[2])));
            if (++timesPaid[log.topics[1]] > 1) ++timesPaidTwice;
            uint256 digest = digestOf(countedDigest >> 48, log.topics[1], to, amount);
            countedDigest = (digest << 48) | (uint48(countedDigest) + 1);
            units += amount;
        }
    }

    function wallet(uint256 draw) private pure returns (address) {
        return address(uint160(0xC0 + draw % WALLETS));
    }
}

contract PayoutGuardInvariants {
    GuardHandler private handler;

    function setUp() external {
        handler = new GuardHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_noReferenceIsPaidTwice() external view {
        vm.assertEq(handler.timesPaidTwice(), 0);
        vm.assertTrue(handler.recordsAgree());
    }

    function invariant_transfersAndEventsAddUpToTheSame() external view {
        vm.assertEq(handler.movedUnits(), handler.paidUnits());
        vm.assertEq(handler.walletUnits(), handler.paidUnits());
    }

    function invariant_digestAndCountAreReproducedFromTheEvents() external view {
        vm.assertTrue(handler.headIsReproduced());
    }
}
