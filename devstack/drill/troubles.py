"""The troubles that can be drilled, by the heading of the runbook that is about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from devstack.drill.by_people import BY_PEOPLE
from devstack.drill.held import HELD
from devstack.drill.in_flight import IN_FLIGHT
from devstack.drill.on_chain import ON_CHAIN
from devstack.drill.trouble import Trouble

SETTINGS: Final = {
    "ALARM_OPEN_S": "4",
    "RPC_TIMEOUT_S": "2",
    "LOW_RESERVE_TOKENS": "1000",
    "LOW_ALLOWANCE_TOKENS": "1000",
}
"""What a drill has no eight minutes for, and thresholds that are off at first."""

TROUBLES: Final[Mapping[str, Trouble]] = {**ON_CHAIN, **IN_FLIGHT, **HELD, **BY_PEOPLE}
