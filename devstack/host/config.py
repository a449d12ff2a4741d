"""
The host's configuration: ``host.json``, ``local.settings.json`` and the environment, read as Azure reads them.

Sources: learn.microsoft.com/azure/azure-functions/functions-host-json (keys, defaults, the
``AzureFunctionsJobHost__`` overrides), functions-app-settings (``AzureWebJobs.<name>.Disabled``).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

_OVERRIDE = "AzureFunctionsJobHost__"
_POLLING_MIN_S = 0.1
_DAY_S = 86_400
_DEVELOPMENT_STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;"
)  # The emulator's published account: the same on every machine, and worth nothing.


class BadHostConfig(Exception):
    """The host cannot start with these files; the message names the value and what is accepted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueOptions:
    """``extensions.queues`` of host.json, with the platform's defaults."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    max_polling_interval_s: float = 60.0
    visibility_timeout_s: float = 0.0
    """How long a *failed* message hides; a running one hides for ten minutes whatever is set here."""
    encoding: Literal["base64", "none"] = "base64"

    @classmethod
    def parse(cls, section: Mapping[str, Any]) -> Self:
        """Read the section. Raises BadHostConfig outside the ranges of QueuesOptions.cs."""
        batch_size = _whole(section, "batchSize", 16, 1, 32)
        encoding = section.get("messageEncoding", "base64")
        if encoding not in {"base64", "none"}:
            raise BadHostConfig(f"host.json messageEncoding is {encoding!r}; use base64 or none")
        longest_s = seconds(section.get("maxPollingInterval", "00:01:00"))
        if longest_s < _POLLING_MIN_S:
            raise BadHostConfig(f"host.json maxPollingInterval is {longest_s} s; the least is {_POLLING_MIN_S} s")
        return cls(
            batch_size=batch_size,
            new_batch_threshold=_whole(section, "newBatchThreshold", batch_size // 2, 0),
            max_dequeue_count=_whole(section, "maxDequeueCount", 5, 1),
            max_polling_interval_s=longest_s,
            visibility_timeout_s=seconds(section.get("visibilityTimeout", "00:00:00")),
            encoding=encoding,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class HostConfig:
    """One app's host: where it is, its options, and the settings its functions see."""

    app: Path
    settings: Mapping[str, str]
    queues: QueueOptions
    route_prefix: str = "api"
    function_timeout_s: float | None = 1800.0
    """None: unlimited (``-1``)."""

    def expand(self, text: str) -> str:
        """Replace each ``%NAME%`` by the setting of that name, as the host does in queue names and schedules."""
        return re.sub(r"%([^%]+)%", lambda found: self.setting(found[1]), text)

    def setting(self, name: str) -> str:
        """Return a setting that must be there."""
        value = self.settings.get(name)
        if value is None:
            raise BadHostConfig(f"setting {name} is missing")
        return value

    def storage(self, name: str) -> str:
        """Return the connection string a binding's ``connection`` names; emptiness means AzureWebJobsStorage."""
        text = self.setting(name or "AzureWebJobsStorage")
        return _DEVELOPMENT_STORAGE if text.rstrip(";") == "UseDevelopmentStorage=true" else text

    def disabled(self, function: str) -> bool:
        """Tell whether ``AzureWebJobs.<function>.Disabled`` (or its ``__`` form) turns the function off."""
        names = (f"AzureWebJobs.{function}.Disabled", f"AzureWebJobs__{function}__Disabled")
        return any(self.settings.get(name, "").lower() in {"1", "true"} for name in names)


def load(app: Path, environment: MutableMapping[str, str] = os.environ, *, local_settings: bool = True) -> HostConfig:
    """
    Read the configuration of *app*, and put the values of local.settings.json (if any) into *environment*.

    A variable that is set already wins over the file, as it does under ``func start``.
    """
    local = app / "local.settings.json"
    if local_settings and local.exists():
        for name, value in _json(local).get("Values", {}).items():
            environment.setdefault(name, str(value))
    host = _overridden(_json(app / "host.json"), environment)
    try:
        extensions = host.get("extensions", {})
        return HostConfig(
            app=app,
            settings=environment,
            queues=QueueOptions.parse(extensions.get("queues", {})),
            route_prefix=str(extensions.get("http", {}).get("routePrefix", "api")).strip("/"),
            function_timeout_s=_timeout(str(host.get("functionTimeout", "00:30:00"))),
        )
    except (AttributeError, TypeError) as why:  # a section that is no object
        raise BadHostConfig(f"host.json: {why}") from why


def seconds(text: str | int) -> float:
    """
    Return a .NET time span in seconds: ``hh:mm:ss`` with optional sign, fraction and days (``d.hh:mm:ss``).

    A bare number is days, as .NET has it.
    """
    if re.fullmatch(r"-?\d+", str(text)):
        return int(text) * float(_DAY_S)
    found = re.fullmatch(r"(-?)(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)", str(text))
    if not found:
        raise BadHostConfig(f"{text!r} is no time span; write hh:mm:ss")
    sign, days, hours, minutes, rest = found.groups()
    span = ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + float(rest)
    return -span if sign else span


def _timeout(text: str) -> float | None:
    if text in {"-1", "-00:00:01"}:
        return None
    if (span := seconds(text)) <= 0:
        raise BadHostConfig(f"host.json functionTimeout is {text!r}; it must be longer than nothing, or -1")
    return span


def _whole(section: Mapping[str, Any], name: str, default: int, least: int, most: float = float("inf")) -> int:
    value = section.get(name, default)
    try:
        number = int(value)
    except (TypeError, ValueError) as why:
        raise BadHostConfig(f"host.json {name} is {value!r}; it must be a whole number") from why
    if not least <= number <= most:
        raise BadHostConfig(f"host.json {name} is {number}; it must be between {least} and {most}")
    return number


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as why:
        raise BadHostConfig(f"{path}: {why}") from why
    if not isinstance(value, dict):
        raise BadHostConfig(f"{path} must hold one JSON object")
    return value


def _overridden(host: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Apply ``AzureFunctionsJobHost__extensions__queues__batchSize=1`` and its like; a missing key is made."""
    for name, value in environment.items():
        if name.startswith(_OVERRIDE):
            *parents, last = name.removeprefix(_OVERRIDE).split("__")
            section = host
            for parent in parents:
                section = section.setdefault(parent, {})
            section[last] = value
    return host
