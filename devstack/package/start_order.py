"""
Starts an unpacked package in the order of the platform, and prints what came of it, as JSON.

An instance begins as a placeholder: the worker runs, with libraries of its own and no app. When it is given an app, the
package is mounted, the environment replaced, the app's folder put on the path; only then are the functions indexed,
loaded and called. What the worker imported before stays imported.

Source: https://github.com/Azure/azure-functions-python-worker, ``function_environment_reload_request`` of the library,
and workers/python/prodV4/worker.py (the path of the app's libraries is there before the libraries are).
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

_SCRIPT_ROOT = "AzureWebJobsScriptRoot"


async def main(package: Path, root: Path, worker: Path, runtime: Path, libraries: str) -> None:
    """
    Start as a placeholder, become the app in *package*, and print its functions and the answer of ``healthz``.

    Args:
        package: The zip.
        root: Where it is mounted, an empty folder before.
        worker: The worker's own azure.functions.
        runtime: The worker library.
        libraries: Where the package has its libraries.
    """
    sys.path[:0] = [str(root / libraries), str(worker), str(runtime)]
    import azure.functions
    import azure_functions_runtime as library

    from devstack.host.values import Call, Datum
    from devstack.host.worker import MESSAGES, described

    placeholder, before = root.with_name("placeholder"), azure.functions.__file__ or ""
    placeholder.mkdir()
    begun = await library.worker_init_request(_request("worker_init_request", MESSAGES, placeholder))
    with ZipFile(package) as opened:
        opened.extractall(root)
    settings = {_SCRIPT_ROOT: str(root), "CONTAINER_NAME": "an-instance", "FUNCTIONS_WORKER_RUNTIME": "python"}
    became = await library.function_environment_reload_request(
        _request("function_environment_reload_request", MESSAGES, root, environment_variables=settings)
    )
    _require(became, MESSAGES)
    indexed = (await library.functions_metadata_request(None)).function_metadata_results
    for each in indexed:
        _require(await library.function_load_request(_load(each.function_id)), MESSAGES)
    library.start_threadpool_executor()
    running = described(indexed)
    (alive,) = [function for function in running.functions if function.name == "healthz"]
    asked = {
        "method": Datum("GET", "string"),
        "url": Datum("/healthz", "string"),
        "headers": {},
        "params": {},
        "query": {},
        "body": Datum(b"", "bytes"),
    }
    result = await running.invoke(Call(number=1, function=alive, value=Datum(asked, "http"), metadata={}))
    print(
        json.dumps(
            {
                "placeholder": begun.result.status,
                "azure.functions": before,
                "functions": sorted(function.name for function in running.functions),
                "healthz": json.loads(result.returned.value["body"]),
            }
        )
    )


def _request(name: str, protos: Any, folder: Path, **more: Any) -> SimpleNamespace:
    given = SimpleNamespace(capabilities={}, function_app_directory=str(folder), **more)
    return SimpleNamespace(properties={"protos": protos, "host": "127.0.0.1"}, request=SimpleNamespace(**{name: given}))


def _load(function_id: str) -> SimpleNamespace:
    return SimpleNamespace(request=SimpleNamespace(function_load_request=SimpleNamespace(function_id=function_id)))


def _require(answer: Any, protos: Any) -> None:
    if answer.result.status != protos.StatusResult.Success:
        raise SystemExit(f"it does not start: {answer.result.exception.message}")


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:5]]
    asyncio.run(main(given[0], given[1], given[2], given[3], sys.argv[5]))
