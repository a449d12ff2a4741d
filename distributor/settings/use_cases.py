"""What each use case needs: groups together, so that all that is wrong with it is named at once."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from distributor.settings.call_backs import CallBackSettings
from distributor.settings.chain import (
    POLYGON_RULES,
    ContractSettings,
    FeeSettings,
    LaneSettings,
    NodeSettings,
    SettlementSettings,
    SigningSettings,
)
from distributor.settings.operations import (
    BackupSettings,
    LogSettings,
    RetentionSettings,
    StorageSettings,
    VaultSettings,
)
from distributor.settings.shops import (
    CapSettings,
    RateLimitSettings,
    ThresholdSettings,
    WebhookSettings,
    WooCommerceSettings,
    decimals_setting,
)
from foundation.alarms.settings import AlarmSettings
from foundation.console.settings import ConsoleSettings
from foundation.settings import values as kinds
from foundation.settings.groups import SettingsGroup, setting
from foundation.settings.values import optional, parsed

_Block = Annotated[int | None, parsed(optional(kinds.whole(0, 10**15)))]


def _first_block_setting() -> Any:
    return setting("FIRST_BLOCK", "Block the token is as old as; `audit-chain`, `rebuild` begin there", "")


_Age = Annotated[int, parsed(kinds.milliseconds)]


class IntakeSettings(SettingsGroup):
    """What taking orders needs: nothing of nodes, keys or fees, so that their faults refuse no order."""

    contracts: ContractSettings
    webhook: WebhookSettings
    caps: CapSettings
    storage: StorageSettings


class StatusSettings(SettingsGroup):
    """What showing an order needs."""

    storage: StorageSettings
    decimals: Annotated[int, parsed(kinds.whole(0, 36))] = decimals_setting()


class ChainSettings(SettingsGroup):
    """What asking the chain needs."""

    contracts: ContractSettings
    nodes: NodeSettings


class PayoutSettings(SettingsGroup):
    """What paying needs: of rounds, of settlement, and of the commands that act on a nonce."""

    contracts: ContractSettings
    nodes: NodeSettings
    fees: FeeSettings
    settlement: SettlementSettings
    lane: LaneSettings
    signing: SigningSettings
    storage: StorageSettings
    rules: ClassVar = POLYGON_RULES


class DistributionSettings(SettingsGroup):
    """What binding orders needs besides."""

    payout: PayoutSettings
    caps: CapSettings


class MonitorSettings(SettingsGroup):
    """What watching balances needs besides."""

    payout: PayoutSettings
    thresholds: ThresholdSettings


class AgeSettings(SettingsGroup):
    """How old something may become before it is an alarm by itself, and the ceilings its detail names."""

    waiting_ms: _Age = setting("ALARM_WAITING_S", "Alarm when the oldest order has waited longer", "900")
    open_ms: _Age = setting("ALARM_OPEN_S", "Alarm when a transaction has been open longer", "480")
    slots_ms: _Age = setting("ALARM_SLOTS_S", "Alarm when every slot is taken and none came free for longer", "300")
    settlement_ms: _Age = setting(
        "ALARM_SETTLEMENT_S", "Alarm when the last whole look at what is open is older", "300"
    )
    sweep_ms: _Age = setting("ALARM_SWEEP_S", "Alarm when the last sweep is older", "300")
    lane: LaneSettings
    fees: FeeSettings


class HistorySettings(SettingsGroup):
    """What the commands need that read the past of the chain, or act on a nonce by hand."""

    payout: PayoutSettings
    first_block: _Block = _first_block_setting()


class InitSettings(SettingsGroup):
    """What founding a ledger needs."""

    contracts: ContractSettings
    nodes: NodeSettings
    signing: SigningSettings
    storage: StorageSettings
    first_block: _Block = _first_block_setting()


ALL: Final[tuple[type[SettingsGroup], ...]] = (
    IntakeSettings,
    RateLimitSettings,
    WooCommerceSettings,
    CallBackSettings,
    DistributionSettings,
    MonitorSettings,
    HistorySettings,
    InitSettings,
    StatusSettings,
    AlarmSettings,
    AgeSettings,
    BackupSettings,
    RetentionSettings,
    ConsoleSettings,
    VaultSettings,
    LogSettings,
)
"""Every use case: what ``/ready`` checks, and the README's table shows, in this order."""
