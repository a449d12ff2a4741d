"""What settings must agree on with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from distributor.settings import values as accept
from distributor.settings.shop_secrets import disagreements, named
from distributor.units import gwei_to_wei

_POLYGON = (137, 80002)
_POLYGON_TIP_WEI_MIN = gwei_to_wei(Decimal(25))
"""Nodes of Polygon keep no transaction with a lower tip. Source: bor, ``txpool.pricelimit``."""
_POLYGON_MAINNET = 137
_POLYGON_CONFIRMATIONS_MIN = 3
_POLYGON_DEPTH_MIN = 160
"""Deeper than any reorganisation Polygon has had: 157 blocks, in February 2023."""
_TRANSACTION_FEE_WEI_MAX = 5 * 10**18
"""Nodes of Polygon refuse a transaction that may cost more. Source: bor, ``jsonrpc.txfeecap``."""
_TOO_FINE = "has more decimals than the token, or is more than a token can count"


class Rule(NamedTuple):
    """What two settings must agree on; asked only when all of them are right by themselves."""

    holds: Callable[..., bool]
    fields: Sequence[str]
    setting: str
    sentence: str

    def broken(self, values: Mapping[str, Any]) -> bool:
        known = values.keys() >= set(self.fields)
        return known and not self.holds(*(values[field] for field in self.fields))


RULES = (
    Rule(
        lambda chain_id, depth: chain_id != _POLYGON_MAINNET or depth is None or depth >= _POLYGON_DEPTH_MIN,
        ("chain_id", "finality_depth"),
        "FINALITY",
        f"must be tag, or depth:{_POLYGON_DEPTH_MIN} and more on Polygon: it has taken 157 blocks back",
    ),
    Rule(
        lambda chain_id, least: chain_id != _POLYGON_MAINNET or least >= _POLYGON_CONFIRMATIONS_MIN,
        ("chain_id", "min_confirmations"),
        "MIN_CONFIRMATIONS",
        f"must be at least {_POLYGON_CONFIRMATIONS_MIN} on Polygon: finality tags have been wrong there",
    ),
    Rule(
        lambda chain_id, more: chain_id != _POLYGON_MAINNET or more >= _POLYGON_DEPTH_MIN,
        ("chain_id", "release_confirmations"),
        "RELEASE_CONFIRMATIONS",
        f"must be at least {_POLYGON_DEPTH_MIN} on Polygon: an order that is released too soon is paid twice",
    ),
    Rule(
        lambda chain_id, tip_wei: chain_id not in _POLYGON or tip_wei >= _POLYGON_TIP_WEI_MIN,
        ("chain_id", "min_tip_wei"),
        "MIN_PRIORITY_FEE_GWEI",
        "must be at least 25: Polygon's nodes refuse less",
    ),
    Rule(
        lambda low, high: low <= high,
        ("min_tip_wei", "max_tip_wei"),
        "MAX_PRIORITY_FEE_GWEI",
        "must not be below MIN_PRIORITY_FEE_GWEI",
    ),
    Rule(
        lambda tip_wei, fee_wei: tip_wei <= fee_wei,
        ("max_tip_wei", "max_fee_wei"),
        "MAX_FEE_GWEI",
        "must not be below MAX_PRIORITY_FEE_GWEI: the tip is part of it",
    ),
    Rule(
        lambda gas, fee_wei: gas * fee_wei < _TRANSACTION_FEE_WEI_MAX,
        ("gas_limit", "max_fee_wei"),
        "MAX_FEE_GWEI",
        "times GAS_LIMIT must stay below 5 POL: nodes refuse a transaction that may cost more",
    ),
    Rule(
        lambda key, in_vault: (key is None) != (in_vault is None),
        ("operator_pk", "operator_key"),
        "OPERATOR_PK",
        "or OPERATOR_KEY_ID must be set, and not both: the key that signs payouts",
    ),
    Rule(
        lambda key, in_vault: key is None or in_vault is None,
        ("operator_pk_retiring", "operator_key_retiring"),
        "OPERATOR_PK_RETIRING",
        "and OPERATOR_KEY_ID_RETIRING must not both be set: one key retires at a time",
    ),
    Rule(
        lambda key, retiring: key is None or key != retiring,
        ("operator_pk", "operator_pk_retiring"),
        "OPERATOR_PK_RETIRING",
        "must be another key than OPERATOR_PK",
    ),
    Rule(
        lambda key, retiring: key is None or key != retiring,
        ("operator_key", "operator_key_retiring"),
        "OPERATOR_KEY_ID_RETIRING",
        "must be another key than OPERATOR_KEY_ID",
    ),
    Rule(
        lambda allowed, key: allowed or key is None,
        ("use_keyvault", "operator_key"),
        "OPERATOR_KEY_ID",
        "is a key in a vault, and BALLX_USE_KV=0 forbids asking one",
    ),
    Rule(
        lambda allowed, key: allowed or key is None,
        ("use_keyvault", "operator_key_retiring"),
        "OPERATOR_KEY_ID_RETIRING",
        "is a key in a vault, and BALLX_USE_KV=0 forbids asking one",
    ),
    Rule(
        lambda *addresses: len(set(addresses)) == len(addresses),
        ("token", "authority", "reserve"),
        "TOKEN_ADDRESS",
        "AUTHORITY_ADDRESS and RESERVE_ADDRESS must be three addresses",
    ),
    Rule(
        lambda guard, *others: guard not in others,
        ("guard", "token", "authority", "reserve"),
        "GUARD_ADDRESS",
        "must be another address than TOKEN_ADDRESS, AUTHORITY_ADDRESS and RESERVE_ADDRESS",
    ),
    Rule(
        lambda key, rate: key is None or rate is None,
        ("woo_amount_meta", "woo_tokens_per_unit"),
        "WOO_AMOUNT_META",
        "must not be set together with WOO_TOKENS_PER_UNIT: one of them says how much is paid",
    ),
    Rule(
        lambda rate, currency: rate is None or currency is not None,
        ("woo_tokens_per_unit", "woo_currency"),
        "WOO_CURRENCY",
        "must be set with WOO_TOKENS_PER_UNIT: a rate is meant for one currency",
    ),
    Rule(accept.fits, ("max_order_tokens", "token_decimals"), "MAX_ORDER_TOKENS", _TOO_FINE),
    Rule(accept.fits, ("max_daily_tokens", "token_decimals"), "MAX_DAILY_TOKENS", _TOO_FINE),
    Rule(accept.fits, ("max_daily_wallet_tokens", "token_decimals"), "MAX_DAILY_WALLET_TOKENS", _TOO_FINE),
    Rule(accept.fits, ("low_reserve_tokens", "token_decimals"), "LOW_RESERVE_TOKENS", _TOO_FINE),
    Rule(accept.fits, ("low_allowance_tokens", "token_decimals"), "LOW_ALLOWANCE_TOKENS", _TOO_FINE),
)

_SHOP_SECRETS = ("webhook_secret", "webhook_secret_previous", "webhook_secrets", "webhook_secrets_previous")


def disagreeing(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each setting that breaks a rule, and what is wrong."""
    for rule in RULES:
        if rule.broken(values):
            yield rule.setting, rule.sentence
    if values.keys() >= set(_SHOP_SECRETS):
        yield from disagreements(named(*(values[field] for field in _SHOP_SECRETS)))
