"""Two words that agree, weighed: every pair of words that two nodes can give, and what may be done on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from distributor.chain_types import Claim, Mark, Receipt, Word
from distributor.model import AttemptKind
from distributor.payout.effects import effect_of
from distributor.payout.weighing import Effect, Opinion, Statements, closes_alone, shows_final, weigh
from distributor.payout.witnesses import Witnesses, by_provider, provider_of
from tests.factories import POLICY, RESERVE, a_block, a_receipt, a_transaction, an_attempt, an_order
from tests.fakes.chain import FakeChain

NUMBER = 100
BLOCK = a_block(NUMBER)
PAYS = a_receipt(an_attempt(), BLOCK)
REVERTED = replace(PAYS, succeeded=False, transfers=())
NO_LOGS = replace(PAYS, transfers=())
FORKED = replace(PAYS, block=a_block(NUMBER, "fork"))
FINAL = Mark(NUMBER + 3, NUMBER)
SHALLOW = Mark(NUMBER + 2, NUMBER)
UNTAGGED = Mark(NUMBER + 3, NUMBER - 1)
DEEP = Mark(NUMBER + 13, NUMBER)
TAGLESS = Mark(NUMBER + 12, None)
TAGLESS_DEEP = Mark(NUMBER + 13, None)


def prove(receipt: Receipt) -> Effect:
    """Say whether the receipt pays the order."""
    return effect_of(a_transaction(), [an_order()], AttemptKind.PAY, receipt, reserve=RESERVE, policy=POLICY)


def said(receipt: Receipt | None, mark: Mark = DEEP, *, node: str = "") -> Word:
    """Return a word; the block at the number is the receipt's own."""
    canonical = BLOCK.block_hash if receipt is None else receipt.block.block_hash
    return Word(node=node, mark=mark, receipt=receipt, canonical=canonical)


def opinion(*words: Word, providers: int = 2) -> Opinion:
    """Weigh *words*."""
    return weigh(Statements(words=words, providers=providers), BLOCK, prove, POLICY).opinion


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([said(PAYS, FINAL), said(PAYS, FINAL)], Opinion.AGREED),
        ([said(PAYS, FINAL), said(PAYS, SHALLOW)], Opinion.EARLY),
        ([said(PAYS, FINAL), said(PAYS, UNTAGGED)], Opinion.EARLY),
        ([said(PAYS, FINAL), said(PAYS, TAGLESS)], Opinion.EARLY),
        ([said(PAYS, FINAL), said(PAYS, TAGLESS_DEEP)], Opinion.AGREED),
        ([said(PAYS, FINAL), said(None, FINAL)], Opinion.UNEQUAL),
        ([said(PAYS, FINAL), said(REVERTED, FINAL)], Opinion.UNEQUAL),
        ([said(PAYS, FINAL), said(NO_LOGS, FINAL)], Opinion.UNEQUAL),
        ([said(PAYS, FINAL), said(FORKED, FINAL)], Opinion.UNEQUAL),
        ([said(PAYS, FINAL), replace(said(PAYS, FINAL), canonical=FORKED.block.block_hash)], Opinion.UNEQUAL),
        ([said(PAYS, FINAL)], Opinion.SILENT),
        ([], Opinion.SILENT),
        ([said(FORKED, FINAL), said(FORKED, FINAL)], Opinion.EARLY),
        ([said(None, FINAL), said(None, FINAL)], Opinion.EARLY),
        ([said(REVERTED), said(REVERTED)], Opinion.AGREED),
        ([said(REVERTED), said(REVERTED, FINAL)], Opinion.EARLY),
        ([said(REVERTED), said(REVERTED, TAGLESS_DEEP)], Opinion.AGREED),
        ([said(REVERTED), said(PAYS)], Opinion.UNEQUAL),
        ([said(NO_LOGS), said(NO_LOGS)], Opinion.AGREED),
        ([said(NO_LOGS), said(PAYS)], Opinion.UNEQUAL),
        ([said(REVERTED), said(None)], Opinion.UNEQUAL),
        ([said(REVERTED)], Opinion.SILENT),
    ],
)
def test_two_providers(words: Sequence[Word], expected: Opinion) -> None:
    """Equal words close, each by its own mark; whatever is unlike keeps it open; silence is no word."""
    assert opinion(*words) is expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([said(REVERTED), said(PAYS), said(PAYS)], Opinion.AGREED),
        ([said(PAYS), said(None), said(PAYS)], Opinion.AGREED),
        ([said(PAYS), said(REVERTED), said(PAYS, SHALLOW)], Opinion.EARLY),
        ([said(REVERTED), said(REVERTED), said(PAYS)], Opinion.UNEQUAL),
        ([said(REVERTED), said(REVERTED), said(None)], Opinion.UNEQUAL),
        ([said(REVERTED), said(REVERTED), said(REVERTED, FINAL)], Opinion.EARLY),
        ([said(REVERTED), said(REVERTED)], Opinion.AGREED),
        ([said(PAYS), said(PAYS)], Opinion.AGREED),
    ],
)
def test_a_third_provider_decides_only_towards_paid(words: Sequence[Word], expected: Opinion) -> None:
    """A proof that any node shows forbids a release, however many do not show it."""
    assert opinion(*words, providers=3) is expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (said(PAYS, FINAL), Opinion.AGREED),
        (said(PAYS, SHALLOW), Opinion.EARLY),
        (said(REVERTED, FINAL), Opinion.EARLY),
        (said(REVERTED, DEEP), Opinion.AGREED),
        (said(FORKED), Opinion.EARLY),
    ],
)
def test_where_one_provider_is_configured_its_word_is_enough(word: Word, expected: Opinion) -> None:
    """Unless it has contradicted itself: then it closes nothing."""
    statements = Statements(words=(word,), providers=1)

    assert opinion(word, providers=1) is expected
    assert weigh(statements, BLOCK, prove, POLICY, distrusted=True).opinion is Opinion.EARLY


