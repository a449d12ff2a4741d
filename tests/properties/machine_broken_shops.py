"""Disciplines of the shops taken away: what is taken for an identity, and who may say whose a secret is."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from distributor.ledger.shop_owners import Owners
from distributor.model import Order
from distributor.payout.shop_registration import ShopRegistration
from distributor.settings.shop_secrets import SecretName

Patch = pytest.MonkeyPatch


def a_name_is_an_identity(patch: Patch) -> None:
    """Take an order for that shop's whose setting it came under, whatever secret signed it."""

    def of(_self: Owners, order: Order) -> str:
        return order.source

    patch.setattr(Owners, "of", of)


def a_new_secret_is_a_new_shop(patch: Patch) -> None:
    """Register every secret by itself, for the name of the setting that holds it."""

    async def takes_all(self: ShopRegistration, marks: Mapping[SecretName, str], owners: Mapping[str, str]) -> None:
        for name, mark in marks.items():
            if mark not in owners:
                await self._add(mark, name.source, "rotation")

    patch.setattr(ShopRegistration, "_rotated", takes_all)
