"""What every example of a shop must do, in whatever language: the tests of each language call these."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence

from tests.integration.scripted_front import ARGUMENTS, CUT, PAGE, PROBLEM, SECRET, STORED, scripted_front


def run(
    command: Sequence[str], url: str, environment: Mapping[str, str] | None = None, secret: str = SECRET
) -> tuple[int, str, str]:
    """Run an example; return its exit code and what it printed."""
    environ = {**(environment or os.environ), "WEBHOOK_URL": url, "WEBHOOK_SECRET": secret, "WAITS": "0 0 0"}
    ran = subprocess.run([*command, *ARGUMENTS], env=environ, capture_output=True, text=True, timeout=60, check=False)
    return ran.returncode, ran.stdout, ran.stderr


def stores_an_order(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Sent once, signed with a time, printed as it was answered; a known order's 200 is as good."""
    for status in (202, 200):
        with scripted_front(status) as front:
            code, said, _ = run(command, front.url, environment)
        assert (code, json.loads(said)["status"]) == (0, "received")
        assert [(method, path, json.loads(body)) for method, path, body in front.asked] == [
            ("POST", "/webhook", STORED)
        ]


def sends_again_what_may_be_sent_again(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """A cut connection, too often, not now: the same bytes again, until it is stored; then nobody is asked any more."""
    with scripted_front(CUT, 429, 202, retry_after="1") as front:
        code, said, complaint = run(command, front.url, environment)
    assert (code, json.loads(said)["order_id"]) == (0, "1001"), complaint
    assert len({body for _, _, body in front.asked}) == 1
    assert len(front.asked) == 3
    assert front.times[2] > front.times[1]  # Retry-After was kept, and the time signed anew


def gives_up_with_a_code_of_its_own(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Nobody knows whether it is stored: 75, which says "later" to a shell."""
    with scripted_front(503, 500, CUT) as front:
        code, said, complaint = run(command, front.url, environment)
    assert (code, said, bool(complaint)) == (75, "", True)
    assert len(front.asked) == 3


def prints_the_problem_of_a_refused_order(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Once: sent again it would be refused again. A wrong secret is refused too."""
    with scripted_front(422) as front:
        code, said, complaint = run(command, front.url, environment)
    assert (code, said, json.loads(complaint)) == (1, "", PROBLEM)
    assert len(front.asked) == 1
    with scripted_front() as front:
        assert run(command, front.url, environment, secret="another secret, of 32 bytes too!!")[0] == 1
        assert len(front.asked) == 1


def believes_only_the_service(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """
    A proxy's page says neither that an order is stored nor that it is refused, and a redirect is not followed.

    Azure answers 403 with a page while an app is stopped.
    Source: https://learn.microsoft.com/archive/blogs/waws/azure-web-apps-error-403-this-web-app-is-stopped
    """
    with scripted_front(PAGE + 200, PAGE + 403, 202) as front:
        code, said, complaint = run(command, front.url, environment)
    assert (code, json.loads(said)["order_id"]) == (0, "1001"), complaint
    with scripted_front(202) as elsewhere, scripted_front(307, PAGE + 404, PAGE + 202, redirect=elsewhere.url) as front:
        assert run(command, front.url, environment)[:2] == (75, "")
        assert len(front.asked) == 3
        assert elsewhere.asked == []


def says_what_it_must_be_given(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """An argument short, or without a setting: in words, with a code that no refusal has; nothing is sent."""
    environ = {name: text for name, text in (environment or os.environ).items() if not name.startswith("WEBHOOK_")}
    with scripted_front() as front:
        settings = {"WEBHOOK_URL": front.url, "WEBHOOK_SECRET": SECRET}
        for given, arguments in ((settings, ARGUMENTS[:-1]), ({"WEBHOOK_URL": front.url}, ARGUMENTS)):
            ran = subprocess.run(
                [*command, *arguments],
                env={**environ, **given},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (2, "", 1), ran.stderr
        assert front.asked == []


RULES = (
    says_what_it_must_be_given,
    stores_an_order,
    sends_again_what_may_be_sent_again,
    gives_up_with_a_code_of_its_own,
    prints_the_problem_of_a_refused_order,
    believes_only_the_service,
)
