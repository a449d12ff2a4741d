"""A rule of the payout that does not hold."""

from __future__ import annotations


class Broken(AssertionError):
    """A rule of the payout does not hold; the message begins with its name."""

    def __init__(self, rule: str, detail: object) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule = rule


ONLY = frozenset[str]()
"""The rules that are looked at, for a test that is after one harm; empty: all of them."""


def hold(condition: bool, rule: str, detail: object) -> None:
    """Raise Broken unless *condition*."""
    if not condition and (not ONLY or rule in ONLY):
        raise Broken(rule, detail)
