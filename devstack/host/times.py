"""
How long the platform waits: each value as it was observed, host 4.1037 with the Storage Queues extension 5.3.10.

``DEVSTACK_TIME_SCALE=0.01`` makes each a hundredth, so that a test need not wait ten minutes for a
message to come back. Without it the values are the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

SCALE_SETTING = "DEVSTACK_TIME_SCALE"
STOP_SETTING = "DEVSTACK_STOP_S"
"""Seconds of grace at a stop, instead of the platform's 37: a stack that somebody ends need not wait for its work."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """The platform's waiting times, in seconds."""

    lock_s: float = 600.0
    """A taken message is hidden for so long, renewed at half of it. Source: QueueListener.cs."""
    first_retry_s: float = 0.8
    """Before the first of five repetitions of a storage call, doubled each time: 25 s in all. Source: Azure.Core."""
    stop_s: float = 37.0
    """From the signal to the end of the process, if something still runs."""
    timeout_answer_s: float = 13.0
    """From ``functionTimeout`` to the failure of that invocation: its worker is replaced first."""
    deaths_within_s: float = 65.0
    """The third death of a worker within this time ends the host."""
    listener_lease_s: float = 60.0
    """One host at a time runs the timers, by a lease on a blob. Source: SingletonOptions.cs."""
    listener_retry_s: float = 60.0
    """How often a host without the lease tries to get it. Source: SingletonOptions.cs."""
    past_due_start_s: float = 11.0
    """From the start of a host to the run of a timer that missed its time."""
    head_s: float = 30.0
    """The longest a client may take to send the headers. Source: Kestrel, RequestHeadersTimeout."""
    body_grace_s: float = 5.0
    """After this a body must have come with 240 bytes a second. Source: Kestrel, MinRequestBodyDataRate."""
    restart_s: float = 5.0
    """From the end of a host process to the start of the next, by the platform."""

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Self:
        """Return the real times, scaled as *settings* say."""
        scale = float(settings.get(SCALE_SETTING, "1"))
        real = cls()
        scaled = replace(real, **{each.name: getattr(real, each.name) * scale for each in fields(cls)})
        stop = settings.get(STOP_SETTING)
        return replace(scaled, stop_s=float(stop)) if stop else scaled