@pytest.mark.parametrize(
    ("word", "closes"),
    [
        (said(PAYS, DEEP), True),
        (said(PAYS, FINAL), False),
        (said(PAYS, Mark(NUMBER + 12, NUMBER)), False),
        (said(PAYS, TAGLESS_DEEP), True),
        (said(REVERTED, DEEP), False),
        (said(NO_LOGS, DEEP), False),
        (said(FORKED, DEEP), False),
    ],
)
def test_one_word_of_two_closes_a_deep_payment_and_never_releases(word: Word, closes: bool) -> None:
    """After long patience; what would be held waits for as long as the witness is away."""
    statements = Statements(words=(word,), providers=2)
    weighed = weigh(statements, BLOCK, prove, POLICY)

    assert (closes_alone(statements, weighed, BLOCK, prove, POLICY) is not None) is closes


def test_two_words_never_close_as_one() -> None:
    """An unequal word is no silence, and neither is a word that is not final yet."""
    for second in (said(None), said(REVERTED), said(PAYS, SHALLOW)):
        statements = Statements(words=(said(PAYS), second), providers=2)
        weighed = weigh(statements, BLOCK, prove, POLICY)
        assert closes_alone(statements, weighed, BLOCK, prove, POLICY) is None


def test_by_depth_the_tag_is_not_looked_at() -> None:
    """The configured rule holds for every node."""
    policy = POLICY.model_copy(update={"finality_depth": 5})

    assert not shows_final(said(PAYS, Mark(NUMBER + 4, NUMBER)), BLOCK, policy)
    assert shows_final(said(PAYS, Mark(NUMBER + 5, None)), BLOCK, policy)
    assert not shows_final(said(PAYS, DEEP), FORKED.block, policy)


@pytest.mark.parametrize(
    ("label", "provider"),
    [
        ("polygon-mainnet.g.alchemy.com", "alchemy.com"),
        ("polygon-mainnet.g.alchemy.com#2", "alchemy.com"),
        ("Eth-2.alchemy.com:8443", "alchemy.com"),
        ("a.nodes.example.com.br", "example.com.br"),
        ("rpc.example.co.uk", "example.co.uk"),
        ("rpc.ankr.io", "ankr.io"),
        ("node.polygon.technology", "polygon.technology"),
        ("127.0.0.1:8545", "127.0.0.1:8545"),
        ("[::1]:8545", "[::1]:8545"),
        ("anvil:8545", "anvil:8545"),
        ("fake", "fake"),
    ],
)
def test_the_provider_is_who_runs_the_node(label: str, provider: str) -> None:
    """Two addresses of one provider are one witness; two machines of one's own are two."""
    assert provider_of(label) == provider


def test_nodes_are_asked_by_provider_the_first_one_first() -> None:
    """A provider's own other node stands in for it, and is no second word."""
    labels = ["one.alchemy.com", "rpc.ankr.io", "two.alchemy.com"]

    assert by_provider(labels, first="two.alchemy.com") == [["two.alchemy.com", "one.alchemy.com"], ["rpc.ankr.io"]]


async def test_one_providers_two_nodes_give_one_word() -> None:
    """The second is asked only for what the first left open."""
    chain = FakeChain(nodes=("a.alchemy.com", "b.alchemy.com", "rpc.ankr.io"))
    chain.mine(2)
    block = chain.head
    unknown, silent = Claim(a_receipt(an_attempt(), block).tx_hash, 1), Claim(a_block(1).block_hash, 2)
    chain.said_by("a.alchemy.com").unreadable.add(silent.tx_hash)
    said_of = await Witnesses(chain=chain).hear([unknown, silent], first="rpc.ankr.io", mark=Mark(2, None))
    chain.go_down("b.alchemy.com")
    without = await Witnesses(chain=chain).hear([silent])

    assert [word.node for word in said_of[unknown.tx_hash].words] == ["rpc.ankr.io", "a.alchemy.com"]
    assert [word.node for word in said_of[silent.tx_hash].words] == ["rpc.ankr.io", "b.alchemy.com"]
    assert [word.node for word in without[silent.tx_hash].words] == ["rpc.ankr.io"]
    assert {statements.providers for statements in said_of.values()} == {2}
