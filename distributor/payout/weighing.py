"""
Two words that agree: what is asked of a second node before anything is done that cannot be undone.

1. The first node shows a receipt that the chain never had: with one word the order is called paid, and is not.
2. The first node shows a receipt without the transfer in it: with one word the order is held, gets another nonce,
   and is paid again.

So a transaction closes on two equal words of two providers: block, hash at its number, status and transfers. Each
must show by its own mark that the block is final; a second node that shows the same receipt and not its depth
would let one liar close what a reorganisation takes back. A word that is unlike the others forbids a release, and
whatever two others agree on may only be a payment.

Pure; ``witnesses`` asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from distributor.chain_types import Block, GuardEvent, Receipt, Transfer, Word
from distributor.model import Hash
from distributor.payout import lifecycle
from distributor.settings.chain import SettlementSettings

ENOUGH = 2
"""Equal words that close a transaction, where as many providers are configured."""

Essence = tuple[Block, bool, tuple[Transfer, ...], tuple[GuardEvent, ...], Hash | None] | None
"""What two words must have in common, the hash at the height among it; None for "in no block"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """What closing a transaction by one receipt would do."""

    releases: bool
    """Whether any of its orders loses its nonce unpaid."""
    beyond: int = 0
    """Blocks on top, beyond finality, that it needs for that."""


EffectOf = Callable[[Receipt], Effect]


class Opinion(StrEnum):
    """What the words say together."""

    AGREED = "agreed"
    EARLY = "early"
    """Equal words, and not every node that must shows the block as final: look again."""
    SILENT = "silent"
    """One word alone, though nodes of another provider are configured."""
    UNEQUAL = "unequal"


@dataclass(frozen=True, kw_only=True, slots=True)
class Statements:
    """What was said of one transaction in one turn: at most one word of each provider."""

    words: tuple[Word, ...] = ()
    providers: int
    """How many are configured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighed:
    """The opinion, the receipt it is about, and how many words stand behind it."""

    opinion: Opinion
    receipt: Receipt | None = None
    witnesses: int = 0


def weigh(
    statements: Statements, block: Block, effect_of: EffectOf, policy: SettlementSettings, *, distrusted: bool = False
) -> Weighed:
    """
    Return what the words say together of a transaction that is mined in *block*.

    Args:
        statements: The words; each of another provider.
        block: Where it was mined, as its row or the first node says.
        effect_of: Says what closing by a receipt would do.
        policy: When a node shows a block as final.
        distrusted: The word of the only provider is not enough: its node contradicted itself.
    """
    agreed = _largest([word for word in statements.words if _stands(word, block)])
    unlike = len({_essence(word) for word in statements.words}) > 1
    if len(agreed) < ENOUGH:
        return _without_second(statements, agreed, block, effect_of, policy, unlike=unlike, distrusted=distrusted)
    receipt = _receipt(agreed)
    effect = effect_of(receipt)
    if not effect.releases:
        final = [word for word in agreed if shows_final(word, block, policy)]
        return _agreed(receipt, final) if len(final) >= ENOUGH else Weighed(opinion=Opinion.EARLY, receipt=receipt)
    if unlike:
        return Weighed(opinion=Opinion.UNEQUAL, receipt=receipt)
    deep = all(shows_final(word, block, policy, beyond=effect.beyond) for word in agreed)
    return _agreed(receipt, agreed) if deep else Weighed(opinion=Opinion.EARLY, receipt=receipt)


def _without_second(
    statements: Statements,
    agreed: Sequence[Word],
    block: Block,
    effect_of: EffectOf,
    policy: SettlementSettings,
    *,
    unlike: bool,
    distrusted: bool,
) -> Weighed:
    if unlike:
        return Weighed(opinion=Opinion.UNEQUAL)
    if not agreed:
        # Nothing was said, or all say that it is not in that block any more: the next turn decides anew.
        return Weighed(opinion=Opinion.EARLY if statements.words else Opinion.SILENT)
    receipt = _receipt(agreed)
    if statements.providers > 1:
        return Weighed(opinion=Opinion.SILENT, receipt=receipt, witnesses=1)
    final = shows_final(agreed[0], block, policy, beyond=effect_of(receipt).beyond) and not distrusted
    return _agreed(receipt, agreed) if final else Weighed(opinion=Opinion.EARLY, receipt=receipt)


def closes_alone(
    statements: Statements, weighed: Weighed, block: Block, effect_of: EffectOf, policy: SettlementSettings
) -> Receipt | None:
    """
    Return the receipt by which one word may close a payment whose second one has not come for long.

    Only a payment, and only once its block is as deep as for a release: nothing is released on one word.
    """
    if weighed.opinion is not Opinion.SILENT or weighed.receipt is None or effect_of(weighed.receipt).releases:
        return None
    (word,) = statements.words
    return weighed.receipt if shows_final(word, block, policy, beyond=policy.release_confirmations) else None


def agree(statements: Statements) -> bool:
    """Say whether two providers say the same, or the only one configured says anything."""
    enough = min(ENOUGH, statements.providers)
    return len(statements.words) >= enough and len({_essence(word) for word in statements.words}) == 1


def contradicts(statements: Statements, block: Block, effect_of: EffectOf) -> bool:
    """Say whether any word does not show the payment that was closed in *block*, there."""
    return any(not _stands(word, block) or _leaves_unpaid(word, effect_of) for word in statements.words)


def _leaves_unpaid(word: Word, effect_of: EffectOf) -> bool:
    return word.receipt is not None and effect_of(word.receipt).releases


def shows_final(word: Word, block: Block, policy: SettlementSettings, *, beyond: int = 0) -> bool:
    """
    Say whether the node of *word* itself shows *block* as final, *beyond* more blocks on top.

    By the configured rule. A node that has no ``finalized`` tag shows it by depth alone, and only by that of
    a release: it must not fall behind the others for want of a tag, nor be believed sooner than they are.
    """
    if word.canonical != block.block_hash:
        return False
    if policy.finality_depth is None and word.mark.finalized_number is None:
        least = max(beyond, policy.release_confirmations)
        return word.mark.head_number - block.number >= policy.min_confirmations + least
    return lifecycle.is_deep(block.number, word.mark, policy, beyond=beyond)


def _largest(words: Sequence[Word]) -> Sequence[Word]:
    """Return the most words that are equal; of as many, those that were heard first."""
    groups = dict[Essence, list[Word]]()
    for word in words:
        groups.setdefault(_essence(word), []).append(word)
    return max(groups.values(), key=len, default=[])


def _essence(word: Word) -> Essence:
    receipt = word.receipt
    return (
        None
        if receipt is None
        else (receipt.block, receipt.succeeded, receipt.transfers, receipt.guard_events, word.canonical)
    )


def _stands(word: Word, block: Block) -> bool:
    """Say whether the word is about that very block, and the node has it at its number."""
    return word.receipt is not None and word.receipt.block == block and word.canonical == block.block_hash


def _receipt(words: Sequence[Word]) -> Receipt:
    return next(word.receipt for word in words if word.receipt is not None)


def _agreed(receipt: Receipt, words: Sequence[Word]) -> Weighed:
    return Weighed(opinion=Opinion.AGREED, receipt=receipt, witnesses=len(words))
