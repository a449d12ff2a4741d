"""A distribution over any ports: its lanes, which share all but their signer and name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from distributor.ledger import Ledger
from distributor.payout.distribution import Distribution
from distributor.payout.lane import OperatorLane
from distributor.ports import Alarms, Signer
from distributor.settings.lanes import lane_setting
from foundation.clock import Clock


def a_distribution(
    ledger: Ledger, alarms: Alarms, clock: Clock, signers: Mapping[str, Signer], *, holder: str, **shared: Any
) -> Distribution:
    """Return a distribution with a lane for each of *signers*, by name; *shared* is what every lane is given."""
    configured = frozenset(signer.address for signer in signers.values())
    shared = {"configured": configured, **shared, "ledger": ledger, "alarms": alarms, "clock": clock}
    lanes = [
        OperatorLane(signer=signer, name=name, setting=lane_setting("OPERATOR_PK", name), **shared)
        for name, signer in signers.items()
    ]
    return Distribution(ledger=ledger, alarms=alarms, clock=clock, lanes=lanes, holder=holder)


def with_lanes(distribution: Distribution, **changes: Any) -> Distribution:
    """Return *distribution* with *changes* in each of its lanes."""
    return replace(distribution, lanes=[replace(lane, **changes) for lane in distribution.lanes])
