"""The settings of the chain: whose contracts, which nodes, which keys, what a payout may cost, when it is final."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import SecretStr

from distributor.model import Address
from distributor.settings import lanes
from distributor.settings import values as accept
from distributor.settings.operations import VaultSettings, chain_id_setting
from distributor.state import Identity
from distributor.units import Wei
from foundation.settings import values as kinds
from foundation.settings.groups import Problem, Rule, SettingsGroup, family, setting
from foundation.settings.references import VaultItem, parse_key_id
from foundation.settings.values import optional, parsed

_Contract = Annotated[Address, parsed(accept.contract)]
_Positive = Annotated[int, parsed(kinds.whole(1, 100_000))]
_Gwei = Annotated[Wei, parsed(accept.gwei)]
_Seconds = Annotated[float, parsed(kinds.seconds)]
_Milliseconds = Annotated[int, parsed(kinds.milliseconds)]
_Key = Annotated[SecretStr | None, parsed(optional(accept.private_key))]
_VaultKey = Annotated[VaultItem | None, parsed(optional(parse_key_id))]
_LaneKey = Annotated[SecretStr, parsed(accept.private_key)]
_LaneVaultKey = Annotated[VaultItem, parsed(parse_key_id)]

_TRANSACTION_FEE_WEI_MAX = 5 * 10**18
"""Nodes of Polygon refuse a transaction that may cost more. Source: bor, ``jsonrpc.txfeecap``."""


class ContractSettings(SettingsGroup):
    """Which chain orders are paid on, in which token, and the contracts that pay them."""

    chain_id: Annotated[int, parsed(kinds.whole(1, 10**15))] = chain_id_setting()
    authority: _Contract = setting("AUTHORITY_ADDRESS", "Contract whose `distribute` pays an order")
    guard: Annotated[Address | None, parsed(optional(accept.contract))] = setting(
        "GUARD_ADDRESS",
        "Guard contract that refuses to pay an order twice, for about 0.003 POL more a payout; unset: no guard",
        "",
    )
    token: _Contract = setting("TOKEN_ADDRESS", "ERC-20 token the orders are paid in")
    reserve: _Contract = setting("RESERVE_ADDRESS", "Address that holds the tokens and approved the authority")
    decimals: Annotated[int, parsed(kinds.whole(0, 36))] = setting("TOKEN_DECIMALS", "Decimals of the token", "18")
    ledger_id: Annotated[str | None, parsed(optional(accept.ledger_id))] = setting(
        "LEDGER_ID", "Id that `init` printed; when set, no other ledger is ever paid from", ""
    )
    rules: ClassVar = [
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
    ]

    @property
    def identity(self) -> Identity:
        """Whose ledger the settings mean; without LEDGER_ID any with these addresses."""
        return Identity(
            ledger_id=self.ledger_id or "",
            chain_id=self.chain_id,
            token=self.token,
            authority=self.authority,
            reserve=self.reserve,
            guard=self.guard,
        )


class NodeSettings(SettingsGroup):
    """The nodes that are asked, and how long one is waited for."""

    urls: Annotated[tuple[str, ...], parsed(accept.node_urls)] = setting(
        "RPC_URL",
        "URLs of nodes, separated by commas; when one fails the next is asked. A `wss` URL beside them tells of blocks",
        secret=True,
    )
    rpc_timeout_s: _Seconds = setting("RPC_TIMEOUT_S", "Longest wait for a node", "10")

    @property
    def rpc_urls(self) -> tuple[str, ...]:
        """Those that are asked, in their order: http and https."""
        return accept.of_schemes(self.urls, accept.ASKED)

    @property
    def head_urls(self) -> tuple[str, ...]:
        """Those that only announce new blocks, and are believed in nothing else: ws and wss."""
        return accept.of_schemes(self.urls, accept.ANNOUNCING)


class SigningSettings(SettingsGroup):
    """The operator's key, and the one before its last rotation: a private key, or a key inside Key Vault."""

    operator_pk: _Key = setting(
        "OPERATOR_PK", "Private key of the operator, who signs payouts and pays their gas", "", secret=True
    )
    operator_key: _VaultKey = setting(
        "OPERATOR_KEY_ID", "Instead: a key that signs inside Key Vault, by its identifier", ""
    )
    operator_pk_retiring: _Key = setting(
        "OPERATOR_PK_RETIRING", "Key before the last rotation, until its last payout is final", "", secret=True
    )
    operator_key_retiring: _VaultKey = setting(
        "OPERATOR_KEY_ID_RETIRING", "The same where that key is in Key Vault", ""
    )
    lane_pks: Mapping[str, _LaneKey] = family(
        "OPERATOR_PK__<LANE>",
        "Private key of one more operator, who pays at the same time: `OPERATOR_PK__B` is the lane `b`",
        accept.lane_name,
        secret=True,
        alone=True,
    )
    lane_keys: Mapping[str, _LaneVaultKey] = family(
        "OPERATOR_KEY_ID__<LANE>", "Instead: that lane's key inside Key Vault", accept.lane_name, alone=True
    )
    vault: VaultSettings
    rules: ClassVar = [
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
            lanes.NO_VAULT,
        ),
        Rule(
            lambda allowed, key: allowed or key is None,
            ("use_keyvault", "operator_key_retiring"),
            "OPERATOR_KEY_ID_RETIRING",
            lanes.NO_VAULT,
        ),
    ]

    @classmethod
    def disagreements(cls, values: Mapping[str, Any]) -> Iterator[Problem]:
        """Return each lane with two keys, with a key in a vault that may not be asked, or with another lane's key."""
        return lanes.disagreements(values)

    @property
    def lanes(self) -> Mapping[str, tuple[SecretStr | None, VaultItem | None]]:
        """The key of each further lane, by its name: a private one, or one inside Key Vault."""
        names = sorted({*self.lane_pks, *self.lane_keys})
        return {name: (self.lane_pks.get(name), self.lane_keys.get(name)) for name in names}


