"""docs/openapi.yaml says what the app does: its routes, its answers and every code it can answer with."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from distributor.call_backs.message import body_of, body_of_test, event_id, headers_of
from distributor.caps import Cap, refusal
from distributor.functions import problems
from distributor.ledger.call_records import CallBack
from distributor.model import OrderStatus
from foundation.clock import UnixMs
from tests.factories import NOW_MS

ROOT = Path(__file__).parents[2]
ROUTES = """
import json, function_app
for function in function_app.app.get_functions():
    for binding in function.get_bindings():
        told = binding.get_dict_repr()
        if told["type"] == "httpTrigger":
            print(json.dumps([told["route"], [str(m) for m in told.get("methods") or []], str(told["authLevel"])]))
"""
TOLD_APART = {"rejected"}
"""The base of all refusals, which nothing raises by itself."""
WOOCOMMERCE = {"woocommerce", "woocommerce_intake", "refunds"}
"""Their reasons are in the answer's `reason`, beside the codes of the interface."""
MADE_OF_A_NAME = {"bad_tipo", "bad_reason"}
"""Codes that orders makes of the field's name, which the scan below cannot read."""


@cache
def document() -> dict[str, Any]:
    """Read the document."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text(encoding="utf-8"))
    return found


PAGES = {"/console/{*page}"}
"""Pages for people: no program reads them, and they may change."""


def operations() -> dict[str, dict[str, Any]]:
    """Every operation of the document, by its path; each path has one."""
    return {path: operation for path, item in document()["paths"].items() for operation in item.values()}


def resolved(node: Mapping[str, Any]) -> Any:
    """Follow a reference inside the document."""
    while "$ref" in node:
        found: Any = document()
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def test_the_document_is_openapi() -> None:
    """By the rules of OpenAPI 3.1."""
    assert document()["openapi"].startswith("3.1.")

    validate(document())


def test_it_has_the_routes_the_host_indexes() -> None:
    """No route more and none less; which methods a route knows is the app's own affair, not the host's."""
    done = subprocess.run(
        [sys.executable, "-c", ROUTES], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    routes = {f"/{route}": (methods, level) for route, methods, level in map(json.loads, done.stdout.splitlines())}

    assert set(routes) - PAGES == set(document()["paths"])
    assert {path: methods for path, (methods, _) in routes.items() if methods} == {}
    keyed = {path for path, operation in operations().items() if "functionKey" in str(operation["security"])}
    assert {path for path, (_, level) in routes.items() if "ANONYMOUS" not in level.upper()} == keyed
    assert set(routes) >= PAGES


def codes() -> set[str]:
    """Every code in the modules a route can reach, as a class's own or beside a raise."""
    ours = ROOT / "distributor"
    modules = [*ours.glob("*.py")]
    modules += [module for part in ("functions", "webhook") for module in (ours / part).glob("*.py")]
    modules += [*(ROOT / "foundation" / "http").glob("*.py")]
    return {code for module in modules for code in _codes(ast.parse(module.read_text("utf-8")), module.stem)}


def _codes(tree: ast.AST, module: str) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
                yield code  # a class's own
            case ast.Call(func=ast.Name(id=name)) if name != "Alarm" and module not in WOOCOMMERCE:
                yield from _words(node)


def _words(call: ast.Call) -> Iterator[str]:
    """Codes among the arguments: by name, and where a problem is given in full."""
    named = [word.value for word in call.keywords if word.arg == "code"]
    told = call.args[1:2] if ast.unparse(call.func) == "ProblemDocument" else []
    yield from (
        value.value for value in [*named, *told] if isinstance(value, ast.Constant) and isinstance(value.value, str)
    )


def test_every_code_is_in_the_document_and_no_other() -> None:
    """A program that reads codes must know them all."""
    caps = {refusal(cap).code for cap in Cap}
    assert codes() - TOLD_APART | MADE_OF_A_NAME | caps == set(document()["components"]["schemas"]["Code"]["enum"])


def test_every_status_the_app_answers_is_in_the_document() -> None:
    """Whatever refusal there is, and the answers that are none."""
    answered = {int(status) for status in problems._STATUS.values()} | {200, 202, 429, 500, 503}

    assert {int(status) for operation in operations().values() for status in operation["responses"]} == answered


def test_every_code_stands_at_its_status() -> None:
    """Each kind of refusal, at the status it is answered with, in every operation that can meet it."""
    kinds = {str(vars(kind)["code"]): int(status) for kind, status in problems._STATUS.items()}
    described = {
        status: resolved(response)["description"]
        for operation in operations().values()
        for status, response in operation["responses"].items()
        if "$ref" in response
    }

    assert {code: status for code, status in kinds.items() if f"`{code}`" not in described[str(status)]} == {}


def examples() -> Iterator[tuple[str, Any, Any]]:
    """Every example of a body, with its schema."""
    bodies = [
        (f"{path} {where}", content)
        for path, operation in operations().items()
        for where, part in [("request", operation.get("requestBody", {})), *operation["responses"].items()]
        for content in resolved(part).get("content", {}).values()
    ]
    for name, content in bodies:
        for title, example in content["examples"].items():
            yield f"{name} {title}", content["schema"], example["value"]


@pytest.mark.parametrize(("schema", "example"), [pytest.param(s, e, id=name) for name, s, e in examples()])
def test_every_example_is_what_its_schema_says(schema: Any, example: Any) -> None:
    """An example is what people copy."""
    whole = {**document(), **schema}

    assert [error.message for error in OAS31Validator(whole).iter_errors(example)] == []


def test_the_example_problems_say_their_own_status() -> None:
    """A copied example must not mislead."""
    problems = [(name.split()[1], example) for name, _, example in examples() if "code" in example]

    assert [(status, example["status"]) for status, example in problems if int(status) != example["status"]] == []


def test_an_order_has_the_statuses_of_the_document() -> None:
    """What users see: the stored ones, but for `assigned`, which is shown as how far its transaction is."""
    shown = {str(status) for status in OrderStatus} - {"assigned"} | {"submitted", "mined"}

    assert set(document()["components"]["schemas"]["OrderStatus"]["enum"]) == shown


def test_a_call_back_is_what_the_document_says() -> None:
    """Of each status, and a test; its headers too."""
    (operation,) = document()["webhooks"]["callback"].values()
    schema = resolved(operation["requestBody"]["content"]["application/json"]["schema"])
    call = CallBack(
        source="default",
        order_id="1001",
        sequence=NOW_MS,
        status=OrderStatus.PAID,
        at_ms=UnixMs(NOW_MS),
        next_ms=UnixMs(NOW_MS),
    )
    statuses = (OrderStatus.PAID, OrderStatus.HELD, OrderStatus.CANCELLED, OrderStatus.RECEIVED)
    bodies = [body_of(replace(call, status=status)) for status in statuses]
    bodies.append(body_of_test("default", UnixMs(NOW_MS)))
    headers = headers_of(bodies[0], event_id(call.key, NOW_MS), ["one secret", "another"], UnixMs(NOW_MS))

    for body in bodies:
        OAS31Validator(schema).validate(json.loads(body))
        assert json.loads(body)["type"] in schema["properties"]["type"]["examples"]
    for parameter in operation["parameters"]:
        OAS31Validator(parameter["schema"]).validate(headers[parameter["name"]])
