"""What the providers of nodes say of a transaction, each asked by itself; ``weighing`` says what their words mean."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from distributor.chain_types import ChainSnapshot, Claim, Mark, Receipt, Word
from distributor.errors import ChainUnavailable, WrongChain
from distributor.model import Hash
from distributor.payout.lifecycle import is_deep
from distributor.payout.weighing import ENOUGH, Effect, Opinion, Statements, Weighed, agree, weigh
from distributor.ports import Chain
from distributor.settings.chain import SettlementSettings

_COUNTRY_CODE = 2
_SECOND_LEVEL_MAX = 3
"""Letters of a label like ``co`` in ``co.uk`` or ``com`` in ``com.br``."""


class TooEarly(StrEnum):
    """Why nothing may be concluded from a transaction."""

    NOT_FINAL = "not_final"
    NODES_DISAGREE = "nodes_disagree"


@dataclass(frozen=True, kw_only=True)
class Witnesses:
    """Ask every provider for its word. Never raises for a node's trouble: who does not answer says nothing."""

    chain: Chain

    async def hear(
        self, claims: Sequence[Claim], *, first: str = "", mark: Mark | None = None
    ) -> Mapping[Hash, Statements]:
        """
        Return what the providers say of each claim, the one of the node *first* before the others.

        *mark* is what that node has just shown; the claims are asked for after it, in a request of their own.
        """
        providers = by_provider(self.chain.nodes, first=first)
        replies = await asyncio.gather(*(self._provider(nodes, claims, first, mark) for nodes in providers))
        return {
            claim.tx_hash: Statements(
                words=tuple(said[claim.tx_hash] for said in replies if claim.tx_hash in said),
                providers=len(providers),
            )
            for claim in claims
        }

    async def final_receipt(self, tx_hash: Hash, policy: SettlementSettings, *, release: bool) -> Receipt | TooEarly:
        """
        Return the receipt of *tx_hash* once it can be relied on: final, and the same to two providers.

        Args:
            tx_hash: The transaction.
            policy: When something is final.
            release: Whether something gets another nonce by it: then its block must be ``RELEASE_CONFIRMATIONS``
                deeper than final.

        Raises:
            ChainUnavailable: No node answers.
        """
        snapshot = await self.chain.snapshot([], [tx_hash], [])
        first = snapshot.receipts.get(tx_hash)
        beyond = policy.release_confirmations if release else 0
        if first is None or not is_deep(first.block.number, snapshot.mark, policy, beyond=beyond):
            return TooEarly.NOT_FINAL
        effect = Effect(releases=release, beyond=beyond)
        said = await self._said_of(first, snapshot)
        match weigh(said, first.block, lambda _: effect, policy):
            case Weighed(opinion=Opinion.AGREED, receipt=Receipt() as receipt):
                return receipt
            case Weighed(opinion=Opinion.EARLY):
                return TooEarly.NOT_FINAL
            case _:
                return TooEarly.NODES_DISAGREE

    async def agree_on(self, receipt: Receipt, snapshot: ChainSnapshot) -> bool:
        """Say whether a second provider shows *receipt* too. Silence is no agreement: the next look asks again."""
        return agree(await self._said_of(receipt, snapshot))

    async def _said_of(self, receipt: Receipt, snapshot: ChainSnapshot) -> Statements:
        claim = Claim(receipt.tx_hash, receipt.block.number)
        return (await self.hear([claim], first=snapshot.node, mark=snapshot.mark))[receipt.tx_hash]

    async def _provider(
        self, nodes: Sequence[str], claims: Sequence[Claim], first: str, mark: Mark | None
    ) -> Mapping[Hash, Word]:
        """Ask one provider's nodes, each for what the ones before it left open."""
        said = dict[Hash, Word]()
        for node in nodes:
            left = [claim for claim in claims if claim.tx_hash not in said]
            if left:
                said |= await self._node(node, left, mark if node == first else None)
        return said

    async def _node(self, node: str, claims: Sequence[Claim], mark: Mark | None) -> Mapping[Hash, Word]:
        try:
            return await self.chain.words(claims, node=node, mark=mark)
        except (ChainUnavailable, WrongChain):
            return {}


def provider_of(label: str) -> str:
    """Return who runs the node of that label: two addresses of one provider are one witness."""
    host, name = label.partition("#")[0], label.partition("#")[0].partition(":")[0]
    parts = name.lower().split(".")
    if len(parts) == 1 or _is_ip(name):
        return host
    nested = len(parts[-1]) == _COUNTRY_CODE and len(parts[-2]) <= _SECOND_LEVEL_MAX
    return ".".join(parts[-3:] if nested else parts[-2:])


def by_provider(labels: Sequence[str], *, first: str = "") -> Sequence[Sequence[str]]:
    """Return the nodes of each provider, the provider of *first* before the others and *first* before its own."""
    grouped = dict[str, list[str]]()
    for label in sorted(labels, key=lambda label: label != first):
        grouped.setdefault(provider_of(label), []).append(label)
    return list(grouped.values())


def are_enough(heard: Iterable[str], configured: Iterable[str]) -> bool:
    """Say whether the nodes *heard* are of as many providers as must agree, of those *configured*."""
    return len(set(map(provider_of, heard))) >= min(ENOUGH, len(set(map(provider_of, configured))))


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name.startswith("[")
    return True
