"""Troubles that people make: the switch, a setting, a message in a queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from azure.core.exceptions import ResourceExistsError
from azure.storage.queue import QueueClient

from devstack.drill.field import Field
from devstack.drill.trouble import WHY, Trouble, nothing, then_order
from devstack.stack import free_port
from distributor.queue_names import DISTRIBUTIONS, POISON

_UNKNOWN_SECRET: Final = "a-new-secret-that-nobody-announced"  # pragma: allowlist secret  # noqa: S105 -- of a local stack


def _corrected(field: Field) -> None:
    field.serve()


def _with(**changed: str) -> Callable[[Field], None]:
    """Return: run the app with these settings."""
    return lambda field: field.serve(**changed)


def _ordered_before(**changed: str) -> Callable[[Field], None]:
    """Return: an order is taken while payouts are paused, and then the settings change."""

    def make(field: Field) -> None:
        field.do("pause", *WHY)
        field.order()
        field.serve(**changed)
        field.do("resume", *WHY)

    return make


def _waits_while_paused(field: Field) -> None:
    field.serve(ALARM_WAITING_S="4")
    field.do("pause", *WHY)
    field.order()


def _resumed_and_corrected(field: Field) -> None:
    field.do("resume", *WHY)
    field.serve()


def _two_orders(field: Field) -> None:
    field.serve(MAX_DAILY_TOKENS="13")
    field.order()
    field.order()


def _cancel_and_correct(field: Field) -> None:
    for order_id in field.orders:
        field.do("cancel", order_id, *WHY)
    field.serve()


def _whose_secret(field: Field) -> None:
    """Say whose the secret without a source is, as the page does."""
    unknown = [each["secret"] for each in field.ask("shops", "list")["secrets"] if not each["source"]]
    field.do("shops", "same-as", unknown[0], "default", *WHY)


def _tested_in_vain(field: Field) -> None:
    """Nobody listens where the alarms are posted."""
    field.serve(ALARM_WEBHOOK_URL=f"https://127.0.0.1:{free_port()}/", INSIDE_NETWORKS="127.0.0.0/8")
    field.do("alarms", "test", *WHY)


def _poison(field: Field) -> None:
    """Put what is not base64 into the queue, as a person with another tool does."""
    connection = field.services.storage.connection_string
    with QueueClient.from_connection_string(connection, DISTRIBUTIONS + POISON) as queue:
        with suppress(ResourceExistsError):
            queue.create_queue()
        queue.send_message("{not base64}")


BY_PEOPLE: Final[Mapping[str, Trouble]] = {
    "waiting_paused": Trouble(
        summary="Somebody paused the payouts, and an order came.",
        make=then_order(lambda field: field.do("pause", *WHY)),
        heal=lambda field: field.page("waiting_paused"),
    ),
    "waiting_halted": Trouble(
        summary="Somebody halted the payouts, and an order came.",
        make=then_order(lambda field: field.do("halt", *WHY)),
        heal=lambda field: field.do("resume", *WHY),
    ),
    "order_waiting_long": Trouble(
        summary="Payouts are paused, and an order waits for longer than ALARM_WAITING_S.",
        make=_waits_while_paused,
        heal=_resumed_and_corrected,
    ),
    "waiting_daily_cap": Trouble(summary="The day's cap is reached.", make=_two_orders, heal=_corrected),
    "waiting_over_cap": Trouble(
        summary="A cap was lowered below an order that waits.",
        make=_ordered_before(MAX_ORDER_TOKENS="1"),
        heal=_corrected,
    ),
    "waiting_not_configured": Trouble(
        summary="The operator's key is not set.", make=then_order(_with(OPERATOR_PK="")), heal=_corrected
    ),
    "waiting_ledger_foreign": Trouble(
        summary="RESERVE_ADDRESS is another one than the ledger's.",
        make=then_order(_with(RESERVE_ADDRESS="0x00000000000000000000000000000000000000AA")),
        heal=_corrected,
    ),
    "waiting_guard_changed": Trouble(
        summary="GUARD_ADDRESS was changed without `guard adopt`.",
        make=then_order(_with(GUARD_ADDRESS="0x00000000000000000000000000000000000000AA")),
        heal=_corrected,
    ),
    "waiting_decimals_wrong": Trouble(
        summary="TOKEN_DECIMALS is not what the token says.",
        make=then_order(_with(TOKEN_DECIMALS="6")),  # noqa: S106 -- a number
        heal=_cancel_and_correct,
        ends="cancelled",
    ),
    "waiting_shop_unknown": Trouble(
        summary="A shop signs with a secret that the ledger does not know.",
        make=then_order(_with(WEBHOOK_SECRET=_UNKNOWN_SECRET)),
        heal=_whose_secret,
    ),
    "poison_waiting": Trouble(
        summary="A message that no function can decode lies in a poison queue.",
        make=_poison,
        heal=lambda field: field.page("poison_waiting"),
    ),
    "alarm_target_failing": Trouble(
        summary="The address that alarms are posted to does not answer.",
        make=_tested_in_vain,
        heal=_corrected,
    ),
    "alarm_test": Trouble(
        summary="Somebody tests the alarms.", make=lambda field: field.do("alarms", "test", *WHY), heal=nothing
    ),
}
