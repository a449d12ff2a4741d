"""What both apps answer when somebody asks how they are."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import azure.functions as func

from foundation.http.responses import json_response
from foundation.version import version


def alive() -> func.HttpResponse:
    """Say that the process lives, and which version it is; touches nothing."""
    return json_response(HTTPStatus.OK, {"status": "alive", "version": version()})


def readiness(document: Mapping[str, object], *, ready: bool) -> func.HttpResponse:
    """Say what works and what does not: 503 unless all of it does."""
    return json_response(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, document)
