"""What the nodes' pools hold of the operators, as far as two counts tell; only ever a reason to stop."""

from __future__ import annotations

from collections.abc import Sequence

from distributor.chain.node import Node
from distributor.chain.nodes import Nodes
from distributor.chain.rpc_requests import Batch
from distributor.chain.rpc_responses import RpcResponses, read_quantity
from distributor.chain_types import Counts, PoolView
from distributor.model import Address


async def read_pool_views(nodes: Nodes, operators: Sequence[Address]) -> Sequence[PoolView]:
    """Ask every healthy node in one batch each. Raises as ``Nodes.read`` when none of them can say."""
    batch: Batch = {
        f"{which}:{operator}": ("eth_getTransactionCount", [operator, which])
        for operator in operators
        for which in ("latest", "pending")
    }

    async def read(node: Node) -> PoolView:
        answers = await node.ask(batch)
        return PoolView(node=node.label, counts={operator: _counts(answers, operator) for operator in operators})

    views = [view for _, view in await nodes.read_all(read) if isinstance(view, PoolView)]
    if not views:
        raise nodes.silence()
    return views


def _counts(answers: RpcResponses, operator: Address) -> Counts:
    latest, pending = (read_quantity(answers.required(f"{which}:{operator}")) for which in ("latest", "pending"))
    return Counts(latest, pending)
