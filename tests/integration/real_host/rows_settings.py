"""Rows about configuration: what turns off one function, and what turns off everything without a word."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.integration.hosted import Hosted, until
from tests.integration.real_host.bench import APP, Trial, ask, encoded, messages, row

SETTINGS = "Configuration"


def statuses(host: Hosted, *paths: str) -> list[int]:
    """What a client gets there."""
    return [ask(host, path).status for path in paths]


BROKEN_APPS = {
    "an import error": "import no_such_module\n",
    "a syntax error": "def (\n",
    "no function_app.py": None,
    "a function's name twice": (
        "import azure.functions as func\napp = func.FunctionApp()\n\n\n"
        '@app.function_name("a")\n@app.route("a")\ndef a(req: func.HttpRequest) -> str:\n    return ""\n\n\n'
        '@app.function_name("a")\n@app.route("b")\ndef b(req: func.HttpRequest) -> str:\n    return ""\n'
    ),
    "a wrong argument name": (
        "import azure.functions as func\napp = func.FunctionApp()\n\n\n"
        '@app.route("a")\ndef a(request: func.HttpRequest) -> str:\n    return ""\n'
    ),
}


@row(SETTINGS, "an app that does not load", "the host is up, its functions 404, ping 200, the log says why", "trial")
def _(trial: Trial) -> None:
    for what, source in BROKEN_APPS.items():
        trial.an_app(source=source)
        with trial.host() as host:
            assert statuses(host, "/healthz", "/a", "/admin/host/ping") == [404, 404, 200], what
        assert "No job functions found" in host.log, what


MISSING = """\
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("healthz")
def healthz(req: func.HttpRequest) -> str:
    return "alive"


@app.queue_trigger(arg_name="msg", queue_name="%NO_SUCH_SETTING%", connection="AzureWebJobsStorage")
def unnamed(msg: func.QueueMessage) -> None: ...


@app.queue_trigger(arg_name="msg", queue_name="a-queue", connection="NO_SUCH_CONNECTION")
def unconnected(msg: func.QueueMessage) -> None: ...


@app.timer_trigger(arg_name="tick", schedule="%NO_SUCH_SCHEDULE%")
def untimed(tick: func.TimerRequest) -> None: ...
"""


@row(SETTINGS, "%NAME% missing; a connection missing", "healthz 200, each function off, named in the log", "trial")
def _(trial: Trial) -> None:
    trial.an_app(source=MISSING)
    with trial.host() as host:
        assert statuses(host, "/healthz") == [200]

    names = ["healthz", "unnamed", "unconnected", "untimed"]
    assert [f"The '{name}' function is in error" in host.log for name in names] == [False, True, True, True]


@row(SETTINGS, "a queue's name that is none", "healthz 200, that function off, named in the log", "trial")
def _(trial: Trial) -> None:
    with trial.host(WORK_QUEUE="Not A Name") as host:
        assert statuses(host, "/healthz", "/open/7") == [200, 201]

    assert "The 'work' function is in error" in host.log


@row(SETTINGS, "an invalid schedule", "healthz 200, the timer off, named in the log", "trial")
def _(trial: Trial) -> None:
    with trial.host(TICKS="each minute") as host:
        assert statuses(host, "/healthz") == [200]

    assert "The 'ticking' function is in error" in host.log


@row(SETTINGS, "a connection that is malformed", "healthz 200, its functions off", "trial")
def _(trial: Trial) -> None:
    trial.connection = "no connection"
    with trial.host() as host:
        assert statuses(host, "/healthz", "/put") == [200, 404]

    assert "The 'work' function is in error" in host.log


@row(SETTINGS, "a schedule of five fields", "accepted", "trial")
def _(trial: Trial) -> None:
    with trial.host(TICKS="0 0 29 feb *") as host:
        assert statuses(host, "/healthz") == [200]

    assert "in error" not in host.log


TWO_ROUTES = """\
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("same")
def one(req: func.HttpRequest) -> str:
    return "one"


@app.route("same")
def two(req: func.HttpRequest) -> str:
    return "two"


@app.route("admin/x")
def three(req: func.HttpRequest) -> str:
    return "three"


@app.route("runtime/x")
def four(req: func.HttpRequest) -> str:
    return "four"
"""


@row(SETTINGS, "two functions on one route; a route under admin/ or runtime/", "one of the two; that one off", "trial")
def _(trial: Trial) -> None:
    trial.an_app(source=TWO_ROUTES)
    with trial.host() as host:
        assert statuses(host, "/same", "/admin/x", "/runtime/x") == [200, 401, 401]

    assert [f"The '{name}' function is in error" in host.log for name in ("one", "two", "three", "four")] == [
        *(False, True, True, True)
    ]


def host_json(**changes: object) -> str:
    """The small app's host.json with changes at its top, or among its queue options."""
    document = json.loads((APP / "host.json").read_text("utf-8"))
    for name, value in changes.items():
        (document if name == "functionTimeout" else document["extensions"]["queues"])[name] = value
    return json.dumps(document)


DEAD = {
    "no host.json": "",
    "no JSON": "{",
    "a list": "[]",
    "functionTimeout 10m": host_json(functionTimeout="10m"),
    "functionTimeout of nothing": host_json(functionTimeout="00:00:00"),
    "batchSize 0": host_json(batchSize=0),
    "batchSize 33": host_json(batchSize=33),
    "newBatchThreshold -1": host_json(newBatchThreshold=-1),
    "maxDequeueCount 0": host_json(maxDequeueCount=0),
    "maxPollingInterval 10 ms": host_json(maxPollingInterval="00:00:00.010"),
    "a text for a number": host_json(batchSize="many"),
}
ALIVE = {
    "an unknown key": host_json(unknown=1),
    "a negative visibilityTimeout": host_json(visibilityTimeout="-00:00:10"),
    "maxPollingInterval 2": host_json(maxPollingInterval=2),
    "functionTimeout -1": host_json(functionTimeout="-1"),
}
SIMPLE = """\
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("healthz")
def healthz(req: func.HttpRequest) -> str:
    return "alive"
"""


def _with(text: str, expected: int) -> Callable[[Trial], None]:
    def check(trial: Trial) -> None:
        trial.an_app(text, SIMPLE)
        with trial.host() as host:
            assert statuses(host, "/healthz", "/admin/host/ping") == [expected, 200]
            assert host.server.process.poll() is None

    return check


for _given, _text in DEAD.items():
    row(SETTINGS, f"host.json: {_given}", "503 on every path, ping 200, the process stays", "trial")(_with(_text, 503))
for _given, _text in ALIVE.items():
    row(SETTINGS, f"host.json: {_given}", "accepted", "trial")(_with(_text, 200))


@row(SETTINGS, "AzureWebJobs.<name>.Disabled", "the function rests, its messages stay", "trial")
def _(trial: Trial) -> None:
    queue = trial.made()
    queue.send_message(encoded("later"))
    with trial.host(**{"AzureWebJobs.work.Disabled": "true"}) as host:
        assert statuses(host, "/healthz") == [200]
        until(lambda: "Host started" in host.log)

    assert messages(queue) == [encoded("later")]
    assert trial.seen("work") == []
