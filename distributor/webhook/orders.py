"""
Read an order out of a signed body: what is asked, exactly as it was written, or a refusal that says why.

Nothing is guessed and nothing is rounded. What nobody could read is malformed; what can be read but
must never be paid is unpayable. The rules for every order, whatever format its body has, are public here.

Fields the app does not know are ignored: a shop's plug-in may add some at any update, the
signature covers them all, and a payment must not stop for one that changes nothing in it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

from distributor.addresses import WrongChecksum, parse_address
from distributor.errors import MalformedOrder, UnpayableOrder
from distributor.model import Address, Order
from distributor.order_ids import ORDER_ID, ref_id
from distributor.settings.chain import ContractSettings
from distributor.units import TokenUnits, TooManyDecimals, token_units
from distributor.webhook.json_body import Number, read_object
from foundation.clock import UnixMs
from foundation.invisible import without_invisible

DEFAULT_TIPO = "distribuicao"
TIPO_CHARACTERS = 64
REASON_BYTES = 64
SYSTEM_ADDRESSES_MAX = 0xFFFF
"""The zero address, the precompiled contracts (EIP-7587 keeps 0x01 to 0x1ff) and Bor's system contracts (0x1010)."""
AMOUNT_CHARACTERS = 100
"""More than any amount a uint256 can hold needs, with all its decimals."""

_INTEGER = re.compile(r"[0-9]+")
# JSON's own number, for a JSON number and for a text alike: no plus sign, no spaces, no leading
# zeros, no bare point. PHP writes large floats as 1.0e+25; an exponent of three digits is no amount.
_AMOUNT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?")
# Control characters and the two line separators; a block explorer and a log must show one line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def is_forbidden(wallet: Address, payment_rules: ContractSettings) -> bool:
    """Say whether tokens sent to *wallet* would be lost, or would only come back: no customer has it."""
    ours = (payment_rules.token, payment_rules.authority, payment_rules.reserve, payment_rules.guard)
    return wallet in ours or int(wallet, 16) <= SYSTEM_ADDRESSES_MAX


def parse(body: bytes, source: str, payment_rules: ContractSettings, now: UnixMs) -> Order:
    """
    Return the order that *source* signed.

    Raises:
        MalformedOrder: The body is not an order; the code and the sentence name the field.
        UnpayableOrder: It is an order, but it can never be paid.
    """
    fields = read_object(body)
    tipo = tipo_of(fields)
    return payable_order(
        source=source,
        order_id=_order_id(fields),
        wallet=_wallet(fields),
        amount_units=exact_units("amount", _required(fields, "amount"), payment_rules.decimals),
        tipo=tipo,
        reason=_line(fields, "reason") or f"{tipo} - BALLX",
        payment_rules=payment_rules,
        now=now,
    )


def payable_order(
    *,
    source: str,
    order_id: str,
    wallet: Address,
    amount_units: TokenUnits,
    tipo: str,
    reason: str,
    payment_rules: ContractSettings,
    now: UnixMs,
) -> Order:
    """Return a new order, with all that follows from its parts. UnpayableOrder: nobody may be paid at that wallet."""
    if is_forbidden(wallet, payment_rules):
        raise UnpayableOrder(
            "wallet must not be the zero address, a precompiled contract, the token, the authority, the guard or the "
            "reserve.",
            code="wallet_forbidden",
        )
    return Order(
        source=source,
        order_id=order_id,
        wallet=wallet,
        amount_units=amount_units,
        tipo=tipo,
        reason=_cut(without_invisible(reason).strip() or f"{tipo} - BALLX", REASON_BYTES),
        ref_id=ref_id(source, order_id),
        fingerprint=fingerprint_of(payment_rules, wallet, amount_units, tipo),
        received_ms=now,
        updated_ms=now,
    )


# The fields --------------------------------------------------------------------------------------


def _order_id(fields: Mapping[str, Any]) -> str:
    value = _required(fields, "order_id")
    text = value.text if isinstance(value, Number) and _INTEGER.fullmatch(value.text) else value
    if not isinstance(text, str) or not ORDER_ID.fullmatch(text):
        raise MalformedOrder(
            "order_id must be 1 to 64 of the characters A-Z a-z 0-9 . _ - and begin with a letter or digit,"
            " or be a JSON integer.",
            code="bad_order_id",
        )
    return text


