"""
What the body of a WooCommerce webhook means: an order to pay, or the reason why it pays nothing.

The body is the order of WooCommerce's REST interface, version 3, as it is when it is delivered:
a snapshot, and not what happened. The same order comes many times and under several topics, and an
order that was just created may be paid already. So nothing here asks for a topic, which is not
signed either; an order is paid when its body shows a status that is paid.

Source: https://github.com/woocommerce/woocommerce/blob/trunk/plugins/woocommerce/includes/class-wc-webhook.php
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from distributor.errors import MalformedOrder, UnpayableOrder
from distributor.model import Order
from distributor.settings.chain import ContractSettings
from distributor.settings.shops import WooCommerceSettings
from distributor.units import TokenUnits, token_units_at
from distributor.webhook.json_body import Number, read_object
from distributor.webhook.orders import decimal_of, exact_units, fingerprint_of, one_line, payable_order, wallet_of
from distributor.webhook.refunds import before, kept, refunds_of
from distributor.webhook.signature_schemes import is_signed
from foundation.clock import UnixMs
from foundation.errors import ConfigurationError, Rejected

TIPO = "woocommerce"
NOTHING = TokenUnits(0)

_ORDERS_OWN = frozenset({"total", "currency", "line_items", "order_key"})
"""Every order has these; a product or a coupon, which have a status too, has none of them."""
_ID = re.compile(r"[1-9][0-9]{0,19}")
# The whole body, form-encoded: WC_Webhook::deliver_ping.
_PING = re.compile(rb"webhook_id=[0-9]{1,20}")


class NotPaidKind(StrEnum):
    """What becomes of a rightly signed body that pays nothing."""

    IGNORED = "ignored"
    """Nothing is owed by it, and nobody has to look."""
    UNPAYABLE = "unpayable"
    """It should be paid and cannot be; a person looks."""
    CONFLICT = "conflict"
    """The order is known with another wallet or amount; the first content is kept, and an operator looks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NotPaid:
    """Why a rightly signed body pays nothing: a stable word for programs, a sentence for people."""

    verdict: NotPaidKind
    reason: str
    detail: str
    order_id: str = ""
    """Empty where the body names none."""


@dataclass(frozen=True, slots=True)
class AmountInMeta:
    """The shop wrote into a custom field of the order how many tokens it pays."""

    key: str


@dataclass(frozen=True, slots=True)
class AmountByRate:
    """Each unit of the order's total is worth so many tokens."""

    tokens_per_unit: Decimal


def amount_of(rules: WooCommerceSettings) -> AmountInMeta | AmountByRate:
    """Return where an order's amount comes from. ConfigurationError: nothing says it, so no order can be paid."""
    if rules.amount_meta is not None:
        return AmountInMeta(rules.amount_meta)
    if rules.tokens_per_unit is not None:
        return AmountByRate(rules.tokens_per_unit)
    raise ConfigurationError("WOO_AMOUNT_META or WOO_TOKENS_PER_UNIT must be set to pay orders of WooCommerce")


def is_ping(headers: Mapping[str, str], body: bytes) -> bool:
    """
    Tell whether this is the ping that WooCommerce sends when a webhook is saved.

    It is not signed and wants exactly 200. So it is answered alike whether or not anything is
    configured, nothing is done for it, and it teaches nobody anything.
    """
    return _PING.fullmatch(body) is not None and not is_signed(headers)


def read_order(
    body: bytes, source: str, payment_rules: ContractSettings, rules: WooCommerceSettings, now: UnixMs
) -> Order | NotPaid:
    """
    Return the order that *source* signed, or why its body pays nothing. Total: it never raises.

    What may be paid and cannot be read is unpayable, not ignored: somebody waits for tokens.
    """
    try:
        fields = read_object(body)
    except MalformedOrder as error:
        return unpayable(error)
    status = fields.get("status")
    if not isinstance(status, str):
        return _ignored("not_an_order", "The body shows no order: another topic, or an order that was deleted.")
    order_id = _order_id(fields)
    if status not in rules.paid_statuses and not _ORDERS_OWN & fields.keys():
        return _ignored("not_an_order", "The body shows no order: a product, a coupon or another topic.")
    if status not in rules.paid_statuses:
        return _ignored("status_not_paid", "The order is in no status of WOO_PAID_STATUSES.", order_id)
    try:
        return _order(fields, order_id, source=source, payment_rules=payment_rules, rules=rules, now=now)
    except Rejected as error:
        return unpayable(error, order_id)


def fingerprints_before_refunds(
    body: bytes, order: Order, payment_rules: ContractSettings, rules: WooCommerceSettings
) -> frozenset[str]:
    """
    Return the fingerprints that *order*, read out of *body*, had before each of its refunds.

    An order is refunded after it was paid, and is delivered again: it is the same order, with less to pay.
    """
    amount, fields = amount_of(rules), read_object(body)
    if isinstance(amount, AmountInMeta):
        return frozenset()
    earlier = [
        _worth(left, amount.tokens_per_unit, payment_rules.decimals)
        for left in before(_total(fields), refunds_of(fields))
    ]
    return frozenset(fingerprint_of(payment_rules, order.wallet, units, order.tipo) for units in earlier)


def unpayable(error: Rejected, order_id: str = "") -> NotPaid:
    """Return that an order should be paid and cannot be, in the words of *error*."""
    return NotPaid(verdict=NotPaidKind.UNPAYABLE, reason=error.code, detail=str(error), order_id=order_id)


def _ignored(reason: str, detail: str, order_id: str = "") -> NotPaid:
    return NotPaid(verdict=NotPaidKind.IGNORED, reason=reason, detail=detail, order_id=order_id)


