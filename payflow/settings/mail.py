"""The settings of mail. What contradicts itself is refused by name: no login goes out in the clear by accident."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, SecretStr

from foundation.settings.groups import Rule, SettingsGroup, setting
from foundation.settings.values import whole, yes_no
from payflow.mail.signed import webhook_key
from payflow.mail.smtp import Auth, Security, Server
from payflow.recipients.addresses import normalized
from payflow.settings.groups import Environment, private_address

TLS_PORT, STARTTLS_PORT = 465, 587
SHARED_MIN = 32


class Transport(StrEnum):
    """What carries the mails."""

    SMTP = "smtp"
    ACS = "acs"
    """Azure Communication Services, by its API."""


def _mailbox(text: str) -> str:
    found = normalized(text)
    if not found:
        raise ValueError("must be a mail address")
    return found


def _optional_mailbox(text: str) -> str:
    return _mailbox(text) if text.strip() else ""


def _transport(text: str) -> Transport:
    return Transport(text.strip().lower())


def _optional_address(text: str) -> str:
    return private_address(text) if text.strip() else ""


def _optional_flag(text: str) -> bool | None:
    return yes_no(text) if text.strip() else None


def _auth(text: str) -> Auth | None:
    return Auth(text.strip().lower()) if text.strip() else None


def _security(text: str) -> Security | None:
    return Security(text.strip().lower()) if text.strip() else None


def _signing(secret: SecretStr) -> SecretStr:
    if secret.get_secret_value():
        webhook_key(secret.get_secret_value())
    return secret


def _shared(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if text and (len(text) < SHARED_MIN or not text.isascii()):
        raise ValueError(f"must be at least {SHARED_MIN} plain signs")
    return secret


_Flag = Annotated[bool | None, BeforeValidator(_optional_flag)]
_Count = Annotated[int, BeforeValidator(whole(1, 100_000))]


def _agree(security: Security | None, port: int, tls: bool | None, ssl: bool | None) -> bool:
    """Say whether all that names the encryption means the same one."""
    said = {security} if security else set[Security]()
    said |= {Security.STARTTLS} if tls else set()
    said |= {Security.TLS} if ssl else set()
    said |= {Security.TLS} if port == TLS_PORT else set()
    said |= {Security.STARTTLS} if port == STARTTLS_PORT else set()
    return len(said) <= 1 and not (tls is False and ssl is not True and security is None)


class MailSettings(SettingsGroup):
    """The mail server, the sender, and who gets mail outside production."""

    transport: Annotated[Transport, BeforeValidator(_transport)] = setting(
        "MAIL", "smtp, or acs for Azure Communication Services by its API", "smtp"
    )
    acs_endpoint: Annotated[str, BeforeValidator(_optional_address)] = setting(
        "ACS_ENDPOINT", "https://NAME.communication.azure.com; this app's identity signs in", ""
    )
    host: str = setting("SMTP_HOST", "the mail server; required unless MAIL=acs", "")
    port: Annotated[int, BeforeValidator(whole(1, 65535))] = setting(
        "SMTP_PORT", "587 for STARTTLS, 465 for TLS from the first byte", "587"
    )
    user: str = setting("SMTP_USER", "who signs in; empty signs in nobody, on this machine only", "")
    password: SecretStr = setting("SMTP_PASSWORD", "an app password of SMTP_USER", "", secret=True)
    sender: Annotated[str, BeforeValidator(_mailbox)] = setting("SMTP_FROM", "the address mails come from")
    reply_to: Annotated[str, BeforeValidator(_optional_mailbox)] = setting(
        "SMTP_REPLY_TO", "where answers go; the clinic's contact when empty", ""
    )
    security: Annotated[Security | None, BeforeValidator(_security)] = setting(
        "SMTP_SECURITY", "starttls, tls, or none for a server on this machine; follows from the port when empty", ""
    )
    use_tls: _Flag = setting("SMTP_USE_TLS", "older spelling of SMTP_SECURITY=starttls", "")
    use_ssl: _Flag = setting("SMTP_USE_SSL", "older spelling of SMTP_SECURITY=tls", "", aliases=["SMTP_USE_SMTPS"])
    auth: Annotated[Auth | None, BeforeValidator(_auth)] = setting(
        "SMTP_AUTH", "password, or xoauth2 for an access token of this app's identity; password when empty", ""
    )
    token_scope: str = setting(
        "SMTP_TOKEN_SCOPE", "what the access token is asked for", "https://outlook.office365.com/.default"
    )
    connections: _Count = setting("SMTP_CONNECTIONS", "connections at once, over all companies", "2")
    per_minute: _Count = setting("SMTP_PER_MINUTE", "mails a minute, over all companies", "30")
    per_day: _Count = setting("SMTP_PER_DAY", "mails a day, over all companies", "2000")
    override: Annotated[str, BeforeValidator(_optional_mailbox)] = setting(
        "OVERRIDE_RECIPIENT_EMAIL", "gets every mail outside production; required there, refused in production", ""
    )
    environment: Environment = setting("ENVIRONMENT", "production, staging or development", "development")
    rules: ClassVar = [
        Rule(
            lambda transport, host: transport is Transport.ACS or bool(host),
            ("transport", "host"),
            "SMTP_HOST",
            "must be set, or MAIL=acs and ACS_ENDPOINT",
        ),
        Rule(
            lambda transport, endpoint: bool(endpoint) == (transport is Transport.ACS),
            ("transport", "acs_endpoint"),
            "ACS_ENDPOINT",
            "must be set with MAIL=acs, and only then",
        ),
        Rule(
            _agree,
            ("security", "port", "use_tls", "use_ssl"),
            "SMTP_SECURITY",
            "contradicts SMTP_PORT, SMTP_USE_TLS or SMTP_USE_SSL: 587 is starttls, 465 is tls",
        ),
        Rule(
            lambda auth, user, password: auth is not Auth.XOAUTH2 or (bool(user) and not password.get_secret_value()),
            ("auth", "user", "password"),
            "SMTP_AUTH",
            "may be xoauth2 only with SMTP_USER and without SMTP_PASSWORD",
        ),
        Rule(
            lambda auth: auth is not Auth.NONE,
            ("auth",),
            "SMTP_AUTH",
            "must be password or xoauth2; without SMTP_USER nobody signs in",
        ),
        Rule(
            lambda override, environment: bool(override) != (environment is Environment.PRODUCTION),
            ("override", "environment"),
            "OVERRIDE_RECIPIENT_EMAIL",
            "must be set outside production, and must not be set in production",
        ),
        Rule(
            lambda security, host, user: security is not Security.NONE or (_is_local(host) and not user),
            ("security", "host", "user"),
            "SMTP_SECURITY",
            "may be none only for a server on this machine, without a login",
        ),
    ]

    def server(self) -> Server:
        """Return the server to connect to; the certificate is always verified."""
        return Server(
            host=self.host,
            port=self.port,
            security=self.security or (Security.TLS if self.use_ssl or self.port == TLS_PORT else Security.STARTTLS),
            auth=(self.auth or Auth.PASSWORD) if self.user else Auth.NONE,
            user=self.user,
            secret=self.password.get_secret_value,
            helo=self.sender.rpartition("@")[2],
        )


class BounceSettings(SettingsGroup):
    """Who may post what became of mails."""

    secret: Annotated[SecretStr, AfterValidator(_signing)] = setting(
        "BOUNCE_SECRET", "whsec_ and base64: signs bounces that are posted; empty: none are taken", "", secret=True
    )
    events: Annotated[SecretStr, AfterValidator(_shared)] = setting(
        "MAIL_EVENTS_SECRET",
        "32 signs or more that Event Grid sends with mail events; empty: none taken",
        "",
        secret=True,
    )


def _is_local(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")
