"""
The languages of the office's page: English in the code, Portuguese in a catalogue for translators.

``payflow/locale/pt_BR/LC_MESSAGES/payflow.po`` is what a translator edits; ``python3 -m devstack.messages`` makes of it
what Python reads. An office is in Brazil, so the page is in Portuguese until somebody presses *English*.
"""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path
from typing import Final

from foundation.sentences import N_

__all__ = ["N_", "messages"]

LOCALE: Final = Path(__file__).parents[1] / "locale"
DOMAIN: Final = "payflow"
PORTUGUESE: Final = "pt"


@cache
def messages(code: str) -> gettext.NullTranslations:
    """Return the translations into the language *code*; English needs none."""
    return gettext.translation(DOMAIN, LOCALE, ["pt_BR"]) if code == PORTUGUESE else gettext.NullTranslations()
