"""What callers see of errors, and that the app can be indexed without a setting."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from devstack import paths
from foundation.errors import ConfigurationError, Rejected, Transient
from foundation.http.handler import WrongMethod
from payflow.alarms import CATALOGUE
from payflow.delivery.doors import BadBounceSignature
from payflow.delivery.event_door import UnknownFormat
from payflow.functions.problems import to_problem


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (WrongMethod("PUT", ["GET"]), 405, "wrong_method"),
        (Rejected("no"), 404, "rejected"),
        (BadBounceSignature("no"), 401, "bad_signature"),
        (UnknownFormat("no"), 415, "unknown_format"),
        (ConfigurationError("secret place"), 503, "not_configured"),
        (Transient("secret place"), 503, "unavailable"),
        (ValueError("secret place"), 500, "internal_error"),
    ],
)
def test_each_error_is_one_problem(error: Exception, status: int, code: str) -> None:
    """The details are in the log."""
    problem = to_problem(error)

    assert (problem.status, problem.code) == (status, code)
    assert "secret place" not in f"{problem.detail} {problem.headers}"


def test_the_app_is_indexed_without_a_setting() -> None:
    """An app whose module raises has no functions at all; and the start loads neither httpx nor a chain library."""
    code = (
        "import sys, payflow_app; names = sorted(f.get_function_name() for f in payflow_app.app.get_functions());"
        "heavy = {'httpx', 'jinja2', 'web3', 'distributor', 'azure.data.tables'};"
        "print(' '.join(names)); print(sorted(heavy & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    names, loaded = ended.stdout.splitlines()
    assert names == (
        "back_up bounces connect console healthz lane lane_poisoned mail_events metrics oauth_callback office "
        "office_mail office_mail_poisoned ready wake_lanes"
    )
    assert loaded == "[]"


@pytest.mark.parametrize("page", ["console.md", "console.pt-BR.md"])
def test_the_console_page_names_every_door_that_no_sign_in_may_shut(page: str) -> None:
    """A door behind the platform's sign-in answers with a page that no mail service fills in."""
    sources = [each.read_text("utf-8") for each in sorted((paths.ROOT / "payflow" / "functions").glob("*.py"))]
    routes = [route.split("/") for source in sources for route in re.findall(r'\.route\("([^"]+)"', source)]
    doors = {f"`/{first}{'/*' if rest else ''}`" for first, *rest in routes if first != "console"}
    text = (paths.ROOT / "docs" / "payflow" / page).read_text("utf-8")

    assert len(doors) == 8
    assert [door for door in sorted(doors) if door not in text] == []


def test_every_alarm_says_what_to_do() -> None:
    """In both languages."""
    for code in CATALOGUE.codes:
        for text in CATALOGUE.find(code).texts.values():
            assert text.summary.endswith(".")
            assert text.action.endswith(".")
