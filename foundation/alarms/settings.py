"""The settings of where alarms go, for both apps."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, cast

from pydantic import BeforeValidator, SecretStr

from foundation.alarms.catalogue import Language
from foundation.outgoing.addresses import Network, parse_networks
from foundation.settings import urls
from foundation.settings.groups import Rule, SettingsGroup, setting
from foundation.settings.values import https_url, refuse_reference

_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{20,100}")
"""Source: https://core.telegram.org/bots/api#authorizing-your-bot"""
_CHAT = re.compile(r"-?[0-9]{1,20}|@[A-Za-z0-9_]{5,32}")
_MAILBOX = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
SMTP_PORTS = {"smtps": 465, "smtp": 587}


def _optional(parse: Callable[[str], Any]) -> BeforeValidator:
    return BeforeValidator(lambda text: parse(text) if text else None)


def language(text: str) -> Language:
    """Accept a language that alarms are written in."""
    if text not in ("en", "pt"):
        raise ValueError("must be en or pt")
    return cast("Language", text)


def networks(text: str) -> tuple[Network, ...]:
    """Accept networks separated by commas; ``-`` means no network."""
    try:
        return () if text in ("", "-") else parse_networks(text)
    except ValueError:
        raise ValueError("must be networks separated by commas, like 10.0.0.0/24,fd00::/64; or - for none") from None


def _token(text: str) -> str:
    refuse_reference(text)
    if not _TOKEN.fullmatch(text.strip()):
        raise ValueError("must be the token that BotFather gave, digits:letters")
    return text.strip()


def _chat(text: str) -> str:
    if not _CHAT.fullmatch(text):
        raise ValueError("must be the id of a chat, like -1001234567890, or @channel")
    return text


def _mailboxes(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(_MAILBOX.fullmatch(one) for one in found):
        raise ValueError("must be e-mail addresses separated by commas")
    return found


def _mailbox(text: str) -> str:
    if not _MAILBOX.fullmatch(text):
        raise ValueError("must be one e-mail address")
    return text


def _smtp_url(text: str) -> str:
    refuse_reference(text)
    url = urls.split_url(text.strip())
    if url is None or url.scheme not in SMTP_PORTS or url.path not in ("", "/"):
        raise ValueError(
            "must be smtps://USER:PASSWORD@HOST:465, "  # pragma: allowlist secret
            "or smtp://USER:PASSWORD@HOST:587 for STARTTLS"  # pragma: allowlist secret
        )
    return text.strip()


_Post = Annotated[SecretStr | None, _optional(https_url)]


class AlarmSettings(SettingsGroup):
    """Where alarms go; known even when nothing else is."""

    alarm_webhook_url: _Post = setting(
        "ALARM_WEBHOOK_URL", "Where alarms are posted as JSON, beside the log", "", secret=True
    )
    slack_url: _Post = setting("ALARM_SLACK_URL", "Incoming webhook of Slack", "", secret=True)
    teams_url: _Post = setting(
        "ALARM_TEAMS_URL", 'Address of a Teams workflow "when a webhook request is received"', "", secret=True
    )
    discord_url: _Post = setting("ALARM_DISCORD_URL", "Webhook of a Discord channel", "", secret=True)
    telegram_token: Annotated[SecretStr | None, _optional(_token)] = setting(
        "ALARM_TELEGRAM_TOKEN", "Token of a Telegram bot", "", secret=True
    )
    telegram_chat: Annotated[str | None, _optional(_chat)] = setting(
        "ALARM_TELEGRAM_CHAT", "Chat the bot writes to, by its id or @channel", ""
    )
    mail_to: Annotated[tuple[str, ...], BeforeValidator(_mailboxes)] = setting(
        "ALARM_EMAIL_TO", "Who gets alarms by e-mail, separated by commas", ""
    )
    mail_from: Annotated[str | None, _optional(_mailbox)] = setting(
        "ALARM_EMAIL_FROM", "Sender of that e-mail, which its server must accept", ""
    )
    mail_server: Annotated[SecretStr | None, _optional(_smtp_url)] = setting(
        "ALARM_SMTP_URL",
        "Its server and sign-in: `smtps://…@HOST:465`, or `smtp://…@HOST:587` for STARTTLS",
        "",
        secret=True,
    )
    heartbeat_url: _Post = setting(
        "HEARTBEAT_URL", "Asked after each whole sweep; a dead man's switch tells when it stops", "", secret=True
    )
    alarm_language: Annotated[Language, BeforeValidator(language)] = setting(
        "ALARM_LANGUAGE", "Language of the alarms: `en` or `pt`", "en"
    )
    inside_networks: Annotated[tuple[Network, ...], BeforeValidator(networks)] = setting(
        "INSIDE_NETWORKS",
        "Networks of your own that alarms may be posted to, besides public addresses",
        "127.0.0.0/8,::1/128",
    )
    rules: ClassVar[Sequence[Rule]] = (
        Rule(
            lambda token, chat: (token is None) == (chat is None),
            ("telegram_token", "telegram_chat"),
            "ALARM_TELEGRAM_CHAT",
            "and ALARM_TELEGRAM_TOKEN must be set together",
        ),
        Rule(
            lambda to, sender, server: bool(to) == (sender is not None) == (server is not None),
            ("mail_to", "mail_from", "mail_server"),
            "ALARM_EMAIL_TO",
            "ALARM_EMAIL_FROM and ALARM_SMTP_URL must be set together",
        ),
    )
