"""
What a deployment makes: every resource of every module, each value computed, without Azure and without its compiler.

As ``bicep snapshot`` in the workflow; what only Azure knows (ids, keys, endpoints) stays a path: ``account.id``.
The result of both parameter files is kept beside this module (deployed/): a reviewer sees there what a change deploys.

    python -m tests.bicep_deployment    # after a change of infra/; then look at the difference
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import bicep

KEPT = Path(__file__).with_name("deployed")
ENVIRONMENTS = ("test", "production")
PAYFLOW = ("payflow/test", "payflow/production")
"""Parameter files of each app, by their path in infra/ without its end."""
FILES = (*ENVIRONMENTS, *PAYFLOW, "parameters", "payflow/parameters")
SHELL = {
    "AUTHORITY_ADDRESS": "0x" + "aa" * 20,
    "TOKEN_ADDRESS": "0x" + "bb" * 20,
    "RESERVE_ADDRESS": "0x" + "cc" * 20,
    "LEDGER_ID": "none",
    "OPERATORS_OBJECT_ID": "55555555-5555-5555-5555-555555555555",
    "ALERT_EMAIL": "operators@example.com",
}
"""What the person who deploys the distributor has set."""
ENVIRONMENT = {
    "environment().suffixes.storage": "core.windows.net",
    "environment().authentication.loginEndpoint": "https://login.microsoftonline.com/",
}
"""What Azure's own function says in the public cloud."""
PAYFLOW_SHELL = {
    "CONTA_AZUL_CLIENT_ID": "an-application",
    "SMTP_FROM": "recibos@example.com",
    "SMTP_HOST": "smtp.example.com",
    "SMTP_USER": "recibos@example.com",
    "OPERATORS_OBJECT_ID": SHELL["OPERATORS_OBJECT_ID"],
    "ALERT_EMAIL": SHELL["ALERT_EMAIL"],
}
OVERRIDE = {"OVERRIDE_RECIPIENT_EMAIL": "test@example.com"}
"""Set outside production alone."""
Names = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource, as it is sent to Azure."""

    module: str
    symbol: str
    """Its name in the module; the turns of a loop have one."""
    kind: str
    """Type and version."""
    scope: str
    """Symbol of the resource it is put on; empty: the resource group."""
    body: Mapping[str, Any]

    def document(self) -> dict[str, Any]:
        """Return it as it is kept."""
        there = {"on": self.scope} if self.scope else {}
        return {"resource": f"{self.module}/{self.symbol}", "type": self.kind, **there, **self.body}


def set_for(environment: str) -> Mapping[str, str]:
    """Return what the person who deploys with a parameter file has set."""
    override = OVERRIDE if environment == "payflow/test" else {}
    return {**PAYFLOW_SHELL, **override} if environment in PAYFLOW else SHELL


def deployment(environment: str, shell: Mapping[str, str] | None = None, **parameters: Any) -> list[Resource]:
    """
    Return all that is deployed with a parameter file.

    Args:
        environment: One of ENVIRONMENTS or PAYFLOW.
        shell: What the parameter file reads of the environment; None: what is usually set.
        parameters: In the place of what the file sets.

    Raises:
        bicep.Refused: A value is refused in words.
        KeyError: A variable without a default is not set.
    """
    given_there = set_for(environment) if shell is None else shell
    set_there = {f"environment {name}": value for name, value in given_there.items()}
    given = bicep.module(f"{environment}.bicepparam")["variables"]
    values = {name: bicep.value(one["value"], set_there) for name, one in given.items()}
    found: list[Resource] = []
    main = f"{_folder(environment)}main"
    _module(main, main, {**values, **parameters}, found)
    return found


def file_of(name: str) -> Path:
    """Return where the text of one of FILES is kept."""
    return KEPT / f"{name.replace('/', '-')}.json"


def kept(name: str) -> str:
    """Return the text that is kept of a parameter file; of ``parameters``, what main.bicep takes and puts out."""
    told = _declared(_folder(name)) if name.endswith("parameters") else _deployed(name)
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _folder(name: str) -> str:
    """Return the folder in infra/ that a file is in, with its slash."""
    return name.rpartition("/")[0] + "/" if "/" in name else ""


def _deployed(environment: str) -> Any:
    return [each.document() for each in deployment(environment)]


def _declared(folder: str) -> Any:
    main = bicep.module(f"{folder}main.bicep")
    asked = {
        name: {each["type"]: each.get("argument") for each in one["decorators"] if each["type"] != "description"}
        | {"type": one["type"], "default": one["default"]}
        for name, one in main["parameters"].items()
    }
    return {
        **main["globals"],
        "parameters": asked,
        "outputs": {name: one["value"] for name, one in main["outputs"].items()},
    }


def _module(file: str, name: str, given: Names, found: list[Resource]) -> dict[str, Any]:
    """
    Add what a module declares to *found*; return its outputs.

    Its file is a path in infra/ without its end, and its name the same, or another where a file is used twice.
    """
    declared = bicep.module(f"{file}.bicep")
    names = _names(name, declared, given)
    for symbol, one in declared.get("resources", {}).items():
        found.extend(_resources(name, symbol, one, names))
    for symbol, one in declared.get("modules", {}).items():
        wanted = {key: bicep.value(value, names) for key, value in one["config"]["params"].items()}
        inner = _beside(file, one)
        called = inner if Path(inner).name == symbol else f"{_folder(file)}{symbol}"
        names[f"{bicep.RESOURCE}{symbol}"] = {"outputs": _module(inner, called, wanted, found)}
    return {key: bicep.value(one["value"], names) for key, one in declared.get("outputs", {}).items()}


def _beside(file: str, module: Names) -> str:
    """Return a module's file; it is written as a path from the file that uses it."""
    path: Path = (bicep.INFRA / file).parent / module["detail"]["path"]
    return path.resolve().relative_to(bicep.INFRA.resolve()).with_suffix("").as_posix()


