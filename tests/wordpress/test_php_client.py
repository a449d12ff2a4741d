"""The PHP client and its example, as a shop copies them, on the PHP that WordPress is tested on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devstack.wordpress.parts import Parts
from tests.integration.example_rules import RULES
from tests.integration.scripted_front import PROBLEM, SECRET, scripted_front
from tests.integration.test_readme_examples import example

CLIENTS = Path(__file__).parents[2] / "clients"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_example_does_what_a_shop_must_do(parts: Parts, rule: Callable[..., None]) -> None:
    """Stores, sends again, gives up, and prints why it was refused."""
    rule(parts.php(str(CLIENTS / "examples" / "pay.php")), parts.environment())


@pytest.mark.parametrize("readme", ["README.md", "README.pt-BR.md"])
def test_a_shop_that_copies_the_example_is_understood(parts: Parts, readme: str) -> None:
    """What a shop's developer pastes first must work at once."""
    code = f"set_include_path('{CLIENTS}'); " + example(readme, "php", "BallxClient")
    with scripted_front(202, 200) as front:
        environ = {**parts.environment(), "WEBHOOK_URL": front.url, "WEBHOOK_SECRET": SECRET}
        ran = subprocess.run(parts.php("-r", code), env=environ, capture_output=True, text=True, timeout=60, check=True)

    assert ran.stdout == "received received\n"
    assert [path for _, path, _ in front.asked] == ["/webhook", "/shop/orders/1001"]


def asked(parts: Parts, url: str, expression: str) -> Any:
    """Return what *expression* gives, in which ``$client`` is a client; an exception gives its class and message."""
    code = (
        f"require '{CLIENTS / 'BallxClient.php'}'; $client = new BallxClient('{url}', '{SECRET}', [0, 0]);"
        f"try {{ echo json_encode({expression}); }}"
        "catch (Throwable $e) { echo json_encode([get_class($e), $e->getMessage()]); }"
    )
    ran = subprocess.run(
        parts.php("-r", code), env=parts.environment(), capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(ran.stdout)


def test_a_client_asks_where_its_order_is(parts: Parts) -> None:
    """With the signature of a question, for which the path is signed."""
    with scripted_front(200, 404) as front:
        shown = asked(parts, front.url, "$client->status('1001')")
        unknown = asked(parts, front.url, "$client->status('1002')")

    assert shown["status"] == "received"
    assert unknown == ["BallxRefused", f"404 {PROBLEM['code']}: {PROBLEM['detail']}"]
    assert [each[:2] for each in front.asked] == [("GET", "/shop/orders/1001"), ("GET", "/shop/orders/1002")]


def test_a_client_refuses_what_would_be_rounded_and_a_wrong_address(parts: Parts) -> None:
    """Before anything is sent."""
    said = asked(parts, "http://127.0.0.1:1/webhook", "$client->pay(['amount' => 10.5])")
    wrong = asked(parts, "http://127.0.0.1:1/webhook", "(new BallxClient('https://pay.example.com', 'x'))->status('1')")
    nobody = asked(parts, "http://127.0.0.1:1/webhook", "$client->status('1')")

    assert (said[0], "float" in said[1]) == ("InvalidArgumentException", True)
    assert (wrong[0], "/webhook" in wrong[1]) == ("InvalidArgumentException", True)
    assert nobody[0] == "BallxNoAnswer"
