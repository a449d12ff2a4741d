"""
The settings of finding payments. Names are the production guide's where it has one.

A group is read by the part that needs it, at its first use: a wrong mail password does not stop looking.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, SecretStr

from foundation.alarms.catalogue import Language
from foundation.alarms.settings import AlarmSettings as SharedAlarmSettings
from foundation.alarms.settings import language
from foundation.outgoing.addresses import Network, parse_networks
from foundation.settings.groups import Rule, SettingsGroup, setting
from foundation.settings.urls import is_private, origin_of, split_url
from foundation.settings.values import days_kept, setting_name, whole
from payflow.sealing import Sealer


class Environment(StrEnum):
    """Which installation this is; only PRODUCTION mails the real recipients."""

    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"


def private_address(text: str) -> str:
    """Return an https address; plain http only to this machine, for development."""
    parts = split_url(text.strip())
    if not is_private(parts):
        raise ValueError("must be https://HOST/…")
    return text.strip().rstrip("/")


def _hosts(text: str) -> tuple[str, ...]:
    names = tuple(name.strip().lower() for name in text.split(",") if name.strip())
    if any(urlsplit(f"//{name}").netloc != name or "@" in name for name in names):
        raise ValueError("must be host names, HOST or HOST:PORT, with commas between them")
    return names


def _networks(text: str) -> tuple[Network, ...]:
    return parse_networks(text) if text.strip() else ()


def _old_keys(text: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in text.split(",") if key.strip())


_Address = Annotated[str, BeforeValidator(private_address)]


class StorageSettings(SettingsGroup):
    """Where the rows are."""

    ledger: Annotated[str, BeforeValidator(setting_name)] = setting(
        "LEDGER_CONNECTION", "name of the setting with the ledger's storage account", "AzureWebJobsStorage"
    )
    second: Annotated[str, BeforeValidator(setting_name)] = setting(
        "SEND_LOG_CONNECTION",
        "name of the setting with the second account, for the send log and the rescue of tokens",
        "SEND_LOG_STORAGE",
    )
    environment: Environment = setting(
        "ENVIRONMENT", "production, staging or development; only production mails the real recipients", "development"
    )


class KeySettings(SettingsGroup):
    """The keys that seal."""

    master: SecretStr = setting("MASTER_KEY", "32 bytes in URL-safe base64, made by `keys new`", secret=True)
    old: SecretStr = setting("OLD_MASTER_KEYS", "keys that still open, with commas between them", "", secret=True)

    def sealer(self) -> Sealer:
        """Return the sealer. Raises ConfigurationError if one of them is no key."""
        return Sealer.of(*self._all())

    def signing(self, purpose: str) -> list[str]:
        """Return what signs for *purpose*, one made of each key, that of MASTER_KEY first."""
        master, old = self._all()
        return [hmac.new(key.encode(), purpose.encode(), hashlib.sha256).hexdigest() for key in (master, *old)]

    def _all(self) -> tuple[str, tuple[str, ...]]:
        return self.master.get_secret_value().strip(), _old_keys(self.old.get_secret_value())


class ContaAzulSettings(SettingsGroup):
    """Our application at Conta Azul, and where Conta Azul is."""

    client_id: str = setting("CONTA_AZUL_CLIENT_ID", "of the application in Conta Azul's developer portal")
    client_secret: SecretStr = setting("CONTA_AZUL_CLIENT_SECRET", "of the same application", secret=True)
    redirect_uri: _Address = setting(
        "CONTA_AZUL_REDIRECT_URI", "https://HOST/oauth/callback, to the byte as the developer portal has it"
    )
    api_url: _Address = setting("CONTA_AZUL_API_BASE_URL", "the API", "https://api-v2.contaazul.com")
    authorize_url: _Address = setting(
        "CONTA_AZUL_AUTH_URL", "where a clinic signs in", "https://auth.contaazul.com/oauth2/authorize"
    )
    token_url: _Address = setting(
        "CONTA_AZUL_TOKEN_URL", "where codes become tokens", "https://auth.contaazul.com/oauth2/token"
    )

    @property
    def origin(self) -> str:
        """The address under which people open our pages, as a browser names it: the redirect URI's."""
        return origin_of(urlsplit(self.redirect_uri))

    rules: ClassVar = [
        Rule(
            lambda uri: urlsplit(uri).path == "/oauth/callback",
            ("redirect_uri",),
            "CONTA_AZUL_REDIRECT_URI",
            "must end with /oauth/callback",
        )
    ]


class LookSettings(SettingsGroup):
    """How often payments are looked for, and where documents may come from."""

    interval_s: Annotated[int, BeforeValidator(whole(60, 3600))] = setting(
        "POLLING_INTERVAL_SECONDS", "seconds between two looks of a company, 60 to 3600", "300"
    )
    document_hosts: Annotated[tuple[str, ...], BeforeValidator(_hosts)] = setting(
        "DOCUMENT_HOSTS", "hosts besides the API's that documents are fetched from, with commas between them", ""
    )


class RetentionSettings(SettingsGroup):
    """How long what is personal of ended receipts is kept."""

    days: Annotated[int, BeforeValidator(days_kept)] = setting(
        "RETENTION_DAYS",
        "days until names, addresses and the mail server's words of ended receipts are emptied, 30 or more; 0: never",
        "180",
    )


class OutgoingSettings(SettingsGroup):
    """What may be asked besides public addresses."""

    inside: Annotated[tuple[Network, ...], BeforeValidator(_networks)] = setting(
        "INSIDE_NETWORKS", "networks of your own that documents may be fetched from, besides public addresses", ""
    )


class AlarmSettings(SharedAlarmSettings):
    """Where alarms go; in the clinic's language unless it is set."""

    alarm_language: Annotated[Language, BeforeValidator(language)] = setting(
        "ALARM_LANGUAGE", "language of the alarms, en or pt", "pt"
    )
    inside_networks: Annotated[tuple[Network, ...], BeforeValidator(_networks)] = setting(
        "INSIDE_NETWORKS", "networks of your own that documents may be fetched from, besides public addresses", ""
    )
