"""
The app inside the real worker library: the code that indexes and runs functions in Azure.

``azure-functions-runtime`` speaks protobuf to the platform's host; it also has a seam without it,
``native_invocation``, made for the platform's next worker. Both take any object with the right
attributes, so a few classes stand in for the protobuf messages. The seam is no public interface:
the version is pinned in ``devstack/setup.py``.

The library keeps its state in its modules: one app per process.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from devstack.host.config import BadHostConfig

Binding = Mapping[str, Any]
SUPPORTED = {"httpTrigger", "http", "queueTrigger", "queue", "timerTrigger", "warmupTrigger"}


class InvocationFailed(Exception):
    """The function raised, ran too long, or its output could not be bound."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Function:
    """One indexed function: its trigger and its output bindings, as the worker described them."""

    name: str
    function_id: str
    trigger: Binding
    outputs: Mapping[str, Binding]

    @property
    def kind(self) -> str:
        return str(self.trigger["type"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a function returned, and the values it set on its output bindings."""

    returned: Any
    outputs: Sequence[tuple[str, Any]]


def datum(value: object, kind: str) -> Any:
    """Wrap *value* as the worker library passes values between host and function."""
    from azure_functions_runtime.bindings.datumdef import Datum

    return Datum(value, kind)


class Worker:
    """The worker library with one app loaded."""

    def __init__(self, functions: Sequence[Function], timeout_s: float | None) -> None:
        self.functions = functions
        self._timeout_s = timeout_s

    async def invoke(self, function: Function, value: Any, metadata: Mapping[str, Any]) -> Result:
        """
        Run *function* once on its trigger's *value*.

        Raises:
            InvocationFailed: It raised, or ran longer than ``functionTimeout``. (The platform then
                ends the whole worker process; here only the one invocation is cancelled.)
        """
        from azure_functions_runtime.native_invocation import invocation_request_native

        call = invocation_request_native(
            str(uuid.uuid4()), function.function_id, [(function.trigger["name"], value)], metadata
        )
        try:
            ok, returned, outputs, error, _trace = await asyncio.wait_for(call, self._timeout_s)
        except TimeoutError as why:
            raise InvocationFailed(f"{function.name} ran longer than functionTimeout ({self._timeout_s} s)") from why
        if not ok:
            raise InvocationFailed(error)  # the library has logged the trace
        return Result(returned=returned, outputs=outputs)


async def start(app: Path, runtime: Path, timeout_s: float | None) -> Worker:
    """Load *app* into the worker library found in the folder *runtime*, as the platform would."""
    sys.path.insert(0, str(app))
    sys.path.append(str(runtime))
    try:
        import azure_functions_runtime as library
    except ImportError as why:
        raise BadHostConfig(f"the worker library is not in {runtime}; run: python3 -m devstack up") from why
    answer = await library.worker_init_request(
        SimpleNamespace(
            properties={"protos": _MESSAGES, "host": "127.0.0.1"},
            request=SimpleNamespace(
                worker_init_request=SimpleNamespace(capabilities={}, function_app_directory=str(app)),
            ),
        )
    )
    if answer.result.status != _MESSAGES.StatusResult.Success:
        raise BadHostConfig(f"the app does not load: {answer.result.exception.message}")
    indexed = (await library.functions_metadata_request(None)).function_metadata_results
    if not indexed:
        raise BadHostConfig(f"no functions found in {app}")
    library.start_threadpool_executor()
    return Worker([_function(found) for found in indexed], timeout_s)


def _function(indexed: Any) -> Function:
    bindings = [json.loads(raw) for raw in indexed.raw_bindings]
    for binding in bindings:
        if binding["type"] not in SUPPORTED:
            raise BadHostConfig(f"{indexed.name}: this host has no {binding['type']} binding")
    (trigger,) = [binding for binding in bindings if binding["type"].endswith("Trigger")]
    return Function(
        name=indexed.name,
        function_id=indexed.function_id,
        trigger=trigger,
        outputs={binding["name"]: binding for binding in bindings if binding is not trigger},
    )


class _Message(SimpleNamespace):
    """A protobuf message as the library uses one: keywords in, attributes out."""


def _message(name: str, **constants: int) -> type[_Message]:
    return type(name, (_Message,), constants)


_MESSAGES = SimpleNamespace(
    StatusResult=_message("StatusResult", Failure=0, Success=1, Cancelled=2),
    BindingInfo=_message(
        "BindingInfo", **{"in": 0, "out": 1, "inout": 2, "undefined": 0, "string": 1, "binary": 2, "stream": 3}
    ),
    **{
        name: _message(name)
        for name in (
            "WorkerInitResponse",
            "WorkerMetadata",
            "RpcException",
            "FunctionMetadataResponse",
            "RpcFunctionMetadata",
            "RpcRetryOptions",
        )
    },
)
