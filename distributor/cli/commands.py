"""Every command that declares itself."""

from __future__ import annotations

from collections.abc import Sequence

from distributor.cli import alarms, balance, doctor, history, keys, poison, sign, verify
from distributor.cli.declared import Command

COMMANDS: Sequence[Command] = (
    *alarms.COMMANDS,
    *history.COMMANDS,
    *balance.COMMANDS,
    *keys.COMMANDS,
    *verify.COMMANDS,
    *doctor.COMMANDS,
    *sign.COMMANDS,
    *poison.COMMANDS,
)