def _order(
    fields: Mapping[str, Any],
    order_id: str,
    *,
    source: str,
    payment_rules: ContractSettings,
    rules: WooCommerceSettings,
    now: UnixMs,
) -> Order | NotPaid:
    if _is_part(fields):
        return _part(order_id, promised=_promised(fields, rules))
    wallet = _meta(fields, rules.wallet_meta)
    if wallet is None and not _promised(fields, rules):
        return _ignored("no_wallet", f"The order has no custom field {rules.wallet_meta}.", order_id)
    _check_currency(fields, rules)
    amount_units = _amount_units(fields, rules, payment_rules.decimals)
    if amount_units == NOTHING:
        return _ignored("nothing_to_pay", "The order is worth no tokens.", order_id)
    if wallet is None:
        raise MalformedOrder(f"The order has no custom field {rules.wallet_meta}.", code="no_wallet")
    if not order_id:
        raise MalformedOrder("id must be the order's number in the shop, a JSON integer.", code="bad_order_id")
    return payable_order(
        source=source,
        order_id=order_id,
        wallet=wallet_of(rules.wallet_meta, wallet),
        amount_units=amount_units,
        tipo=TIPO,
        reason=_reason(fields, order_id),
        payment_rules=payment_rules,
        now=now,
    )


def _part(order_id: str, *, promised: bool) -> NotPaid:
    """
    Return why a part of an order pays nothing. Raises UnpayableOrder where an amount is *promised* for it.

    A marketplace completes the customer's order and each vendor's part of it, and WooCommerce delivers all of them:
    paid by the rate, the same money would be paid twice.
    """
    why = "The order is a part of another one, which is the one that is paid."
    if promised:
        raise UnpayableOrder(why, code="part_of_order")
    return _ignored("part_of_order", why, order_id)


# The fields --------------------------------------------------------------------------------------


def _order_id(fields: Mapping[str, Any]) -> str:
    """Return the order's number in the shop's database as text; empty where there is none."""
    value = fields.get("id")
    return value.text if isinstance(value, Number) and _ID.fullmatch(value.text) else ""


def _is_part(fields: Mapping[str, Any]) -> bool:
    """Tell whether the body names the order that this one is a part of; WooCommerce writes 0 for none."""
    value = fields.get("parent_id")
    return isinstance(value, Number) and _ID.fullmatch(value.text) is not None


def _reason(fields: Mapping[str, Any], order_id: str) -> str:
    """Name the order as the customer knows it: shops number orders for people in their own ways."""
    number = fields.get("number")
    shown = number if isinstance(number, str) and number.strip() else order_id
    # Half a character must not stop a payment for a text that decides nothing.
    return one_line(f"Order #{shown.encode(errors='replace').decode()}")


def _promised(fields: Mapping[str, Any], rules: WooCommerceSettings) -> bool:
    """Tell whether the shop wrote an amount for this very order: a rate holds for orders of any customer."""
    amount = amount_of(rules)
    return isinstance(amount, AmountInMeta) and _meta(fields, amount.key) is not None


def _check_currency(fields: Mapping[str, Any], rules: WooCommerceSettings) -> None:
    if rules.currency is not None and fields.get("currency") != rules.currency:
        raise UnpayableOrder(f"The order is not in {rules.currency}.", code="wrong_currency")


def _amount_units(fields: Mapping[str, Any], rules: WooCommerceSettings, decimals: int) -> TokenUnits:
    amount = amount_of(rules)
    if isinstance(amount, AmountInMeta):
        return _written(amount.key, _meta(fields, amount.key), decimals)
    return _worth(kept(_total(fields), refunds_of(fields)), amount.tokens_per_unit, decimals)


def _written(key: str, value: Any, decimals: int) -> TokenUnits:
    """Return the tokens in a custom field, exactly as the shop wrote them; 0 is nothing to pay."""
    if value is None:
        raise MalformedOrder(f"The order has no custom field {key}.", code="no_amount")
    return exact_units(key, value, decimals) if decimal_of(key, value) else NOTHING


def _total(fields: Mapping[str, Any]) -> Decimal:
    total = decimal_of("total", fields.get("total"))
    if total < 0:
        raise UnpayableOrder("total must not be below 0.", code="amount_not_positive")
    return total


def _worth(total: Decimal, tokens_per_unit: Decimal, decimals: int) -> TokenUnits:
    """Return what is left of the order's total at the rate, rounded down to the token's smallest unit."""
    try:
        return token_units_at(tokens_per_unit, total, decimals)
    except ValueError:
        raise UnpayableOrder("total is worth more than any token amount can be.", code="amount_too_large") from None


def _meta(fields: Mapping[str, Any], key: str) -> Any | None:
    """
    Return the value of a custom field; None where it is missing or empty.

    A field given twice with one value is one field. With two values nobody can tell which counts, and
    MalformedOrder is raised: WordPress keeps any number of values under a key.
    """
    values = [value for value in map(_trimmed, _entries(fields, key)) if value not in (None, "")]
    if any(value != values[0] for value in values):
        raise MalformedOrder(f"The order has several custom fields {key}, and they differ.", code="meta_differs")
    return values[0] if values else None


def _entries(fields: Mapping[str, Any], key: str) -> list[Any]:
    """Return every value under *key*. PHP writes a list from which an item was removed as an object."""
    meta = fields.get("meta_data", [])
    entries = list(meta.values()) if isinstance(meta, dict) else meta
    if not isinstance(entries, list):
        raise MalformedOrder("meta_data must be a list of custom fields.", code="bad_meta_data")
    return [entry.get("value") for entry in entries if isinstance(entry, dict) and entry.get("key") == key]


def _trimmed(value: Any) -> Any:
    """Drop the spaces around what a customer pasted."""
    return value.strip() if isinstance(value, str) else value
