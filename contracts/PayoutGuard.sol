// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @notice The one function of the deployed Authority that the guard calls.
interface IAuthority {
    function distribute(address to, uint256 amount, bytes32 refId, string calldata reason) external;
}

/// @title PayoutGuard
/// @notice Operator of the Authority between it and the hot keys: pays a reference once, and never twice.
/// @dev The guard protects only while it is the only operator of the Authority. Every payment is recorded
/// by reference, and all payments form a chain of blocks that can be walked back from `head`.
contract PayoutGuard is Ownable2Step, Pausable {
    /// @param amount Token units.
    /// @param refId The order this pays.
    struct Item {
        address to;
        uint256 amount;
        bytes32 refId;
        string reason;
    }

    /// @notice A payment that was made before this guard, or around it.
    struct Record {
        bytes32 refId;
        address to;
        uint256 amount;
    }

    enum Result {
        Failed,
        Paid,
        AlreadyPaid
    }

    /// @param detail Failed: the first 260 bytes of the refusal. AlreadyPaid: the record, as 32 bytes. Paid: empty.
    struct Outcome {
        Result result;
        bytes detail;
    }

    /// @notice Selector, offset, length and 192 characters: what a refusal of OpenZeppelin's libraries needs.
    uint256 private constant CUT_BYTES = 260;
    /// @notice More than the call instruction itself costs: 100 for an address that is known in the transaction.
    uint256 private constant CALL_GAS = 3_000;
    uint256 private constant RECORDS_PER_CALL = 200;

    /// @notice What is paid.
    IERC20 public immutable token;
    /// @notice Who pays it.
    IAuthority public authority;
    /// @notice The keys that may pay.
    mapping(address key => bool allowed) public isHotKey;
    /// @notice By reference: block << 160 | recipient; 0 while it is not paid.
    mapping(bytes32 refId => uint256 blockAndRecipient) public payment;
    /// @notice digest << 96 | count << 48 | block of the last payment. The digest of no payment is 0, and a
    /// payment makes it the low 160 bits of keccak256(digest, refId, to, amount), each as 32 bytes.
    uint256 public head;

    event Paid(bytes32 indexed refId, address indexed to, uint256 amount);
    event ItemFailed(bytes32 indexed refId, bytes reason);
    event AlreadyPaid(bytes32 indexed refId);
    /// @notice Once in a call that paid something: `head` before and after it.
    event Linked(uint256 previous, uint256 current);
    event HotKeyAllowed(address indexed key);
    event HotKeyRemoved(address indexed key);
    event AuthorityChanged(address indexed previous, address indexed current);

    error NotAHotKey(address sender);
    error HotKeyCannotOwn(address key);
    error OwnerCannotBeHotKey(address owner);
    error OwnershipIsNeverRenounced();
    error OnlyTheGuardItself();
    error GasShort(uint256 item);
    error TooManyRecords(uint256 count);
    error NoContract(address account);
    error NoAmount();
    error NoReference();
    error NoRecipient();
    error RecipientRefused(address to);
    error ReferenceUsed(bytes32 refId);
    error NotArrived(uint256 expected, uint256 before_, uint256 after_);

    /// @param owner_ Allows and removes hot keys and pauses. A multisig, never a hot key: it could drain the reserve.
    constructor(IERC20 token_, IAuthority authority_, address owner_) Ownable(owner_) {
        _mustHaveCode(address(token_));
        token = token_;
        _setAuthority(authority_);
    }

    modifier onlyHotKey() {
        if (!isHotKey[msg.sender]) revert NotAHotKey(msg.sender);
        _;
    }

    // Paying -------------------------------------------------------------------------------------

    /// @notice Pay each item whose reference is not paid yet. A failed item moves nothing and can be paid later.
    /// @param gasPerItem What an item may use. It is an argument because the chain reprices its operations.
    /// @dev Reverts as a whole if the gas does not allow every item its `gasPerItem`: an item never fails
    /// because the caller sent too little.
    function distributeMany(uint256 gasPerItem, Item[] calldata items)
        external
        onlyHotKey
        whenNotPaused
        returns (Outcome[] memory outcomes)
    {
        outcomes = new Outcome[](items.length);
        uint256 previous = head;
        for (uint256 index = 0; index < items.length; ++index) {
            outcomes[index] = _attempt(gasPerItem, items[index], index);
        }
        _link(previous);
    }

    /// @notice Pay one item: the frame that undoes its mark when the payment does not arrive exactly.
    function payItem(Item calldata item) external {
        if (msg.sender != address(this)) revert OnlyTheGuardItself();
        if (item.amount == 0) revert NoAmount();
        if (item.refId == 0) revert NoReference();
        if (item.to == address(this) || item.to == address(authority) || item.to == address(token)) {
            revert RecipientRefused(item.to);
        }
        _mark(item.refId, item.to);
        uint256 before_ = token.balanceOf(item.to);
        _distribute(item);
        uint256 after_ = token.balanceOf(item.to);
        if (after_ < before_ || after_ - before_ != item.amount) revert NotArrived(item.amount, before_, after_);
        _append(item.refId, item.to, item.amount);
    }

    /// @notice The records of many references in one answer; 0 where one is not paid.
    function paymentsOf(bytes32[] calldata refIds) external view returns (uint256[] memory records) {
        records = new uint256[](refIds.length);
        for (uint256 index = 0; index < refIds.length; ++index) {
            records[index] = payment[refIds[index]];
        }
    }

    // Owner --------------------------------------------------------------------------------------

    /// @notice Import what was paid before, so that it is never paid again. What is recorded already is passed over.
    function record(Record[] calldata records) external onlyOwner {
        if (records.length > RECORDS_PER_CALL) revert TooManyRecords(records.length);
        uint256 previous = head;
        for (uint256 index = 0; index < records.length; ++index) {
            Record calldata each = records[index];
            if (payment[each.refId] != 0) {
                emit AlreadyPaid(each.refId);
                continue;
            }
            if (each.amount == 0) revert NoAmount();
            if (each.refId == 0) revert NoReference();
            if (each.to == address(0)) revert NoRecipient();
            _mark(each.refId, each.to);
            _append(each.refId, each.to, each.amount);
        }
        _link(previous);
    }

    function allow(address key) external onlyOwner {
        if (key == owner() || key == pendingOwner()) revert OwnerCannotBeHotKey(key);
        isHotKey[key] = true;
        emit HotKeyAllowed(key);
    }

    function remove(address key) external onlyOwner {
        isHotKey[key] = false;
        emit HotKeyRemoved(key);
    }

    /// @notice Stop all payments.
    function pause() external onlyOwner {
        _pause();
    }

    /// @notice Let payments go on.
    function unpause() external onlyOwner {
        _unpause();
    }

    /// @notice Pay through another Authority; the records stay. First the old one loses its allowance and every
    /// operator its role there.
    function setAuthority(IAuthority authority_) external onlyOwner whenPaused {
        _setAuthority(authority_);
    }

    /// @inheritdoc Ownable2Step
    function transferOwnership(address newOwner) public override onlyOwner {
        if (isHotKey[newOwner]) revert HotKeyCannotOwn(newOwner);
        super.transferOwnership(newOwner);
    }

    /// @notice Always refused: without an owner nobody could pause.
    function renounceOwnership() public view override onlyOwner {
        revert OwnershipIsNeverRenounced();
    }

    // --------------------------------------------------------------------------------------------

    function _attempt(uint256 gasPerItem, Item calldata item, uint256 index) private returns (Outcome memory outcome) {
        uint256 known = payment[item.refId];
        if (known != 0) {
            emit AlreadyPaid(item.refId);
            return Outcome(Result.AlreadyPaid, abi.encode(known));
        }
        bytes memory input = abi.encodeCall(this.payItem, (item));
        // A call gets at most 63/64 of the gas that is left, whatever it asks for.
        if (gasleft() < gasPerItem + gasPerItem / 63 + CALL_GAS) revert GasShort(index);
        (bool ok, bytes memory refusal) = _cutCall(address(this), gasPerItem, input);
        if (ok) return Outcome(Result.Paid, "");
        emit ItemFailed(item.refId, refusal);
        return Outcome(Result.Failed, refusal);
    }

    function _distribute(Item calldata item) private {
        bytes memory input = abi.encodeCall(IAuthority.distribute, (item.to, item.amount, item.refId, item.reason));
        (bool ok, bytes memory refusal) = _cutCall(address(authority), gasleft(), input);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(refusal, 0x20), mload(refusal))
        }
    }

    /// @dev Copies at most 260 bytes of what comes back, so that a refusal of any length costs no more than that.
    function _cutCall(address target, uint256 gas_, bytes memory input)
        private
        returns (bool ok, bytes memory refusal)
    {
        assembly ("memory-safe") {
            ok := call(gas_, target, 0, add(input, 0x20), mload(input), 0, 0)
            if iszero(ok) {
                let size := returndatasize()
                if gt(size, CUT_BYTES) { size := CUT_BYTES }
                refusal := mload(0x40)
                mstore(refusal, size)
                returndatacopy(add(refusal, 0x20), 0, size)
                mstore(0x40, and(add(add(refusal, size), 0x3f), not(0x1f)))
            }
        }
    }

    function _mark(bytes32 refId, address to) private {
        if (payment[refId] != 0) revert ReferenceUsed(refId);
        payment[refId] = (block.number << 160) | uint160(to);
    }

    /// @dev Event and link in one place: the digest follows the order of the events, whoever called in between.
    function _append(bytes32 refId, address to, uint256 amount) private {
        emit Paid(refId, to, amount);
        uint256 digest = uint160(uint256(keccak256(abi.encode(head >> 96, refId, to, amount))));
        uint256 count = uint48(head >> 48) + 1;
        head = (digest << 96) | (count << 48) | block.number;
    }

    function _link(uint256 previous) private {
        if (head != previous) emit Linked(previous, head);
    }

    function _setAuthority(IAuthority authority_) private {
        _mustHaveCode(address(authority_));
        emit AuthorityChanged(address(authority), address(authority_));
        authority = authority_;
    }

    function _mustHaveCode(address account) private view {
        if (account.code.length == 0) revert NoContract(account);
    }
}
