"""
Settings: what can be set, what a text is accepted as, what settings must agree on.

Small groups are declared in ``chain``, ``shops`` and ``operations``; ``use_cases`` says which of them each use
case needs. ``foundation.settings.reading`` builds them.
"""

from __future__ import annotations

from collections.abc import Mapping

from distributor.settings.use_cases import ALL
from foundation.settings.groups import Setting, settings_of


def about() -> Mapping[str, Setting]:
    """Return what there is to know about every setting, by its name, in the order of the README's table."""
    return settings_of(ALL)


__all__ = ["ALL", "about"]
