"""What a node says to calls that are only tried: each is a gas figure, a refusal by the contract, or unknown."""

from __future__ import annotations

from collections.abc import Sequence

from distributor.chain.node import Node
from distributor.chain.node_errors import INVALID_PARAMS
from distributor.chain.reverts import decode_revert
from distributor.chain.rpc_requests import estimates
from distributor.chain.rpc_responses import FAILED, INCOMPLETE, NodeError, NodeUnavailable, RpcResponses, read_quantity
from distributor.chain_types import Call, Simulation
from distributor.model import Address


async def read_simulations(node: Node, operator: Address, calls: Sequence[Call]) -> Sequence[Simulation]:
    """
    Try *calls* on *node*, each alone; with the call as the only parameter where the node takes no block beside it.

    Raises:
        NodeUnavailable: The node can say of none of them.
    """
    answers = await node.ask(estimates(operator, calls))
    names = [f"call:{at}" for at in range(len(calls))]
    if any(_takes_one_parameter(answers, name) for name in names):
        answers = await node.ask(estimates(operator, calls, at_block=False))
    return said_of_some([_simulation(answers, name) for name in names], answers, names[0])


def _takes_one_parameter(answers: RpcResponses, name: str) -> bool:
    """Say whether the node refused the block beside the call: some take the call alone, and mean the latest."""
    said = answers.outcome(name)
    return isinstance(said, NodeError) and said.code == INVALID_PARAMS and not said.is_revert


def said_of_some(simulations: Sequence[Simulation], answers: RpcResponses, first: str) -> Sequence[Simulation]:
    """
    Return *simulations*. Raises NodeUnavailable when the node can say of none, with its word on the *first* call.

    A node that can say of some is not sick: the others harm themselves alone.
    """
    if simulations and all(simulation.unknown for simulation in simulations):
        said = answers.outcome(first)
        raise said.as_unavailable() if isinstance(said, NodeError) else NodeUnavailable(INCOMPLETE, "a simulated call")
    return simulations


def _simulation(answers: RpcResponses, name: str) -> Simulation:
    """Return gas or revert; an error that is no revert says nothing about the call."""
    said = answers.outcome(name)
    if isinstance(said, NodeError):
        revert = decode_revert(said.data, said.text) if said.is_revert else None
        return Simulation(revert=revert, unknown="" if revert else said.text or FAILED)
    try:
        return Simulation(gas=read_quantity(answers.required(name)))
    except NodeUnavailable as trouble:
        return Simulation(unknown=str(trouble))
