"""Which targets the settings make."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from foundation.alarms.configured import heartbeat_of, targets_of
from foundation.alarms.heartbeat import Heartbeat
from foundation.alarms.mail_target import MailServer, MailTarget
from foundation.alarms.model import LOG
from foundation.alarms.settings import AlarmSettings
from foundation.alarms.targets import PostTarget
from foundation.errors import ConfigurationError
from foundation.outgoing.addresses import parse_networks
from foundation.outgoing.guard import OutgoingGuard
from foundation.settings.reading import read_group
from tests.unit.foundation.test_alarm_register import World
from tests.unit.foundation.test_alarm_targets import Hook, hook

__all__ = ["hook"]

TOKEN = "123456:" + "a" * 35
ALL = {
    "ALARM_WEBHOOK_URL": "https://hooks.example/key",
    "ALARM_SLACK_URL": "https://hooks.slack.example/services/key",
    "ALARM_TEAMS_URL": "https://teams.example/workflows/key",
    "ALARM_DISCORD_URL": "https://discord.example/api/webhooks/key",
    "ALARM_TELEGRAM_TOKEN": TOKEN,
    "ALARM_TELEGRAM_CHAT": "-1001",
    "ALARM_EMAIL_TO": "ana@ballx.example, rui@ballx.example",
    "ALARM_EMAIL_FROM": "alarms@ballx.example",
    "ALARM_SMTP_URL": "smtp://us%40er:p%3Ass@mail.example",
    "HEARTBEAT_URL": "https://hc.example/key",
}


def test_without_settings_the_log_alone_is_told() -> None:
    """And no heartbeat is asked."""
    settings = read_group(AlarmSettings, {})

    assert list(targets_of(settings, "BALLX")) == [LOG]
    assert heartbeat_of(settings).url == ""


def test_every_setting_makes_its_target() -> None:
    """By its own name; the bot's token is a part of Telegram's address; no secret is in a repr."""
    settings = read_group(AlarmSettings, ALL)
    targets = targets_of(settings, "BALLX")

    assert list(targets) == [LOG, "webhook", "slack", "teams", "discord", "telegram", "email"]
    bot, mail = targets["telegram"], targets["email"]
    assert isinstance(bot, PostTarget)
    assert bot.url == f"https://api.telegram.org/bot{TOKEN}/sendMessage"
    assert isinstance(mail, MailTarget)
    assert mail.server == MailServer(host="mail.example", port=587, starttls=True, user="us@er", password="p:ss")
    assert mail.recipients == ("ana@ballx.example", "rui@ballx.example")
    assert heartbeat_of(settings).url == "https://hc.example/key"
    assert not any(secret in repr(targets) + repr(settings) for secret in (TOKEN, "p:ss", "key'"))


def test_tls_from_the_first_byte_has_its_own_port() -> None:
    """Smtps is 465 unless another port is named."""
    for url, port in (("smtps://mail.example", 465), ("smtps://mail.example:4650", 4650)):
        mail = targets_of(read_group(AlarmSettings, ALL | {"ALARM_SMTP_URL": url}), "BALLX")["email"]
        assert isinstance(mail, MailTarget)
        assert (mail.server.port, mail.server.starttls, mail.server.user) == (port, False, "")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("ALARM_SLACK_URL", "http://hooks.example/secret", "ALARM_SLACK_URL must be an https URL"),
        ("ALARM_TELEGRAM_TOKEN", "secret", "must be the token that BotFather gave"),
        ("ALARM_TELEGRAM_CHAT", "our chat", "must be the id of a chat"),
        ("ALARM_TELEGRAM_CHAT", "", "must be set together"),
        ("ALARM_EMAIL_TO", "ana", "must be e-mail addresses"),
        ("ALARM_EMAIL_TO", "", "must be set together"),
        ("ALARM_EMAIL_FROM", "alarms", "must be one e-mail address"),
        ("ALARM_EMAIL_FROM", "", "must be set together"),
        ("ALARM_SMTP_URL", "mail.example:secret", "must be smtps://"),
        ("ALARM_SMTP_URL", "", "must be set together"),
        ("ALARM_LANGUAGE", "de", "must be en or pt"),
        ("INSIDE_NETWORKS", "10.0.0.1/8", "must be networks"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(name: str, text: str, sentence: str) -> None:
    """A half-set target is wrong too: it would send nothing and say nothing."""
    with pytest.raises(ConfigurationError, match=sentence) as refused:
        read_group(AlarmSettings, ALL | {name: text})
    assert "secret" not in str(refused.value)


def test_no_inside_network_is_a_hyphen() -> None:
    """The local stack's default is taken away."""
    assert read_group(AlarmSettings, {"INSIDE_NETWORKS": "-"}).inside_networks == ()


def a_heartbeat(url: str) -> Heartbeat:
    """Return a heartbeat that may ask this machine."""
    return Heartbeat(guard=OutgoingGuard(inside=parse_networks("127.0.0.0/8")), url=url)


async def test_a_heartbeat_is_asked_once_a_sweep(hook: Hook) -> None:
    """Without an address nothing is asked, and a switch that answers is no alarm."""
    world = World()
    await a_heartbeat("").beat(world.register)
    await a_heartbeat(hook.url).beat(world.register)

    assert hook.asked == ["GET"]
    assert await world.register.facts() == []


@pytest.mark.parametrize("trouble", [HTTPStatus.NOT_FOUND, "refused"])
async def test_a_switch_that_does_not_answer_is_a_failing_target(hook: Hook, trouble: HTTPStatus | str) -> None:
    """Its address is in no line."""
    world = World()
    hook.status = 404
    await a_heartbeat(hook.url if trouble is HTTPStatus.NOT_FOUND else "https://169.254.169.254/").beat(world.register)

    (fact,) = await world.register.facts()
    assert (fact.code, fact.subject) == ("alarm_target_failing", "heartbeat")
    assert "key" not in fact.detail
