"""
The app inside the real worker library: the code that indexes and runs functions in Azure.

``azure-functions-runtime`` speaks protobuf to the platform's host; it also has a seam without it,
``native_invocation``, made for the platform's next worker. Both take any object with the right
attributes, so a few classes stand in for the protobuf messages. The seam is no public interface:
the version is pinned in ``devstack/setup.py``.

The library keeps its state in its modules: one app per process.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.cookies import Morsel
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from devstack.host.config import BadHostConfig
from devstack.host.values import Call, Datum, Function, InvocationFailed, Result

SUPPORTED = {"httpTrigger", "http", "queueTrigger", "queue", "timerTrigger", "warmupTrigger"}


@dataclass(frozen=True, slots=True)
class Worker:
    """The worker library with one app loaded."""

    functions: Sequence[Function]
    trouble: Sequence[str]
    """What is wrong with the functions that are not among them, a sentence each."""

    async def invoke(self, call: Call) -> Result:
        """Run a function once on its trigger's value. Raises InvocationFailed if it raised; the trace is logged."""
        from azure_functions_runtime.native_invocation import invocation_request_native

        function, metadata = call.function, {name: _given(value) for name, value in call.metadata.items()}
        inputs = [(function.trigger["name"], _given(call.value))]
        ok, returned, outputs, error, _trace = await invocation_request_native(
            str(uuid.uuid4()), function.function_id, inputs, metadata
        )
        if not ok:
            raise InvocationFailed(error)
        return Result(returned=_taken(returned), outputs=[(name, _taken(value)) for name, value in outputs])


async def start(app: Path, runtime: Path) -> Worker:
    """Load *app* into the worker library found in the folder *runtime*, as the platform would."""
    sys.path.insert(0, str(app))
    sys.path.append(str(runtime))
    try:
        import azure_functions_runtime as library
    except ImportError as why:
        raise BadHostConfig(f"the worker library is not in {runtime}; run: python3 -m devstack up") from why
    answer = await library.worker_init_request(
        SimpleNamespace(
            properties={"protos": MESSAGES, "host": "127.0.0.1"},
            request=SimpleNamespace(
                worker_init_request=SimpleNamespace(capabilities={}, function_app_directory=str(app)),
            ),
        )
    )
    if answer.result.status != MESSAGES.StatusResult.Success:
        raise BadHostConfig(f"the app does not load: {answer.result.exception.message}")
    indexed = (await library.functions_metadata_request(None)).function_metadata_results
    if not indexed:
        raise BadHostConfig(f"no functions found in {app}")
    library.start_threadpool_executor()
    return described(indexed)


def described(indexed: Sequence[Any]) -> Worker:
    """Describe each function; one with a binding that this host has not is off, and alone in that."""
    functions, trouble = [], []
    for found in indexed:
        try:
            functions.append(_function(found))
        except BadHostConfig as why:
            trouble.append(f"The '{found.name}' function is in error: {why}")
    return Worker(functions, trouble)


def _function(indexed: Any) -> Function:
    bindings = [json.loads(raw) for raw in indexed.raw_bindings]
    for binding in bindings:
        if binding["type"] not in SUPPORTED:
            raise BadHostConfig(f"this host has no {binding['type']} binding")
    (trigger,) = [binding for binding in bindings if binding["type"].endswith("Trigger")]
    return Function(
        name=indexed.name,
        function_id=indexed.function_id,
        trigger=trigger,
        outputs={binding["name"]: binding for binding in bindings if binding is not trigger},
    )


def _given(value: Any) -> Any:
    """Return the library's own form of what came from the host."""
    from azure_functions_runtime.bindings.datumdef import Datum as Theirs

    if isinstance(value, Mapping):
        return {name: _given(inner) for name, inner in value.items()}
    return Theirs(_given(value.value), value.type) if isinstance(value, Datum) else value


def _taken(value: Any) -> Any:
    """Return the host's form of what a function gave; cookies as the header's text."""
    if value is None:
        return Datum(None, None)
    if value.type != "http":
        return Datum(value.value, value.type)
    parts = dict(value.value)
    cookies = [_cookie(name, morsel) for jar in parts.pop("cookies") or () for name, morsel in jar.items()]
    headers = {name: text.value for name, text in parts["headers"].items()}
    return Datum(
        {
            "status": parts["status_code"].value,
            "headers": headers,
            "cookies": cookies,
            "body": parts["body"].value,
        },
        "http",
    )


def _cookie(name: str, morsel: Morsel[str]) -> str:
    """Write a cookie as the host does: each attribute that the worker passes on, an empty one too."""
    given = {key: str(morsel[key]) for key in ("domain", "path", "samesite")}
    limits = [f"{key}={morsel[key]}" for key in ("expires", "max-age") if morsel[key]]
    texts = [f"{name}={morsel.value}", *limits]
    texts += [f"domain={given['domain']}", f"path={given['path'] or '/'}"]
    texts += [*(["secure"] if morsel["secure"] else ()), f"samesite={given['samesite'].lower() or 'lax'}"]
    return "; ".join([*texts, *(["httponly"] if morsel["httponly"] else ())])


class _Message(SimpleNamespace):
    """A protobuf message as the library uses one: keywords in, attributes out."""


def _message(name: str, **constants: int) -> type[_Message]:
    return type(name, (_Message,), constants)


MESSAGES = SimpleNamespace(
    StatusResult=_message("StatusResult", Failure=0, Success=1, Cancelled=2),
    BindingInfo=_message(
        "BindingInfo", **{"in": 0, "out": 1, "inout": 2, "undefined": 0, "string": 1, "binary": 2, "stream": 3}
    ),
    **{
        name: _message(name)
        for name in (
            "WorkerInitResponse",
            "FunctionEnvironmentReloadResponse",
            "FunctionLoadResponse",
            "WorkerMetadata",
            "RpcException",
            "FunctionMetadataResponse",
            "RpcFunctionMetadata",
            "RpcRetryOptions",
        )
    },
)