def _names(name: str, declared: Names, given: Names) -> dict[str, Any]:
    """Return what an expression of a module may name: parameters, resources, variables, in this order of knowledge."""
    names: dict[str, Any] = {**ENVIRONMENT, "null": None}
    for key, one in declared.get("parameters", {}).items():
        names[key] = given[key] if key in given else bicep.value(one["default"], names)
        _decorated(key, names[key], {each["type"]: each.get("argument") for each in one["decorators"]})
    names |= {f"{bicep.RESOURCE}{symbol}": f"{name}/{symbol}" for symbol in declared.get("resources", {})}
    for key, one in declared.get("variables", {}).items():
        names[key] = bicep.value(one["value"], names)
    return names


def _decorated(name: str, value: Any, asked: Mapping[str, Any]) -> None:
    """Refuse a value as the compiler does. Raises Refused."""
    size = len(value) if isinstance(value, str) else 0
    if not asked.get("min_length", 0) <= size <= asked.get("max_length", size):
        raise bicep.Refused(f"{name} is too short or too long: {value!r}")
    if not asked.get("min_value", 0) <= (value if isinstance(value, int) else 0) <= asked.get("max_value", 2**31):
        raise bicep.Refused(f"{name} is too small or too large: {value!r}")
    if value not in asked.get("allowed", [value]):
        raise bicep.Refused(f"{name} is none of those that are allowed: {value!r}")


def _resources(module: str, symbol: str, one: Names, names: Names) -> Iterator[Resource]:
    for body, inside in _turns(one["config"], names):
        there = body.get("scope") or body.get("parent")
        yield Resource(
            module=module,
            symbol=symbol,
            kind=f"{one['type']}@{one['api_version']}",
            scope=names[f"{bicep.RESOURCE}{there}"] if there else "",
            body=_plain({key: value for key, value in body.items() if key not in {"scope", "parent"}}, inside),
        )


def _turns(body: Names, names: Names) -> Iterator[tuple[Names, Names]]:
    """Yield a resource, one for each turn of its loop, or none where its condition is not met."""
    if "loop_type" in body:
        loop = body["loop_type"]["detail"]
        for item in bicep.value(loop["array_name"], names):
            yield body["config"], {**names, loop["item_name"]: item}
    elif set(body) != {"condition", "config"}:
        yield body, names
    elif bicep.value(body["condition"], names):
        yield body["config"], names


def _plain(body: Names, names: Names) -> dict[str, Any]:
    """Return the values of *body*; a key may hold an expression, too."""
    computed = bicep.value(dict(body), names)
    text = json.dumps(computed)
    for name in ("identityId", "logIdentityId"):
        text = text.replace(f"'${{{name}}}'", str(names.get(name)))
    return dict(json.loads(text))


def main() -> None:
    """Write what is kept."""
    KEPT.mkdir(exist_ok=True)
    for name in FILES:
        file_of(name).write_text(kept(name), "utf-8")


if __name__ == "__main__":
    main()