class FeeSettings(SettingsGroup):
    """What a transaction may cost, wei per gas, and the gas limit of each order in it."""

    gas_limit: Annotated[int, parsed(kinds.whole(21_000, 30_000_000))] = setting(
        "GAS_LIMIT", "Gas limit per order; unused gas costs nothing", "300000"
    )
    max_fee_wei: _Gwei = setting("MAX_FEE_GWEI", "Most paid per gas, tip included; above it orders wait", "60")
    max_tip_wei: _Gwei = setting("MAX_PRIORITY_FEE_GWEI", "Highest tip per gas", "40")
    min_tip_wei: _Gwei = setting("MIN_PRIORITY_FEE_GWEI", "Lowest tip per gas; Polygon wants 25", "30")
    rules: ClassVar = [
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
    ]


class SettlementSettings(SettingsGroup):
    """When something is final, and when to push. Times are milliseconds, depths blocks on top."""

    finality_depth: Annotated[int | None, parsed(accept.finality_depth)] = setting(
        "FINALITY", "When a block is final: `tag` (the node's `finalized`) or `depth:N` (N blocks)", "tag"
    )
    """Blocks on top that make a block final; None: the node's ``finalized`` tag decides. Never both."""
    min_confirmations: _Positive = setting("MIN_CONFIRMATIONS", "Least depth of a final block", "3")
    release_confirmations: _Positive = setting(
        "RELEASE_CONFIRMATIONS", "More blocks before an unpaid order may get another nonce", "500"
    )
    """Blocks on top, beyond finality, before an order may get another nonce."""
    resubmit_after_ms: _Milliseconds = setting("RESUBMIT_AFTER_S", "Age to submit the same bytes again", "10")
    replace_after_ms: _Milliseconds = setting("REPLACE_AFTER_S", "Age to replace it at a higher price", "30")
    max_attempts: Annotated[int, parsed(kinds.whole(1, 100))] = setting(
        "MAX_ATTEMPTS", "Signed versions of one transaction", "10"
    )


IN_FLIGHT_MAX = 16
"""Transactions of one account that a node's pool runs. Source: bor, ``txpool.accountslots``."""


class LaneSettings(SettingsGroup):
    """How much one operator has under way, and how fast the chain moves."""

    max_in_flight: Annotated[int, parsed(kinds.whole(1, IN_FLIGHT_MAX))] = setting(
        "MAX_IN_FLIGHT", "Open transactions at once; a node's pool runs 16 of one account", "16"
    )
    max_orders_per_transaction: Annotated[int, parsed(kinds.whole(1, 30))] = setting(
        "MAX_ORDERS_PER_TRANSACTION",
        "Orders one transaction pays through the guard, at most 30; without a guard one",
        "1",
    )
    block_time_s: _Seconds = setting("BLOCK_TIME_S", "Time between blocks", "2")


POLYGON, AMOY = 137, 80002
_TIP_WEI_MIN = accept.gwei("25")
"""Nodes of Polygon keep no transaction with a lower tip. Source: bor, ``txpool.pricelimit``."""
_CONFIRMATIONS_MIN = 3
_DEPTH_MIN = 160
"""Deeper than any reorganisation Polygon has had: 157 blocks, in February 2023."""

POLYGON_RULES = (
    Rule(
        lambda chain_id, depth: chain_id != POLYGON or depth is None or depth >= _DEPTH_MIN,
        ("chain_id", "finality_depth"),
        "FINALITY",
        f"must be tag, or depth:{_DEPTH_MIN} and more on Polygon: it has taken 157 blocks back",
    ),
    Rule(
        lambda chain_id, least: chain_id != POLYGON or least >= _CONFIRMATIONS_MIN,
        ("chain_id", "min_confirmations"),
        "MIN_CONFIRMATIONS",
        f"must be at least {_CONFIRMATIONS_MIN} on Polygon: finality tags have been wrong there",
    ),
    Rule(
        lambda chain_id, more: chain_id != POLYGON or more >= _DEPTH_MIN,
        ("chain_id", "release_confirmations"),
        "RELEASE_CONFIRMATIONS",
        f"must be at least {_DEPTH_MIN} on Polygon: an order that is released too soon is paid twice",
    ),
    Rule(
        lambda chain_id, tip_wei: chain_id not in (POLYGON, AMOY) or tip_wei >= _TIP_WEI_MIN,
        ("chain_id", "min_tip_wei"),
        "MIN_PRIORITY_FEE_GWEI",
        "must be at least 25: Polygon's nodes refuse less",
    ),
)
"""What Polygon demands of fees and finality; a group that reads them together with the chain has these."""
