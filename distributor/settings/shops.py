"""The settings of the shops: their secrets, how often they may ask, what WooCommerce's orders pay, and the caps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import SecretStr

from distributor.caps import Caps
from distributor.rates import Rate, parse_rate
from distributor.settings import values as accept
from distributor.settings.operations import VaultSettings
from distributor.settings.shop_secrets import SecretName, doubts, named, usable
from distributor.units import TokenUnits, token_units
from foundation.settings import values as kinds
from foundation.settings.groups import Problem, Rule, SettingsGroup, family, setting
from foundation.settings.values import optional, parsed

_ShopSecret = Annotated[SecretStr, parsed(accept.webhook_secret)]
_OptionalSecret = Annotated[SecretStr | None, parsed(optional(accept.webhook_secret))]
_Tokens = Annotated[Decimal, parsed(accept.token_amount)]
_Rate = Annotated[Rate | None, parsed(parse_rate)]

_SECRETS = ("webhook_secret", "webhook_secret_previous", "webhook_secrets", "webhook_secrets_previous")
_NOBODY_SIGNS = "is not set, and no WEBHOOK_SECRET__<SOURCE> either: the secret a shop signs with"
_TOO_FINE = "has more decimals than the token, or is more than a token can count"


class WebhookSettings(SettingsGroup):
    """What the shops sign their orders with."""

    webhook_secret: _OptionalSecret = setting(
        "WEBHOOK_SECRET",
        "Secret the shop signs its orders with; at least 16 bytes. Required unless each shop has its own",
        "",
        secret=True,
        alone=True,
    )
    webhook_secret_previous: _OptionalSecret = setting(
        "WEBHOOK_SECRET_PREVIOUS",
        "Secret before the last rotation; accepted while it is set",
        "",
        secret=True,
        alone=True,
    )
    webhook_secrets: Mapping[str, _ShopSecret] = family(
        "WEBHOOK_SECRET__<SOURCE>",
        "Secret of one more shop: `WEBHOOK_SECRET__SHOP_B` is the source `shop-b`",
        accept.shop_suffix,
        secret=True,
        alone=True,
    )
    webhook_secrets_previous: Mapping[str, _ShopSecret] = family(
        "WEBHOOK_SECRET_PREVIOUS__<SOURCE>",
        "The same shop's secret before its last rotation",
        accept.shop_suffix,
        secret=True,
        alone=True,
    )
    require_timestamp: Annotated[bool, parsed(kinds.yes_no)] = setting(
        "WEBHOOK_REQUIRE_TIMESTAMP", "`1`: refuse signatures that sign no time: hex, and WooCommerce's", "0"
    )
    secrets_refresh_s: Annotated[float, parsed(kinds.seconds)] = setting(
        "SECRETS_REFRESH_S", "How often the shops' secrets are read again where a vault holds them", "300"
    )
    vault: VaultSettings

    @classmethod
    def disagreements(cls, values: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield that no shop has a secret that can be used."""
        if not usable(_named(values)):
            yield Problem("WEBHOOK_SECRET", _NOBODY_SIGNS)

    @classmethod
    def doubts(cls, values: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield each secret that closes its own shop, because it does not go with the others."""
        yield from (Problem(*found) for found in doubts(_named(values)))

    @property
    def shop_secrets(self) -> Mapping[SecretName, str]:
        """The secrets of every shop that is open, the previous ones among them."""
        found = usable(_named({field: getattr(self, field) for field in _SECRETS}))
        return {name: secret.get_secret_value() for name, secret in found.items()}


def _named(values: Mapping[str, Any]) -> Mapping[SecretName, SecretStr]:
    return named(*(values[field] for field in _SECRETS))


class RateLimitSettings(SettingsGroup):
    """How often the webhook may be asked; known before any secret is."""

    rate_per_address: _Rate = setting(
        "RATE_LIMIT_PER_ADDRESS", "Refused requests of one address, like `120/minute`; `0` is off", "120/minute"
    )
    rate_per_source: _Rate = setting(
        "RATE_LIMIT_PER_SOURCE", "Signed requests of one shop, like `1200/minute`; `0` is off", "1200/minute"
    )
    rate_limit_storage: Annotated[SecretStr | None, parsed(optional(accept.redis_url))] = setting(
        "RATE_LIMIT_STORAGE", "Redis that counts for all instances; without it each counts alone", "", secret=True
    )
    trusted_proxies: Annotated[int | None, parsed(accept.proxies)] = setting(
        "TRUSTED_PROXIES",
        "Your proxies in front of Azure's own, like Front Door or Cloudflare; `none`: a container without a front end",
        "0",
    )


class WooCommerceSettings(SettingsGroup):
    """Which orders of a stock WooCommerce are paid, to which wallet and how much."""

    paid_statuses: Annotated[frozenset[str], parsed(accept.woo_statuses)] = setting(
        "WOO_PAID_STATUSES", "WooCommerce: statuses an order is paid in, separated by commas", "completed"
    )
    wallet_meta: Annotated[str, parsed(accept.meta_key)] = setting(
        "WOO_WALLET_META", "WooCommerce: custom field with the customer's wallet", "_ballx_wallet"
    )
    amount_meta: Annotated[str | None, parsed(optional(accept.meta_key))] = setting(
        "WOO_AMOUNT_META", "WooCommerce: custom field with the tokens to pay; this or the rate", ""
    )
    tokens_per_unit: Annotated[Decimal | None, parsed(optional(accept.rate))] = setting(
        "WOO_TOKENS_PER_UNIT", "WooCommerce: tokens for each unit of an order's total, rounded down", ""
    )
    currency: Annotated[str | None, parsed(optional(accept.currency))] = setting(
        "WOO_CURRENCY", "WooCommerce: the only currency paid in; required with the rate", ""
    )
    rules: ClassVar = [
        Rule(
            lambda key, rate: key is None or rate is None,
            ("amount_meta", "tokens_per_unit"),
            "WOO_AMOUNT_META",
            "must not be set together with WOO_TOKENS_PER_UNIT: one of them says how much is paid",
        ),
        Rule(
            lambda rate, currency: rate is None or currency is not None,
            ("tokens_per_unit", "currency"),
            "WOO_CURRENCY",
            "must be set with WOO_TOKENS_PER_UNIT: a rate is meant for one currency",
        ),
    ]


def decimals_setting() -> Any:
    """Describe TOKEN_DECIMALS, by which every amount of tokens is counted."""
    return setting("TOKEN_DECIMALS", "Decimals of the token", "18")


class CapSettings(SettingsGroup):
    """The most that is paid: in one order, in one day, to one wallet in one day; and without a second person."""

    max_order_tokens: _Tokens = setting(
        "MAX_ORDER_TOKENS", "Largest order taken; a larger one is refused; `0` is off", "0"
    )
    max_daily_tokens: _Tokens = setting(
        "MAX_DAILY_TOKENS", "Most bound in one UTC day; what is more waits; `0` is off", "0"
    )
    max_daily_wallet_tokens: _Tokens = setting(
        "MAX_DAILY_WALLET_TOKENS", "Most bound for one wallet in one UTC day; `0` is off", "0"
    )
    approval_tokens: _Tokens = setting(
        "APPROVAL_TOKENS",
        "Most that one order, or all orders of one file, come to without another person's `approve`; `0` is off",
        "0",
    )
    decimals: Annotated[int, parsed(kinds.whole(0, 36))] = decimals_setting()
    rules: ClassVar = [
        Rule(accept.fits, ("max_order_tokens", "decimals"), "MAX_ORDER_TOKENS", _TOO_FINE),
        Rule(accept.fits, ("max_daily_tokens", "decimals"), "MAX_DAILY_TOKENS", _TOO_FINE),
        Rule(accept.fits, ("max_daily_wallet_tokens", "decimals"), "MAX_DAILY_WALLET_TOKENS", _TOO_FINE),
        Rule(accept.fits, ("approval_tokens", "decimals"), "APPROVAL_TOKENS", _TOO_FINE),
    ]

    @property
    def caps(self) -> Caps:
        """The caps that are on, in token units."""
        return Caps(
            order_units=self._cap(self.max_order_tokens),
            day_units=self._cap(self.max_daily_tokens),
            wallet_units=self._cap(self.max_daily_wallet_tokens),
            approval_units=self._cap(self.approval_tokens),
        )

    def _cap(self, tokens: Decimal) -> TokenUnits | None:
        return token_units(tokens, self.decimals) if tokens else None


class ThresholdSettings(SettingsGroup):
    """Below these an alarm is raised; 0 turns one off."""

    low_reserve_tokens: _Tokens = setting("LOW_RESERVE_TOKENS", "Alarm when the reserve holds less; `0` is off", "0")
    low_allowance_tokens: _Tokens = setting(
        "LOW_ALLOWANCE_TOKENS", "Alarm when the authority may draw less; `0` is off", "0"
    )
    low_gas_payouts: Annotated[int, parsed(kinds.whole(0, 100_000))] = setting(
        "LOW_GAS_PAYOUTS", "Alarm when the operator's gas is enough for fewer payouts", "50"
    )
    decimals: Annotated[int, parsed(kinds.whole(0, 36))] = decimals_setting()
    rules: ClassVar = [
        Rule(accept.fits, ("low_reserve_tokens", "decimals"), "LOW_RESERVE_TOKENS", _TOO_FINE),
        Rule(accept.fits, ("low_allowance_tokens", "decimals"), "LOW_ALLOWANCE_TOKENS", _TOO_FINE),
    ]

    @property
    def low_reserve_units(self) -> TokenUnits:
        return token_units(self.low_reserve_tokens, self.decimals)

    @property
    def low_allowance_units(self) -> TokenUnits:
        return token_units(self.low_allowance_tokens, self.decimals)
