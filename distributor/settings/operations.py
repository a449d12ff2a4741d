"""The settings of running the service: storage, vault, log. Those of alarms are the foundation's."""

from __future__ import annotations

from typing import Annotated, Any

from foundation.settings import values as kinds
from foundation.settings.groups import SettingsGroup, setting
from foundation.settings.references import parse_vault_url
from foundation.settings.values import optional, parsed

LEDGER_TABLE, AUDIT_TABLE = "ledger", "audit"


def chain_id_setting() -> Any:
    """Describe CHAIN_ID, which says where orders are paid and which partition of the ledger is theirs."""
    return setting("CHAIN_ID", "Chain the orders are paid on: `137` Polygon, `80002` its test network Amoy")


class StorageSettings(SettingsGroup):
    """Where the ledger is: account, table, and the partition of its chain."""

    chain_id: Annotated[int, parsed(kinds.whole(1, 10**15))] = chain_id_setting()
    ledger_connection: Annotated[str, parsed(kinds.setting_name)] = setting(
        "LEDGER_CONNECTION",
        "Name of the setting(s) with the ledger's storage account",
        "AzureWebJobsStorage",
        account=True,
    )
    ledger_table: Annotated[str, parsed(kinds.table_name)] = setting(
        "LEDGER_TABLE", "Table of the ledger", LEDGER_TABLE
    )

    @property
    def audit_table(self) -> str:
        """The audit trail's table: two ledgers in one account keep two trails."""
        return AUDIT_TABLE if self.ledger_table == LEDGER_TABLE else f"{self.ledger_table}{AUDIT_TABLE}"


class BackupSettings(SettingsGroup):
    """Where copies of the ledger are kept. Its account is not checked with it: without one, the alarm says so."""

    backup_connection: Annotated[str, parsed(kinds.setting_name)] = setting(
        "BACKUP_CONNECTION", "Name of the setting(s) with another storage account, for backups", "BACKUP_STORAGE"
    )


class RetentionSettings(SettingsGroup):
    """How long words are kept that may name a person."""

    retention_days: Annotated[int, parsed(kinds.days_kept)] = setting(
        "RETENTION_DAYS",
        "Days until reasons and bytes of finished orders, and words in the audit trail, are emptied; `0`: never",
        "1825",
    )


class VaultSettings(SettingsGroup):
    """Where secrets are looked for that are set nowhere else."""

    keyvault_uri: Annotated[str | None, parsed(optional(parse_vault_url))] = setting(
        "KEYVAULT_URI", "Vault of the secrets that are set nowhere else, named with `-` for `_`", ""
    )
    use_keyvault: Annotated[bool, parsed(kinds.yes_no)] = setting(
        "BALLX_USE_KV", "`0`: no vault is ever asked, and a Key Vault reference is an error", "1"
    )


class LogSettings(SettingsGroup):
    """How much is logged. A wrong one stops nothing: the default is used, and ``/ready`` names it."""

    log_level: Annotated[str, parsed(kinds.log_level)] = setting("LOG_LEVEL", "Least level of the lines logged", "INFO")
    log_personal_data: Annotated[bool, parsed(kinds.yes_no)] = setting(
        "LOG_PERSONAL_DATA", "`1`: wallets and reasons stand whole in lines below WARNING, not masked", "0"
    )
