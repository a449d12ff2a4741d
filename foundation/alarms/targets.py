"""
Where alarms go: always a line in the log, and one post for each look to each address that is set.

The line's event ``alarm`` and its fields are what alert rules of the platform read. Every post goes
through the outgoing guard. The bodies are written here and not by a library of notifications: those
connect by themselves, to the address the name server gives then, and answer yes or no instead of a status.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from foundation import logs
from foundation.alarms.catalogue import Language
from foundation.alarms.model import AlarmState, Message
from foundation.alarms.wording import document_of, message_subjects, message_text, summary_of
from foundation.errors import Transient
from foundation.outgoing.guard import Limits, OutgoingGuard, Request

DEADLINE_S: Final = 5
_DISCORD_CHARS_MAX: Final = 2_000
"""Source: https://docs.discord.com/developers/resources/webhook#execute-webhook (content)"""

Body = Callable[[Sequence[Message], str, Language], Mapping[str, object]]
"""Makes the JSON document of one post from the messages, the title and the language."""

_log = logging.getLogger(__name__)


class NotDelivered(Transient):
    """The target did not take the messages."""


@dataclass(frozen=True, slots=True)
class LogTarget:
    """Messages as lines in the log: an error while the alarm is active, information when it ended."""

    language: Language = "en"

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Write a line for each message."""
        for message in messages:
            fields: dict[str, logs.Field] = {
                "code": message.kind.code,
                "summary": summary_of(message, self.language),
                "action": message.kind.texts[self.language].action,
                "subject": message_subjects(message),
                "severity": message.kind.severity.name.lower(),
                "id": message.id,
                "count": message.count,
                "since_ms": message.since_ms,
            }
            if message.word is AlarmState.STANDS:
                logs.error(_log, "alarm", **fields)
            else:
                logs.info(_log, "alarm_over", **fields)


@dataclass(frozen=True, kw_only=True, slots=True)
class PostTarget:
    """Messages as one JSON document, posted through the guard. The address is a secret, and never in a line."""

    guard: OutgoingGuard
    url: str = field(repr=False)
    title: str
    body: Body = document_of
    language: Language = "en"

    async def deliver(self, messages: Sequence[Message]) -> None:
        """
        Post *messages* together.

        Raises:
            DestinationRefused: The guard does not ask this address.
            Transient: There was no answer, or it is not a success.
        """
        document = self.body(messages, self.title, self.language)
        body = json.dumps(document, ensure_ascii=False).encode()
        request = Request(url=self.url, method="POST", headers={"Content-Type": "application/json"}, body=body)
        answer = await self.guard.send(request, Limits(deadline_s=DEADLINE_S))
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise NotDelivered(f"the target answered {answer.status}")


@dataclass(frozen=True, slots=True)
class BrokenTarget:
    """A target whose settings are wrong: an alarm like any other failure."""

    why: str

    async def deliver(self, messages: Sequence[Message]) -> None:  # noqa: ARG002 -- nowhere to send them
        """Raise NotDelivered: nothing arrives before the settings are right."""
        raise NotDelivered(self.why)


def slack(messages: Sequence[Message], title: str, language: Language) -> Mapping[str, object]:
    """
    Return a post for an incoming webhook of Slack.

    Source: https://docs.slack.dev/messaging/formatting-message-text (the three characters to escape)
    """
    text = message_text(messages, title, language)
    for plain, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(plain, escaped)
    return {"text": text}


def teams(messages: Sequence[Message], title: str, language: Language) -> Mapping[str, object]:
    """
    Return a post for a workflow of Microsoft Teams ("when a webhook request is received").

    Source: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
    """
    blocks = [
        {"type": "TextBlock", "text": line, "wrap": True, "spacing": "Small"}
        for line in message_text(messages, title, language).split("\n")
        if line
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    content_type = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": content_type, "contentUrl": None, "content": card}]}


def discord(messages: Sequence[Message], title: str, language: Language) -> Mapping[str, object]:
    """Return a post for a webhook of Discord; an order's name mentions nobody."""
    text = message_text(messages, title, language, chars_max=_DISCORD_CHARS_MAX)
    return {"content": text, "allowed_mentions": {"parse": []}}


def telegram(chat: str) -> Body:
    """
    Return what writes a post for a bot of Telegram, to the chat of that id.

    Source: https://core.telegram.org/bots/api#sendmessage
    """

    def body(messages: Sequence[Message], title: str, language: Language) -> Mapping[str, object]:
        text = message_text(messages, title, language)
        return {"chat_id": chat, "text": text, "link_preview_options": {"is_disabled": True}}

    return body
