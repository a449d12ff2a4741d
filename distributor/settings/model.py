"""
Everything that can be set: one model, a field for each setting, with its name, its meaning and who needs it.

``values`` says which texts are accepted, what settings must agree on in
``setting_rules``, and how they are read in ``settings``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from distributor.caps import Caps
from distributor.model import Address
from distributor.rates import Rate, parse_rate
from distributor.settings import values as accept
from distributor.settings.shop_secrets import SecretName, named
from distributor.units import TokenUnits, Wei, token_units
from foundation.alarms.catalogue import Language
from foundation.outgoing.addresses import Network
from foundation.settings import values as kinds
from foundation.settings.references import VaultItem, parse_key_id, parse_vault_url


class Use(StrEnum):
    """What the settings are needed for."""

    INTAKE = "intake"
    WOOCOMMERCE = "woocommerce"
    """What orders of a stock WooCommerce need beside the intake's."""
    STATUS = "status"
    DISTRIBUTION = "distribution"
    SETTLEMENT = "settlement"
    SWEEP = "sweep"
    WATCH = "watch"
    READINESS = "readiness"
    INIT = "init"
    HISTORY = "history"
    """Commands that read the past of the chain, or act on a nonce by hand."""
    GATE = "gate"
    """How often the webhook may be asked; known before any secret is."""
    ALARMS = "alarms"
    """Where alarms go must be known even when nothing else is."""


_ALL = tuple(use for use in Use if use not in (Use.GATE, Use.ALARMS))
_PAYING = (Use.DISTRIBUTION, Use.SETTLEMENT, Use.HISTORY)
_WATCHING = (*_PAYING, Use.WATCH)
_OPERATING = (*_PAYING, Use.WATCH, Use.INIT)
_CALLING = (*_OPERATING, Use.READINESS)
_IDENTIFYING = (*_CALLING, Use.INTAKE)
_INTAKE = (Use.INTAKE,)
_SHOP = (Use.WOOCOMMERCE,)
_CAPPING = (Use.INTAKE, Use.DISTRIBUTION)
_ASKED = (Use.GATE,)
_COUNTING = (*_WATCHING, Use.INTAKE, Use.STATUS, Use.INIT)


