"""Every command, in the order of the list that ``--help`` shows."""

from __future__ import annotations

from collections.abc import Sequence

from distributor.cli import (
    adopt,
    alarms,
    approve,
    backup,
    balance,
    call_backs,
    chain,
    corrections,
    deploy_guard,
    doctor,
    guard,
    history,
    init,
    keys,
    nonces,
    operators,
    order_list,
    orders,
    pause,
    pay_file,
    poison,
    shops,
    show,
    sign,
    sign_out,
    verify,
)
from distributor.cli.declared import Command

COMMANDS: Sequence[Command] = (
    *show.COMMANDS,
    *alarms.COMMANDS,
    *orders.COMMANDS,
    *approve.COMMANDS,
    *order_list.COMMANDS,
    *pay_file.COMMANDS,
    *history.COMMANDS,
    *pause.COMMANDS,
    *balance.COMMANDS,
    *keys.COMMANDS,
    *verify.COMMANDS,
    *chain.COMMANDS,
    *backup.COMMANDS,
    *nonces.COMMANDS,
    *corrections.COMMANDS,
    *operators.COMMANDS,
    *deploy_guard.COMMANDS,
    *guard.COMMANDS,
    *adopt.COMMANDS,
    *shops.COMMANDS,
    *call_backs.COMMANDS,
    *doctor.COMMANDS,
    *sign.COMMANDS,
    *sign_out.COMMANDS,
    *poison.COMMANDS,
    *init.COMMANDS,
)
