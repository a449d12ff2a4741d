"""The targets that the settings name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pydantic import SecretStr

from foundation.alarms.catalogue import Language
from foundation.alarms.heartbeat import Heartbeat
from foundation.alarms.mail_target import MailServer, MailTarget
from foundation.alarms.model import LOG
from foundation.alarms.settings import SMTP_PORTS, AlarmSettings
from foundation.alarms.targets import BrokenTarget, LogTarget, PostTarget, discord, slack, teams, telegram
from foundation.alarms.wording import document_of
from foundation.errors import ConfigurationError
from foundation.outgoing.guard import OutgoingGuard
from foundation.settings import urls

if TYPE_CHECKING:
    from foundation.alarms.notifier import Target
    from foundation.alarms.targets import Body


def targets_of(settings: AlarmSettings, title: str) -> Mapping[str, Target]:
    """Return the targets that *settings* name, by their names, the log among them."""
    guard, language = OutgoingGuard(inside=settings.inside_networks), settings.alarm_language
    targets: dict[str, Target] = {LOG: LogTarget(language)}
    for name, (url, body) in _posts(settings).items():
        if url:
            targets[name] = PostTarget(guard=guard, url=url, title=title, body=body, language=language)
    if settings.mail_server is not None and settings.mail_from is not None:
        targets["email"] = MailTarget(
            guard=guard,
            server=_server(settings.mail_server.get_secret_value()),
            sender=settings.mail_from,
            recipients=settings.mail_to,
            title=title,
            language=language,
        )
    return targets


async def targets_or_log(
    read: Callable[[], Awaitable[AlarmSettings]], title: str, language: Language
) -> Mapping[str, Target]:
    """Return the targets of the settings; while those are wrong, the log, and one target that says so."""
    try:
        return targets_of(await read(), title)
    except ConfigurationError as error:
        return {LOG: LogTarget(language), "settings": BrokenTarget(str(error))}


def heartbeat_of(settings: AlarmSettings) -> Heartbeat:
    """Return what is asked after each whole sweep."""
    return Heartbeat(guard=OutgoingGuard(inside=settings.inside_networks), url=_text(settings.heartbeat_url))


def _posts(settings: AlarmSettings) -> Mapping[str, tuple[str, Body]]:
    token = _text(settings.telegram_token)
    telegram_url = f"https://api.telegram.org/bot{token}/sendMessage" if token else ""
    return {
        "webhook": (_text(settings.alarm_webhook_url), document_of),
        "slack": (_text(settings.slack_url), slack),
        "teams": (_text(settings.teams_url), teams),
        "discord": (_text(settings.discord_url), discord),
        "telegram": (telegram_url, telegram(settings.telegram_chat or "")),
    }


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def _server(text: str) -> MailServer:
    url = urls.split_url(text)
    assert url is not None  # noqa: S101 -- the setting was checked
    return MailServer(
        host=url.hostname or "",
        port=url.port or SMTP_PORTS[url.scheme],
        starttls=url.scheme == "smtp",
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
    )
