"""Who may ask for what: the keys of a function, of the host, and the master key."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

FUNCTION_SETTING = "DEVSTACK_FUNCTION_KEY"
"""A function's own key; without any of the three every request passes, as under ``func start``."""
HOST_SETTING = "DEVSTACK_HOST_KEY"
"""Opens every function, and nothing under /admin."""
MASTER_SETTING = "DEVSTACK_MASTER_KEY"
"""Opens everything."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """The three keys; an empty one opens nothing."""

    function: str
    host: str
    master: str

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Self:
        names = {"function": FUNCTION_SETTING, "host": HOST_SETTING, "master": MASTER_SETTING}
        return cls(**{field: settings.get(name, "") for field, name in names.items()})

    @property
    def asked_for(self) -> bool:
        return bool(self.function or self.host or self.master)

    def open(self, level: str, given: str) -> bool:
        """Tell whether *given* opens a function of that level: anonymous, function or admin."""
        return level == "anonymous" or not self.asked_for or self._is_one(given, self._for(level))

    def admin(self, given: str) -> HTTPStatus:
        """Return OK, or the refusal of a path under /admin: a host key is known there and does not open it."""
        if not self.asked_for or self._is_one(given, (self.master,)):
            return HTTPStatus.OK
        return HTTPStatus.FORBIDDEN if self._is_one(given, (self.host,)) else HTTPStatus.UNAUTHORIZED

    def _for(self, level: str) -> tuple[str, ...]:
        return (self.master,) if level == "admin" else (self.function, self.host, self.master)

    @staticmethod
    def _is_one(given: str, keys: tuple[str, ...]) -> bool:
        return any(hmac.compare_digest(given.encode(), key.encode()) for key in keys if key)


def given_key(header: str, query: Mapping[str, str]) -> str:
    """Return the key a request carries; the header decides where both are there."""
    return header or next((value for name, value in query.items() if name.lower() == "code"), "")
