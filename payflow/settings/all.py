"""Every group of settings: what is checked together when it is asked what is wrong."""

from __future__ import annotations

from typing import Final

from foundation.console.settings import ConsoleSettings
from payflow.settings.groups import (
    AlarmSettings,
    ContaAzulSettings,
    KeySettings,
    LookSettings,
    OutgoingSettings,
    RetentionSettings,
    StorageSettings,
)
from payflow.settings.mail import BounceSettings, MailSettings

GROUPS: Final = (
    StorageSettings,
    KeySettings,
    ContaAzulSettings,
    LookSettings,
    OutgoingSettings,
    MailSettings,
    BounceSettings,
    AlarmSettings,
    RetentionSettings,
    ConsoleSettings,
)
