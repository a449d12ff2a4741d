"""Messages in words and in fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from foundation.alarms.catalogue import Language, Severity
from foundation.alarms.model import AlarmState, Fact, Message

TEXT_CHARS_MAX: Final = 3_500
"""Chat services cut or refuse longer texts (Telegram at 4,096)."""
_DETAIL_CHARS_MAX: Final = 300


def summary_of(message: Message, language: Language) -> str:
    """Return what happened in one line: the catalogue's sentence, how many, and the oldest one's detail."""
    said = message.kind.texts[language].summary
    many = f" ({message.count})" if message.count > 1 else ""
    first = _detail(message, message.facts[0], language) if message.facts else ""
    detail = f" {first}" if first else ""
    return f"{said}{many}{detail}"


def message_subjects(message: Message) -> str:
    """Return the subjects of the message, the oldest first."""
    return ", ".join(fact.subject for fact in message.facts if fact.subject)


def document_of(messages: Sequence[Message], title: str, language: Language) -> Mapping[str, object]:
    """Return the JSON document of one post."""
    each = [_entry(message, language) for message in messages]
    return {
        "text": message_text(messages, title, language),
        **each[0],
        "alarms": each,
    }


def message_text(
    messages: Sequence[Message], title: str, language: Language, *, chars_max: int = TEXT_CHARS_MAX
) -> str:
    """Return all of *messages* in words, the worst first, cut to what a chat service takes."""
    return _cut("\n\n".join(_words(message, title, language) for message in messages), chars_max)


def _entry(message: Message, language: Language) -> Mapping[str, object]:
    return {
        "code": message.kind.code,
        "summary": summary_of(message, language),
        "action": message.kind.texts[language].action,
        "subject": message_subjects(message),
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
    if message.word is AlarmState.ENDED:
        return f"{title}: {words['ended']}: {said.summary} [{message.kind.code}]"
    loud = f"{words['critical']}: " if message.kind.severity is Severity.CRITICAL else ""
    lines = [f"{title}: {loud}{said.summary} [{message.kind.code}]"]
    if message.count > 1:
        lines.append(f"{words['count']}: {message.count} ({words['new']}: {message.new})")
    lines += [f"- {said_of}" for fact in message.facts if (said_of := _fact(message, fact, language))]
    lines += [f"{words['todo']}: {said.action}"]
    lines += [f"{words['seen']}: {message.seen_by}"] if message.seen_by else []
    return "\n".join(lines)


def _fact(message: Message, fact: Fact, language: Language) -> str:
    return ": ".join(part for part in (fact.subject, _detail(message, fact, language)) if part)


def _detail(message: Message, fact: Fact, language: Language) -> str:
    return _cut(message.kind.detail_in(fact.detail, language))


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