def _optional(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: parse(text) if text else None


_Whole = Annotated[int, BeforeValidator(kinds.whole(0, 100_000))]
_Positive = Annotated[int, BeforeValidator(kinds.whole(1, 100_000))]
_Gwei = Annotated[Wei, BeforeValidator(accept.gwei)]
_Seconds = Annotated[float, BeforeValidator(kinds.seconds)]
_Milliseconds = Annotated[int, BeforeValidator(kinds.milliseconds)]
_Tokens = Annotated[Decimal, BeforeValidator(accept.tokens)]
_Contract = Annotated[Address, BeforeValidator(accept.contract)]
_ShopSecret = Annotated[SecretStr, BeforeValidator(accept.webhook_secret)]


def _setting(name: str, meaning: str, uses: Sequence[Use], default: str | None = None, *, secret: bool = False) -> Any:
    """
    Describe a setting; without *default* it is required, with an empty one it may stay unset.

    A name that ends in ``__<SOURCE>`` is a family: one setting for each shop, read into a mapping by
    source. Its members are secrets of their own; none of them is required.
    """
    about = {"default": default, "secret": secret, "used_by": [str(use) for use in uses]}
    return Field(alias=name, description=meaning, repr=not secret, json_schema_extra=cast("dict[str, Any]", about))


class Settings(BaseModel):
    """Everything that can be set. Names, defaults and meanings are those of the README's table."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)

    chain_id: Annotated[int, BeforeValidator(kinds.whole(1, 10**15))] = _setting(
        "CHAIN_ID", "Chain the orders are paid on: `137` Polygon, `80002` its test network Amoy", _ALL
    )
    rpc_urls: Annotated[tuple[str, ...], BeforeValidator(accept.node_urls)] = _setting(
        "RPC_URL", "URLs of nodes, separated by commas; when one fails the next is asked", _CALLING, secret=True
    )
    operator_pk: Annotated[SecretStr | None, BeforeValidator(_optional(accept.private_key))] = _setting(
        "OPERATOR_PK", "Private key of the operator, who signs payouts and pays their gas", _OPERATING, "", secret=True
    )
    operator_key: Annotated[VaultItem | None, BeforeValidator(_optional(parse_key_id))] = _setting(
        "OPERATOR_KEY_ID", "Instead: a key that signs inside Key Vault, by its identifier", _OPERATING, ""
    )
    operator_pk_retiring: Annotated[SecretStr | None, BeforeValidator(_optional(accept.private_key))] = _setting(
        "OPERATOR_PK_RETIRING", "Key before the last rotation, until its last payout is final", _PAYING, "", secret=True
    )
    operator_key_retiring: Annotated[VaultItem | None, BeforeValidator(_optional(parse_key_id))] = _setting(
        "OPERATOR_KEY_ID_RETIRING", "The same where that key is in Key Vault", _PAYING, ""
    )
    authority: _Contract = _setting("AUTHORITY_ADDRESS", "Contract whose `distribute` pays an order", _IDENTIFYING)
    guard: Annotated[Address | None, BeforeValidator(_optional(accept.contract))] = _setting(
        "GUARD_ADDRESS",
        "Guard contract that refuses to pay an order twice, for about 0.003 POL more a payout; unset: no guard",
        _IDENTIFYING,
        "",
    )
    token: _Contract = _setting("TOKEN_ADDRESS", "ERC-20 token the orders are paid in", _IDENTIFYING)
    reserve: _Contract = _setting(
        "RESERVE_ADDRESS", "Address that holds the tokens and approved the authority", _IDENTIFYING
    )
    token_decimals: Annotated[int, BeforeValidator(kinds.whole(0, 36))] = _setting(
        "TOKEN_DECIMALS", "Decimals of the token", _COUNTING, "18"
    )
    webhook_secret: Annotated[SecretStr | None, BeforeValidator(_optional(accept.webhook_secret))] = _setting(
        "WEBHOOK_SECRET",
        "Secret the shop signs its orders with; at least 16 bytes. Required unless each shop has its own",
        _INTAKE,
        "",
        secret=True,
    )
    webhook_secret_previous: Annotated[SecretStr | None, BeforeValidator(_optional(accept.webhook_secret))] = _setting(
        "WEBHOOK_SECRET_PREVIOUS", "Secret before the last rotation; accepted while it is set", _INTAKE, "", secret=True
    )
    webhook_secrets: Mapping[str, _ShopSecret] = _setting(
        "WEBHOOK_SECRET__<SOURCE>",
        "Secret of one more shop: `WEBHOOK_SECRET__SHOP_B` is the source `shop-b`",
        _INTAKE,
        "",
        secret=True,
    )
    webhook_secrets_previous: Mapping[str, _ShopSecret] = _setting(
        "WEBHOOK_SECRET_PREVIOUS__<SOURCE>", "The same shop's secret before its last rotation", _INTAKE, "", secret=True
    )
    require_timestamp: Annotated[bool, BeforeValidator(kinds.yes_no)] = _setting(
        "WEBHOOK_REQUIRE_TIMESTAMP", "`1`: refuse signatures that sign no time: hex, and WooCommerce's", _INTAKE, "0"
    )
    secrets_refresh_s: _Seconds = _setting(
        "SECRETS_REFRESH_S", "How often the shops' secrets are read again where a vault holds them", _INTAKE, "300"
    )
    keyvault_uri: Annotated[str | None, BeforeValidator(_optional(parse_vault_url))] = _setting(
        "KEYVAULT_URI", "Vault of the secrets that are set nowhere else, named with `-` for `_`", _ALL, ""
    )
    use_keyvault: Annotated[bool, BeforeValidator(kinds.yes_no)] = _setting(
        "BALLX_USE_KV", "`0`: no vault is ever asked, and a Key Vault reference is an error", _ALL, "1"
    )
    gas_limit: Annotated[int, BeforeValidator(kinds.whole(21_000, 30_000_000))] = _setting(
        "GAS_LIMIT", "Gas limit per order; unused gas costs nothing", _WATCHING, "300000"
    )
    max_fee_wei: _Gwei = _setting(
        "MAX_FEE_GWEI", "Most paid per gas, tip included; above it orders wait", _WATCHING, "60"
    )
    max_tip_wei: _Gwei = _setting("MAX_PRIORITY_FEE_GWEI", "Highest tip per gas", _PAYING, "40")
    min_tip_wei: _Gwei = _setting("MIN_PRIORITY_FEE_GWEI", "Lowest tip per gas; Polygon wants 25", _PAYING, "30")
    finality_depth: Annotated[int | None, BeforeValidator(accept.finality_depth)] = _setting(
        "FINALITY", "When a block is final: `tag` (the node's `finalized`) or `depth:N` (N blocks)", _WATCHING, "tag"
    )
    min_confirmations: _Positive = _setting("MIN_CONFIRMATIONS", "Least depth of a final block", _WATCHING, "3")
    release_confirmations: _Positive = _setting(
        "RELEASE_CONFIRMATIONS", "More blocks before an unpaid order may get another nonce", _WATCHING, "500"
    )
    max_in_flight: Annotated[int, BeforeValidator(kinds.whole(1, 16))] = _setting(
        "MAX_IN_FLIGHT", "Open transactions at once; a node's pool runs 16 of one account", _PAYING, "16"
    )
    max_orders_per_transaction: Annotated[int, BeforeValidator(accept.one)] = _setting(
        "MAX_ORDERS_PER_TRANSACTION", "Orders one transaction pays; `1` without a batch contract", _PAYING, "1"
    )
    block_time_s: _Seconds = _setting("BLOCK_TIME_S", "Time between blocks", _PAYING, "2")
    resubmit_after_ms: _Milliseconds = _setting(
        "RESUBMIT_AFTER_S", "Age to submit the same bytes again", _WATCHING, "10"
    )
    replace_after_ms: _Milliseconds = _setting(
        "REPLACE_AFTER_S", "Age to replace it at a higher price", _WATCHING, "30"
    )
    max_attempts: Annotated[int, BeforeValidator(kinds.whole(1, 100))] = _setting(
        "MAX_ATTEMPTS", "Signed versions of one transaction", _WATCHING, "10"
    )
    rpc_timeout_s: _Seconds = _setting("RPC_TIMEOUT_S", "Longest wait for a node", _CALLING, "10")
    ledger_connection: Annotated[str, BeforeValidator(kinds.setting_name)] = _setting(
        "LEDGER_CONNECTION", "Name of the setting(s) with the ledger's storage account", _ALL, "AzureWebJobsStorage"
    )
    ledger_table: Annotated[str, BeforeValidator(kinds.table_name)] = _setting(
        "LEDGER_TABLE", "Table of the ledger", _ALL, "ledger"
    )
    ledger_id: Annotated[str | None, BeforeValidator(_optional(accept.ledger_id))] = _setting(
        "LEDGER_ID", "Id that `init` printed; when set, no other ledger is ever paid from", _IDENTIFYING, ""
    )
    first_block: Annotated[int | None, BeforeValidator(_optional(kinds.whole(0, 10**15)))] = _setting(
        "FIRST_BLOCK", "Block the token is as old as; `audit-chain`, `rebuild` begin there", (Use.HISTORY, Use.INIT), ""
    )
    max_order_tokens: _Tokens = _setting(
        "MAX_ORDER_TOKENS", "Largest order taken; a larger one is refused; `0` is off", _CAPPING, "0"
    )
    max_daily_tokens: _Tokens = _setting(
        "MAX_DAILY_TOKENS", "Most bound in one UTC day; what is more waits; `0` is off", _CAPPING, "0"
    )
    max_daily_wallet_tokens: _Tokens = _setting(
        "MAX_DAILY_WALLET_TOKENS", "Most bound for one wallet in one UTC day; `0` is off", _CAPPING, "0"
    )
    low_reserve_tokens: _Tokens = _setting(
        "LOW_RESERVE_TOKENS", "Alarm when the reserve holds less; `0` is off", (Use.WATCH,), "0"
    )
    low_allowance_tokens: _Tokens = _setting(
        "LOW_ALLOWANCE_TOKENS", "Alarm when the authority may draw less; `0` is off", (Use.WATCH,), "0"
    )
    low_gas_payouts: _Whole = _setting(
        "LOW_GAS_PAYOUTS", "Alarm when the operator's gas is enough for fewer payouts", (Use.WATCH,), "50"
    )
    woo_paid_statuses: Annotated[frozenset[str], BeforeValidator(accept.woo_statuses)] = _setting(
        "WOO_PAID_STATUSES", "WooCommerce: statuses an order is paid in, separated by commas", _SHOP, "completed"
    )
    woo_wallet_meta: Annotated[str, BeforeValidator(accept.meta_key)] = _setting(
        "WOO_WALLET_META", "WooCommerce: custom field with the customer's wallet", _SHOP, "_ballx_wallet"
    )
    woo_amount_meta: Annotated[str | None, BeforeValidator(_optional(accept.meta_key))] = _setting(
        "WOO_AMOUNT_META", "WooCommerce: custom field with the tokens to pay; this or the rate", _SHOP, ""
    )
    woo_tokens_per_unit: Annotated[Decimal | None, BeforeValidator(_optional(accept.rate))] = _setting(
        "WOO_TOKENS_PER_UNIT", "WooCommerce: tokens for each unit of an order's total, rounded down", _SHOP, ""
    )
    woo_currency: Annotated[str | None, BeforeValidator(_optional(accept.currency))] = _setting(
        "WOO_CURRENCY", "WooCommerce: the only currency paid in; required with the rate", _SHOP, ""
    )
    rate_per_address: Annotated[Rate | None, BeforeValidator(parse_rate)] = _setting(
        "RATE_LIMIT_PER_ADDRESS", "Refused requests of one address, like `120/minute`; `0` is off", _ASKED, "120/minute"
    )
    rate_per_source: Annotated[Rate | None, BeforeValidator(parse_rate)] = _setting(
        "RATE_LIMIT_PER_SOURCE", "Signed requests of one shop, like `1200/minute`; `0` is off", _ASKED, "1200/minute"
    )
    rate_limit_storage: Annotated[SecretStr | None, BeforeValidator(_optional(accept.redis_url))] = _setting(
        "RATE_LIMIT_STORAGE",
        "Redis that counts for all instances; without it each counts alone",
        _ASKED,
        "",
        secret=True,
    )
    trusted_proxies: Annotated[int, BeforeValidator(kinds.whole(0, 9))] = _setting(
        "TRUSTED_PROXIES", "Your proxies in front of Azure's own, like Front Door or Cloudflare", _ASKED, "0"
    )
    alarm_webhook_url: Annotated[SecretStr | None, BeforeValidator(_optional(kinds.https_url))] = _setting(
        "ALARM_WEBHOOK_URL",
        "Where alarms are posted as JSON, beside the log",
        (*_WATCHING, Use.ALARMS),
        "",
        secret=True,
    )
    alarm_language: Annotated[Language, BeforeValidator(accept.language)] = _setting(
        "ALARM_LANGUAGE", "Language of the alarms: `en` or `pt`", (Use.ALARMS,), "en"
    )
    inside_networks: Annotated[tuple[Network, ...], BeforeValidator(accept.networks)] = _setting(
        "INSIDE_NETWORKS",
        "Networks of your own that alarms may be posted to, besides public addresses",
        (Use.ALARMS,),
        "127.0.0.0/8,::1/128",
    )
    log_level: Annotated[str, BeforeValidator(kinds.log_level)] = _setting(
        "LOG_LEVEL", "Least level of the lines logged", _ALL, "INFO"
    )
    log_personal_data: Annotated[bool, BeforeValidator(kinds.yes_no)] = _setting(
        "LOG_PERSONAL_DATA", "`1`: wallets and reasons stand whole in lines below WARNING, not masked", _ALL, "0"
    )

    @property
    def shop_secrets(self) -> Mapping[SecretName, str]:
        """The secrets of every shop, the previous ones among them."""
        found = named(
            self.webhook_secret, self.webhook_secret_previous, self.webhook_secrets, self.webhook_secrets_previous
        )
        return {name: secret.get_secret_value() for name, secret in found.items()}

    @property
    def caps(self) -> Caps:
        """The caps that are on."""
        order, day, wallet = self.max_order_tokens, self.max_daily_tokens, self.max_daily_wallet_tokens
        return Caps(order_units=self._cap(order), day_units=self._cap(day), wallet_units=self._cap(wallet))

    def _cap(self, tokens: Decimal) -> TokenUnits | None:
        return token_units(tokens, self.token_decimals) if tokens else None

    @property
    def low_reserve_units(self) -> TokenUnits:
        return token_units(self.low_reserve_tokens, self.token_decimals)

    @property
    def low_allowance_units(self) -> TokenUnits:
        return token_units(self.low_allowance_tokens, self.token_decimals)
