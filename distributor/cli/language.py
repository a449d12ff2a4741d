"""
The language of the commands and of the console: English in the code, Portuguese in one catalogue for translators.

``distributor/locale/pt_BR/LC_MESSAGES/distributor.po`` is what a translator edits; the ``.mo`` beside it
is made of it by ``python3 -m devstack.messages``. The language is that of ``--language``, else of the
first of LANGUAGE, LC_ALL, LC_MESSAGES and LANG that is set, as for every program that uses gettext. The console
speaks with several people at once: each of its requests has a language of its own.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Final, Literal

from distributor.translation import LOCALE, translated
from foundation.errors import ServiceError
from foundation.sentences import N_, Sentence

__all__ = [
    "DOMAIN",
    "LANGUAGES",
    "N_",
    "PORTUGUESE",
    "Code",
    "_",
    "choose",
    "current",
    "detail",
    "messages",
    "speaking",
    "spoken",
]

DOMAIN: Final = "distributor"
PORTUGUESE: Final = "pt_BR"
LANGUAGES: Final = ("en", "pt")
_ENGLISH: Final = gettext.NullTranslations()
_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


Code = Literal["en", "pt"]
_current: ContextVar[Code] = ContextVar("language", default="en")


def _(message: str) -> str:
    """Return *message* in the language in use; the message itself where it is English."""
    return messages(_current.get()).gettext(message) if message else ""


def current() -> Code:
    """Return the language in use, as the catalogue of alarms names it."""
    return _current.get()


@cache
def messages(code: str) -> gettext.NullTranslations:
    """Return the translations into the language *code*; English needs none."""
    return gettext.translation(DOMAIN, LOCALE, [PORTUGUESE], fallback=True) if code == "pt" else _ENGLISH


@contextmanager
def speaking(code: Code) -> Iterator[None]:
    """Use the language *code* inside, for the task that runs now."""
    before = _current.set(code)
    try:
        yield
    finally:
        _current.reset(before)


def spoken(error: ServiceError) -> str:
    """Return what *error* says, in the language of now where it is a sentence with a translation."""
    said = error.args[0]
    return _(said.template).format(**said.values) if isinstance(said, Sentence) else detail(str(error))


def detail(text: str) -> str:
    """Return a detail that a row or an error keeps in English, in the language of now as far as it is known."""
    return translated(text, current())


def choose(arguments: Sequence[str], environ: MutableMapping[str, str]) -> None:
    """
    Use the language that *arguments* or *environ* ask for, English for any other.

    Python's own parser of arguments looks into the environment: what was chosen is written there.
    """
    asked = _asked(arguments) or next((environ[name] for name in _VARIABLES if environ.get(name)), "")
    portuguese = asked.lower().startswith("pt")
    if portuguese or _asked(arguments):
        environ["LANGUAGE"] = PORTUGUESE if portuguese else "en"
    gettext.bindtextdomain(DOMAIN, LOCALE)
    gettext.textdomain(DOMAIN)
    _current.set("pt" if portuguese else "en")


def _asked(arguments: Sequence[str]) -> str:
    """Return what ``--language`` says: it is needed before the arguments can be read, for their own errors."""
    for at, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == "--language":
            return value if equals else next(iter(arguments[at + 1 : at + 2]), "")
    return ""
