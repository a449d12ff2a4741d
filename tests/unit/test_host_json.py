"""host.json, read as strictly as the Functions host does not: a key it does not know it passes over without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

ROOT = Path(__file__).parents[2]
HOSTS = [ROOT / "host.json", ROOT / "payflow" / "host.json"]
Span = Annotated[str, Field(pattern=r"^\d\d:[0-5]\d:[0-5]\d$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Sampling(_Strict):
    isEnabled: Literal[True]  # noqa: N815 -- the host's word, as all of these
    excludedTypes: Literal["Request;Trace;Exception"]  # noqa: N815


class _Insights(_Strict):
    samplingSettings: _Sampling  # noqa: N815


class _Logging(_Strict):
    logLevel: dict[Literal["default", "Function", "Host.Results"], Literal["Warning", "Information"]]  # noqa: N815
    applicationInsights: _Insights  # noqa: N815


class _Http(_Strict):
    routePrefix: Literal[""]  # noqa: N815


class _Queues(_Strict):
    """
    Ranges of the Storage Queues extension, which refuses to start beyond them.

    Source: https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue#host-json
    """

    batchSize: int = Field(ge=1, le=32)  # noqa: N815
    newBatchThreshold: int = Field(ge=0)  # noqa: N815
    maxPollingInterval: Span  # noqa: N815
    visibilityTimeout: Span  # noqa: N815
    maxDequeueCount: Literal[5]  # noqa: N815
    messageEncoding: Literal["base64"]  # noqa: N815


class _Extensions(_Strict):
    http: _Http
    queues: _Queues


class _Bundle(_Strict):
    id: Literal["Microsoft.Azure.Functions.ExtensionBundle"]
    version: str


class HostFile(_Strict):
    """
    What the two files use of it.

    Source: https://learn.microsoft.com/azure/azure-functions/functions-host-json
    """

    version: Literal["2.0"]
    functionTimeout: Span  # noqa: N815
    logging: _Logging
    extensions: _Extensions
    extensionBundle: _Bundle  # noqa: N815


@pytest.mark.parametrize("path", HOSTS, ids=["distributor", "payflow"])
def test_the_host_knows_every_key(path: Path) -> None:
    """And each is there: what is missing has another value by default."""
    found = HostFile.model_validate_json(path.read_text("utf-8"))

    assert found.extensions.queues.newBatchThreshold < found.extensions.queues.batchSize


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("functionTimeout", "functionTimout"),
        ('"00:10:00"', '"10m"'),
        ("maxDequeueCount", "maxDequeCount"),
        ("visibilityTimeout", "visibiltyTimeout"),
        ('"queues"', '"queue"'),
        ("samplingSettings", "sampling"),
        ('"Host.Results"', '"Host.Result"'),
        ('"batchSize": 16', '"batchSize": 64'),
        ('"routePrefix": ""', '"routePrefix": "api"'),
        ("ExtensionBundle", "ExtensionBundel"),
    ],
)
def test_a_wrong_line_is_noticed(line: str, other: str) -> None:
    """One each, so that the test above can fail."""
    text = HOSTS[0].read_text("utf-8")
    assert line in text

    with pytest.raises(ValidationError):
        HostFile.model_validate_json(text.replace(line, other))
