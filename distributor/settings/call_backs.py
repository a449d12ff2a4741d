"""The settings of where each shop is told what became of its orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, SecretStr

from distributor.model import DEFAULT_SOURCE
from distributor.settings import values as accept
from foundation.alarms.settings import networks
from foundation.outgoing.addresses import Network
from foundation.settings import values as kinds
from foundation.settings.groups import SettingsGroup, family, setting
from foundation.settings.values import optional, parsed


class CallBackSettings(SettingsGroup):
    """
    Where the shops are told; without an address a shop is not told, and asks.

    A wrong address stops the call-backs of all shops until it is corrected: what is announced meanwhile is kept, while
    a shop without an address has its announcements dropped.
    """

    callback_url: Annotated[SecretStr | None, parsed(optional(kinds.https_url))] = setting(
        "CALLBACK_URL", "Where the shop that signs with WEBHOOK_SECRET is told of its orders", "", secret=True
    )
    callback_urls: Mapping[str, Annotated[SecretStr, parsed(kinds.https_url)]] = family(
        "CALLBACK_URL__<SOURCE>",
        "Where one more shop is told: `CALLBACK_URL__SHOP_B` is the source `shop-b`",
        accept.shop_suffix,
        secret=True,
    )
    inside_networks: Annotated[tuple[Network, ...], BeforeValidator(networks)] = setting(
        "CALLBACK_NETWORKS",
        "Networks of your own that shops may be told in, besides public addresses; `-`: none",
        "-",
    )

    @property
    def addresses(self) -> Mapping[str, str]:
        """The address of each shop that has one, by its source."""
        default = {DEFAULT_SOURCE: self.callback_url} if self.callback_url is not None else {}
        return {source: url.get_secret_value() for source, url in {**default, **self.callback_urls}.items()}
