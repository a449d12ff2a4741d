"""A rotation in the midst of a soak: another key pays, another secret signs, one host after the other gets it."""

from __future__ import annotations

import time
from collections.abc import Mapping

from devstack import stack
from devstack.chaos.ground import Ground
from devstack.chaos.parts import life_of
from devstack.chaos.shop import Shop
from devstack.console import StepFailed
from devstack.runs import Run

NEW_SECRET = "the shop's secret from the rotation on"  # pragma: allowlist secret  # noqa: S105 -- of a local stack
ADDED_WITHIN_S = 120.0
"""The command is refused while a node lies or is away; a person types it again."""
_TYPED_AGAIN_AFTER_S = 2.0


def rotated(ground: Ground) -> Mapping[str, str]:
    """Return the settings after the rotation: the keys of before still sign and verify what is under way."""
    settings = ground.settings
    return {
        **settings,
        "OPERATOR_PK": ground.deployment.second_operator_key,
        "OPERATOR_PK_RETIRING": ground.deployment.operator_key,
        "WEBHOOK_SECRET": NEW_SECRET,
        "WEBHOOK_SECRET_PREVIOUS": settings["WEBHOOK_SECRET"],
    }


class Rotation:
    """Rotates the operator's key and the shop's secret as the runbook says, while orders come and everything fails."""

    def __init__(self, ground: Ground, shop: Shop, run: Run) -> None:
        self._ground, self._shop, self._run = ground, shop, run

    def rotate(self) -> str:
        """Let the second key pay, give both hosts the new settings in turn, then let the shop change over."""
        after = rotated(self._ground)
        tries = self._add_operator(after)
        for host, release in zip(self._ground.hosts, self._ground.releases, strict=True):
            release.settings = after
            host.stop()
            host.start()
        self._shop.secret = NEW_SECRET
        return f"operator key and shop secret rotated, one host after the other (add-operator typed {tries} times)"

    def _add_operator(self, settings: Mapping[str, str]) -> int:
        """Return how often the command was typed until it was done. Raises StepFailed."""
        until_s, tries = time.monotonic() + ADDED_WITHIN_S, 0
        words = ("add-operator", "--apply", "--by", "soak", "--why", "rotation")
        while True:
            tries += 1
            try:
                stack.command(life_of(self._run, "rotation", tries), settings, *words)
            except StepFailed:
                if time.monotonic() > until_s:
                    raise
                time.sleep(_TYPED_AGAIN_AFTER_S)
            else:
                return tries
