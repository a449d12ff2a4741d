"""Alarms that stay in a list."""

from __future__ import annotations

from distributor.ports import Alarm


class ListAlarms:
    """The alarms raised, in order."""

    def __init__(self) -> None:
        self.raised: list[Alarm] = []

    async def raise_(self, alarm: Alarm) -> None:
        self.raised.append(alarm)

    @property
    def codes(self) -> list[str]:
        return [alarm.code for alarm in self.raised]
