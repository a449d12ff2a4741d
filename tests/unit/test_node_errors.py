"""What nodes say, in the words of Bor, geth, anvil and the gateways."""

from __future__ import annotations

import pytest

from distributor.chain.node_errors import SUBMIT_TEXTS, best_of, is_overload, is_revert, outcome_of
from distributor.chain_types import Submitted
from distributor.model import SubmitOutcome


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("already known", SubmitOutcome.ALREADY_KNOWN),
        ("transaction already imported", SubmitOutcome.ALREADY_KNOWN),
        ("known transaction: 0xabc", SubmitOutcome.ALREADY_KNOWN),
        ("nonce too low", SubmitOutcome.NONCE_TOO_LOW),
        ("nonce too low: next nonce 7, tx nonce 5", SubmitOutcome.NONCE_TOO_LOW),
        ("replacement transaction underpriced", SubmitOutcome.UNDERPRICED),
        ("INTERNAL_ERROR: Replacement Transaction Underpriced", SubmitOutcome.UNDERPRICED),
        (
            "transaction gas price below minimum: gas tip cap 1, minimum needed 25000000000",
            SubmitOutcome.UNDERPRICED,
        ),
        ("transaction underpriced: tip needed 25000000000, tip permitted 1", SubmitOutcome.UNDERPRICED),
        ("max fee per gas less than block base fee", SubmitOutcome.UNDERPRICED),
        ("insufficient funds for gas * price + value: balance 1, tx cost 3, overshot 2", SubmitOutcome.GAS_SHORT),
        ("Insufficient funds for gas * price + value", SubmitOutcome.GAS_SHORT),
        ("txpool is full", SubmitOutcome.POOL_FULL),
        ("account limit exceeded: pool limits exceeded", SubmitOutcome.POOL_FULL),
        ("tx fee (9.00 ether) exceeds the configured cap (5.00 ether)", SubmitOutcome.REFUSED),
        ("intrinsic gas too low: gas 20000, minimum needed 21000", SubmitOutcome.REFUSED),
        ("intrinsic gas too high -- CallGasCostMoreThanGasLimit", SubmitOutcome.REFUSED),
        ("exceeds block gas limit", SubmitOutcome.REFUSED),
        ("invalid chain id for signer", SubmitOutcome.REFUSED),
        ("Internal error", SubmitOutcome.UNKNOWN),
        ("rate limit exceeded", SubmitOutcome.UNKNOWN),
        ("nonce too high", SubmitOutcome.UNKNOWN),
        ("", SubmitOutcome.UNKNOWN),
    ],
)
def test_a_nodes_text_says_what_became_of_the_bytes(text: str, outcome: SubmitOutcome) -> None:
    """Bor, geth and anvil say the same in other words; what nobody knows stays unknown."""
    assert outcome == outcome_of(text)


def test_each_text_is_found_through_its_own_line() -> None:
    """No line is hidden by one above it that means something else, and each names its source."""
    assert all(outcome_of(text) == outcome for text, outcome, _ in SUBMIT_TEXTS)
    assert all(link.startswith("https://") for _, _, link in SUBMIT_TEXTS)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (SubmitOutcome.ACCEPTED, SubmitOutcome.ALREADY_KNOWN),
        (SubmitOutcome.ALREADY_KNOWN, SubmitOutcome.NONCE_TOO_LOW),
        (SubmitOutcome.NONCE_TOO_LOW, SubmitOutcome.UNDERPRICED),
        (SubmitOutcome.POOL_FULL, SubmitOutcome.REFUSED),
        (SubmitOutcome.GAS_SHORT, SubmitOutcome.UNKNOWN),
        (SubmitOutcome.REFUSED, SubmitOutcome.UNKNOWN),
    ],
)
def test_the_better_word_of_two_nodes_counts(better: SubmitOutcome, worse: SubmitOutcome) -> None:
    """One pool that has the bytes is enough, whichever node is asked first."""
    said = [Submitted(outcome=worse, node="a"), Submitted(outcome=better, node="b")]

    assert better == best_of(said).outcome == best_of(said[::-1]).outcome


def test_every_outcome_has_a_rank() -> None:
    """A new outcome cannot be forgotten in the ranking."""
    assert all(outcome == best_of([Submitted(outcome=outcome)]).outcome for outcome in SubmitOutcome)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (3, "execution reverted"),
        (3, "execution reverted: rate limit of the day"),
        (-32000, "execution reverted"),
        (-32000, "execution reverted: daily limit exceeded"),
        (-32000, "gas required exceeds allowance (30000000)"),
        (-32603, "EVM error InvalidFEOpcode"),
        (-32000, "invalid opcode: INVALID"),
    ],
)
def test_a_refusal_by_the_contract_is_a_revert(code: int, text: str) -> None:
    """A revert is the contract's word, even when its reason speaks of limits."""
    assert is_revert(code, text)
    assert not is_overload(code, text)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-32005, "request exceeds defined limit"),
        (429, "Your app has exceeded its compute units per second capacity"),
        (-32000, "Too Many Requests"),
        (-32000, "daily request rate limit reached, execution reverted"),
    ],
)
def test_an_overloaded_node_is_never_a_revert(code: int, text: str) -> None:
    """An order must not be held because a gateway was busy."""
    assert is_overload(code, text)
    assert not is_revert(code, text)


@pytest.mark.parametrize("text", ["header not found", "execution aborted (timeout = 5s)", "missing trie node"])
def test_a_nodes_own_failure_is_neither(text: str) -> None:
    """A node that cannot say says nothing about the contract."""
    assert not is_revert(-32000, text)
    assert not is_overload(-32000, text)
