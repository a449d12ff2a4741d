"""Chain, history and guard on the nodes that the settings name; nothing is asked of a node yet."""

from __future__ import annotations

from distributor.chain.guard_chain import GuardContract
from distributor.chain.history import ChainHistory
from distributor.chain.new_heads import NewHeads
from distributor.chain.nodes import Nodes
from distributor.chain.polygon import Polygon, nodes_of
from distributor.settings.use_cases import ChainSettings, PayoutSettings
from foundation.clock import Clock


def connect_chain(settings: ChainSettings, clock: Clock) -> Polygon:
    """Return the chain as payouts need it."""
    contracts, nodes = settings.contracts, settings.nodes
    return Polygon(
        nodes.rpc_urls,
        chain_id=contracts.chain_id,
        token=contracts.token,
        authority=contracts.authority,
        reserve=contracts.reserve,
        timeout_s=nodes.rpc_timeout_s,
        clock=clock,
    )


def connect_history(settings: ChainSettings, clock: Clock) -> ChainHistory:
    """Return the reserve's past."""
    contracts = settings.contracts
    return ChainHistory(_nodes(settings, clock), token=contracts.token, reserve=contracts.reserve)


def connect_guard(settings: ChainSettings, chain: Polygon) -> GuardContract:
    """
    Return the guard contract on the nodes of *chain*, which closes them; where none is set, for those that there were.

    On the same nodes: what is asked of both side by side is one request.
    """
    contracts = settings.contracts
    return GuardContract(chain.connections, guard=contracts.guard, authority=contracts.authority)


def connect_new_heads(settings: PayoutSettings) -> NewHeads:
    """Return what ends a pause of settlement at the block, where an address of RPC_URL announces blocks."""
    nodes = settings.nodes
    return NewHeads(nodes.head_urls, block_time_s=settings.lane.block_time_s, timeout_s=nodes.rpc_timeout_s)


def _nodes(settings: ChainSettings, clock: Clock) -> Nodes:
    nodes, chain_id = settings.nodes, settings.contracts.chain_id
    return nodes_of(nodes.rpc_urls, chain_id=chain_id, timeout_s=nodes.rpc_timeout_s, clock=clock)
