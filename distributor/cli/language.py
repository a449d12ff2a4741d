"""
The language of the command line: English in the code, Portuguese in one catalogue that translators know.

``distributor/locale/pt_BR/LC_MESSAGES/distributor.po`` is what a translator edits; the ``.mo`` beside it
is made of it by ``python3 -m devstack.messages``. The language is that of ``--language``, else of the
first of LANGUAGE, LC_ALL, LC_MESSAGES and LANG that is set, as for every program that uses gettext.
"""

from __future__ import annotations

import gettext
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Final, Literal

LOCALE: Final = Path(__file__).parents[1] / "locale"
DOMAIN: Final = "distributor"
PORTUGUESE: Final = "pt_BR"
LANGUAGES: Final = ("en", "pt")
_ENGLISH: Final = gettext.NullTranslations()
_VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


class _Current:
    """The language in use; set once, before the arguments are read."""

    code: Literal["en", "pt"] = "en"
    messages: gettext.NullTranslations = _ENGLISH


def _(message: str) -> str:
    """Return *message* in the language in use; the message itself where it is English."""
    return _Current.messages.gettext(message) if message else ""


def N_(message: str) -> str:  # noqa: N802 -- the name that every extractor of messages knows
    """Mark *message* as one to translate later, where it is shown."""
    return message


def current() -> Literal["en", "pt"]:
    """Return the language in use, as the catalogue of alarms names it."""
    return _Current.code


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
    _Current.code = "pt" if portuguese else "en"
    wanted = [PORTUGUESE] if portuguese else []
    _Current.messages = gettext.translation(DOMAIN, LOCALE, wanted, fallback=True) if wanted else _ENGLISH


def _asked(arguments: Sequence[str]) -> str:
    """Return what ``--language`` says: it is needed before the arguments can be read, for their own errors."""
    for at, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == "--language":
            return value if equals else next(iter(arguments[at + 1 : at + 2]), "")
    return ""