def _wallet(fields: Mapping[str, Any]) -> Address:
    named = {name: wallet_of(name, fields[name]) for name in ("wallet", "wallet_address") if name in fields}
    if len(set(named.values())) > 1:
        raise MalformedOrder("wallet and wallet_address differ: send one of them.", code="wallet_conflict")
    return next(iter(named.values())) if named else _missing("wallet")


def wallet_of(name: str, value: Any) -> Address:
    """
    Return the address that field *name* holds.

    Raises MalformedOrder if it is not an address, UnpayableOrder if its checksum is wrong.
    """
    try:
        return parse_address(text_of(name, value, code="bad_wallet"))
    except WrongChecksum as error:
        raise UnpayableOrder(f"{name} {error}.", code="wallet_checksum") from None
    except ValueError as error:
        raise MalformedOrder(f"{name} {error}.", code="bad_wallet") from None


def exact_units(name: str, value: Any, decimals: int) -> TokenUnits:
    """
    Return the tokens that field *name* holds, in smallest units and more than 0.

    Raises:
        MalformedOrder: It is no number.
        UnpayableOrder: Not more than 0, finer than the token, or beyond what a token can count.
    """
    amount = decimal_of(name, value)
    if amount <= 0:
        raise UnpayableOrder(f"{name} must be more than 0.", code="amount_not_positive")
    try:
        return token_units(amount, decimals)
    except TooManyDecimals:
        raise UnpayableOrder(
            f"{name} has more than the token's {decimals} decimals; it is never rounded.", code="too_many_decimals"
        ) from None
    except ValueError:
        raise UnpayableOrder(f"{name} is larger than any token amount can be.", code="amount_too_large") from None


def decimal_of(name: str, value: Any) -> Decimal:
    """Return the number that field *name* holds, as a text or a JSON number, exactly as written. MalformedOrder."""
    text = value.text if isinstance(value, Number) else value
    if isinstance(text, str) and "," in text:
        raise MalformedOrder(
            f'{name} has a comma: write the decimal point as ".", as in "10.5", and nothing between thousands.',
            code="bad_amount",
        )
    if not isinstance(text, str) or len(text) > AMOUNT_CHARACTERS or not _AMOUNT.fullmatch(text):
        raise MalformedOrder(
            f'{name} must be a decimal number, such as "10.5": digits with an optional point,'
            " an exponent of two digits at most, no spaces and no plus sign.",
            code="bad_amount",
        )
    return Decimal(text)


def tipo_of(fields: Mapping[str, Any]) -> str:
    """Return what kind of payout *fields* name, or the default. Raises MalformedOrder where it is too long."""
    tipo = _line(fields, "tipo") or DEFAULT_TIPO
    if len(tipo) > TIPO_CHARACTERS:
        raise MalformedOrder(f"tipo has more than {TIPO_CHARACTERS} characters.", code="bad_tipo")
    return tipo


def _line(fields: Mapping[str, Any], name: str) -> str:
    return one_line(text_of(name, fields.get(name, ""), code=f"bad_{name}"))


def one_line(text: str) -> str:
    """Return *text* as one line: each run of control characters is a space."""
    return _CONTROL.sub(" ", text).strip()


def text_of(name: str, value: Any, *, code: str) -> str:
    """Return the text that field *name* holds. Raises MalformedOrder with *code* if it is not one."""
    if not isinstance(value, str):
        raise MalformedOrder(f"{name} must be a text.", code=code)
    if _SURROGATE.search(value):
        raise MalformedOrder(f"{name} holds half a character (a lone surrogate).", code="bad_text")
    return value


def _required(fields: Mapping[str, Any], name: str) -> Any:
    return fields[name] if name in fields else _missing(name)


def _missing(name: str) -> NoReturn:
    raise MalformedOrder(f"{name} is missing.", code="missing_field")


# What follows from them --------------------------------------------------------------------------


def _cut(text: str, limit_bytes: int) -> str:
    """Return as much of *text* as fits, cut between two characters."""
    return text.encode()[:limit_bytes].decode(errors="ignore")


def fingerprint_of(payment_rules: ContractSettings, wallet: Address, amount_units: TokenUnits, tipo: str) -> str:
    """Hash the payment, not how it was written: key order, spaces and the reason may change."""
    content = {
        "chain": payment_rules.chain_id,
        "token": payment_rules.token,
        "wallet": wallet,
        "amount_units": str(amount_units),
        "tipo": tipo,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
