"""
Forms that nobody can forge, and that act once.

The token in a form is bound to the session, the act, its subject and the version of the subject's row as the person
saw it. Once the act is done the row has another version, so that the same form cannot act again; and nobody acts on
something that has changed since they looked.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from itsdangerous import BadData

from foundation.clock import Clock, UnixMs
from foundation.console.sessions import IDLE_MS, ConsoleSession, serializer

_SALT: Final = "console form"


class Purpose(NamedTuple):
    """What a form does, to what, as it was when the form was shown."""

    act: str
    subject: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Forms:
    """
    Tokens of forms.

    Args:
        keys: What signs them, the newest first.
        clock: The time.
    """

    keys: Sequence[str]
    clock: Clock

    def token(self, session: ConsoleSession, purpose: Purpose) -> str:
        """Return the hidden field of a form by which *session* may act for *purpose* during half an hour."""
        return str(serializer(self.keys, _SALT).dumps([*_bound(session, purpose), self.clock()]))

    def allows(self, token: str, session: ConsoleSession, purpose: Purpose) -> bool:
        """Say whether *token* was made for this session and *purpose*, and is not older than half an hour. Total."""
        found = self.version_in(token, session, purpose.act, purpose.subject)
        return found is not None and hmac.compare_digest(json.dumps(found), json.dumps(purpose.version))

    def version_in(self, token: str, session: ConsoleSession, act: str, subject: str) -> str | None:
        """
        Return the version that *token* is bound to; None unless it was made for this session, act and subject.

        Nor is it where it is older than half an hour. Total.
        """
        try:
            *bound, version, made_ms = serializer(self.keys, _SALT).loads(token)
        except (BadData, TypeError, ValueError):
            return None
        same = hmac.compare_digest(json.dumps(bound), json.dumps([session.key, act, subject]))
        return str(version) if same and self.clock() - UnixMs(made_ms) <= IDLE_MS else None


def _bound(session: ConsoleSession, purpose: Purpose) -> list[str]:
    return [session.key, purpose.act, purpose.subject, purpose.version]
