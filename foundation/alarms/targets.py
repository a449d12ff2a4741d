"""
Where alarms go: always an error line in the log, and one JSON post for each look where an address is set.

The line's event ``alarm`` and its fields are what alert rules of the platform read.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from foundation import logs
from foundation.alarms.catalogue import Language, Severity
from foundation.alarms.model import Fact, Message, Word
from foundation.errors import Transient
from foundation.outgoing.guard import Limits, OutgoingGuard, Request

DEADLINE_S: Final = 5
TEXT_CHARS_MAX: Final = 3_500
"""Chat services cut or refuse longer texts (Telegram at 4,096)."""
_DETAIL_CHARS_MAX: Final = 300

_log = logging.getLogger(__name__)


class NotDelivered(Transient):
    """The target did not take the messages."""


@dataclass(frozen=True, slots=True)
class LogTarget:
    """Messages as lines in the log: an error while it stands, information when it ended."""

    language: Language = "en"

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Write a line for each message."""
        for message in messages:
            fields: dict[str, logs.Field] = {
                "code": message.kind.code,
                "summary": summary_of(message, self.language),
                "action": message.kind.texts[self.language].action,
                "subject": subject_of(message),
                "severity": message.kind.severity.name.lower(),
                "id": message.id,
                "count": message.count,
                "since_ms": message.since_ms,
            }
            if message.word is Word.STANDS:
                logs.error(_log, "alarm", **fields)
            else:
                logs.info(_log, "alarm_over", **fields)


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookTarget:
    """
    Messages as one JSON document, posted through the outgoing guard.

    ``text`` holds it all in words, as chat services read it; the other fields are for programs, those of
    the most severe message at the top. The address is a secret and never goes into a line.
    """

    guard: OutgoingGuard
    url: str = field(repr=False)
    title: str
    language: Language = "en"

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Post *messages* together. Raises Transient if the answer is not a success."""
        body = json.dumps(document_of(messages, self.title, self.language), ensure_ascii=False).encode()
        request = Request(url=self.url, method="POST", headers={"Content-Type": "application/json"}, body=body)
        answer = await self.guard.send(request, Limits(deadline_s=DEADLINE_S))
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise NotDelivered(f"the target answered {answer.status}")


@dataclass(frozen=True, slots=True)
class AllTargets:
    """Every target in turn; what one of them did not take is due again for all."""

    targets: Sequence[LogTarget | WebhookTarget]

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Deliver to each target, also after one failed; raise what failed first."""
        failed: list[Transient] = []
        for target in self.targets:
            try:
                await target.deliver(messages)
            except Transient as error:
                failed.append(error)
        if failed:
            raise failed[0]


def summary_of(message: Message, language: Language) -> str:
    """Return what happened in one line: the catalogue's sentence, how many, and the oldest one's detail."""
    said = message.kind.texts[language].summary
    many = f" ({message.count})" if message.count > 1 else ""
    detail = f" {_cut(message.facts[0].detail)}" if message.facts and message.facts[0].detail else ""
    return f"{said}{many}{detail}"


def subject_of(message: Message) -> str:
    """Return whom or what it is about, the oldest first."""
    return ", ".join(fact.subject for fact in message.facts if fact.subject)


def document_of(messages: Sequence[Message], title: str, language: Language) -> Mapping[str, object]:
    """Return the JSON document of one post."""
    each = [_entry(message, language) for message in messages]
    text = "\n\n".join(_words(message, title, language) for message in messages)
    return {
        "text": text if len(text) <= TEXT_CHARS_MAX else text[: TEXT_CHARS_MAX - 1] + "…",
        **each[0],
        "alarms": each,
    }


def _entry(message: Message, language: Language) -> Mapping[str, object]:
    return {
        "code": message.kind.code,
        "summary": summary_of(message, language),
        "action": message.kind.texts[language].action,
        "subject": subject_of(message),
        "id": message.id,
        "state": message.word.value,
        "severity": message.kind.severity.name.lower(),
        "since_ms": message.since_ms,
        "count": message.count,
        "new": message.new,
    }


def _words(message: Message, title: str, language: Language) -> str:
    said = message.kind.texts[language]
    words = _WORDS[language]
    if message.word is Word.ENDED:
        return f"{title}: {words['ended']}: {said.summary} [{message.kind.code}]"
    loud = f"{words['critical']}: " if message.kind.severity is Severity.CRITICAL else ""
    lines = [f"{title}: {loud}{said.summary} [{message.kind.code}]"]
    if message.count > 1:
        lines.append(f"{words['count']}: {message.count} ({words['new']}: {message.new})")
    lines += [f"- {_fact(fact)}" for fact in message.facts if _fact(fact)]
    lines += [f"{words['todo']}: {said.action}"]
    lines += [f"{words['seen']}: {message.seen_by}"] if message.seen_by else []
    return "\n".join(lines)


def _fact(fact: Fact) -> str:
    return ": ".join(part for part in (fact.subject, _cut(fact.detail)) if part)


def _cut(text: str, chars_max: int = _DETAIL_CHARS_MAX) -> str:
    return text if len(text) <= chars_max else text[: chars_max - 1] + "…"


_WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "ended": "over",
        "critical": "CRITICAL",
        "count": "how many",
        "new": "new",
        "todo": "To do",
        "seen": "seen by",
    },
    "pt": {
        "ended": "encerrado",
        "critical": "CRÍTICO",
        "count": "quantos",
        "new": "novos",
        "todo": "O que fazer",
        "seen": "visto por",
    },
}
