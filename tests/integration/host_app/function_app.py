"""A small app that shows what a host does: it echoes, fails on demand, and writes what it saw to a file."""

import asyncio
import json
import os
import time
import typing
from collections.abc import Mapping
from pathlib import Path

import azure.functions as func
from azure.functions.warmup import WarmUpContext

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
SEEN = Path(os.environ["HOST_APP_SEEN"])


def saw(what: str, **fields: object) -> None:
    """Append one line to the file the tests read."""
    with SEEN.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"what": what, **fields}) + "\n")


# HTTP --------------------------------------------------------------------------------------------


@app.route("open/{value}")
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    """Return what arrived, by whatever method."""
    return _echoed(req)


@app.route("any/{*rest}")
async def anything(req: func.HttpRequest) -> func.HttpResponse:
    """Return what arrived under a path of any length."""
    return _echoed(req)


def _echoed(req: func.HttpRequest) -> func.HttpResponse:
    document = {
        "method": req.method,
        "url": req.url,
        "params": dict(req.route_params),
        "query": dict(req.params),
        "headers": dict(req.headers),
        "body_hex": req.get_body().hex(),
    }
    saw("http", **document)
    return func.HttpResponse(json.dumps(document), status_code=201, headers={"X-Echo": "yes"})


@app.route("open/literal", methods=["GET"])
async def literal(req: func.HttpRequest) -> func.HttpResponse:
    """Win over the parameter route beside it."""
    return func.HttpResponse(f"literal {req.method}")


@app.route("healthz", methods=["GET"])
async def healthz(req: func.HttpRequest) -> func.HttpResponse:
    """Answer GET alone."""
    return func.HttpResponse(f"alive {req.method}")


@app.route("keyed", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def keyed(req: func.HttpRequest) -> func.HttpResponse:
    """Answer only with a key, and show what the function sees of it."""
    return func.HttpResponse(json.dumps({**req.headers, **req.params}))


@app.route("mastered", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
async def mastered(req: func.HttpRequest) -> func.HttpResponse:
    """Answer only with the master key."""
    return func.HttpResponse(req.method)


def _twice(name: str, first: str, last: str) -> func.HttpResponse:
    answer = func.HttpResponse("x")
    answer.headers.add(name, first)
    answer.headers.add(name, last)
    return answer


ANSWERS: Mapping[str, typing.Callable[[], typing.Any]] = {
    "str": lambda: "text é",
    "none": lambda: None,
    "int": lambda: 7,
    "dict": lambda: {"a": 1},
    "crlf": lambda: func.HttpResponse("x", headers={"X-Split": "a\r\nb"}),
    "not-ascii": lambda: func.HttpResponse("x", headers={"X-Name": "café"}),
    "bad-name": lambda: func.HttpResponse("x", headers={"X Name": "a"}),
    "wrong-length": lambda: func.HttpResponse("x", headers={"Content-Length": "5"}),
    "204-body": lambda: func.HttpResponse("gone", status_code=204),
    "304-body": lambda: func.HttpResponse("gone", status_code=304),
    "no-body": lambda: func.HttpResponse(status_code=202),
    "csv": lambda: func.HttpResponse("a,b", mimetype="text/csv"),
    "599": lambda: func.HttpResponse("odd", status_code=599),
    "999": lambda: func.HttpResponse("odd", status_code=999),
    "99": lambda: func.HttpResponse("odd", status_code=99),
    "1000": lambda: func.HttpResponse("odd", status_code=1000),
    "own-chunks": lambda: func.HttpResponse("x", headers={"Transfer-Encoding": "chunked"}),
    "twice": lambda: _twice("X-Twice", "first", "last"),
    "cookies": lambda: _twice("Set-Cookie", "a=b", "c=d"),
    "busy": lambda: func.HttpResponse("later", status_code=503, headers={"Retry-After": "7"}),
    "gzip": lambda: func.HttpResponse(b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"}),
    "cookie": lambda: func.HttpResponse("x", headers={"Set-Cookie": "a=b; HttpOnly"}),
}


@app.route("answer/{name}", methods=["GET"])
async def answering(req: func.HttpRequest) -> func.HttpResponse:
    """Return one of ANSWERS, good or bad."""
    return typing.cast("func.HttpResponse", ANSWERS[req.route_params["name"]]())


@app.route("fail", methods=["GET"])
async def fail(req: func.HttpRequest) -> func.HttpResponse:
    """Raise."""
    raise RuntimeError("secret in a trace", req.url)


@app.route("slow/{seconds}", methods=["GET"])
async def slow(req: func.HttpRequest) -> func.HttpResponse:
    """Take as long as the path says."""
    saw("slow begins")
    await asyncio.sleep(float(req.route_params["seconds"]))
    saw("slow ends")
    return func.HttpResponse("done")


@app.route("blocking/{seconds}", methods=["GET"])
def blocking(req: func.HttpRequest) -> func.HttpResponse:
    """Run as sync functions do, on a thread."""
    saw("blocking begins")
    time.sleep(float(req.route_params["seconds"]))
    saw("blocking ends")
    return func.HttpResponse(req.method)


@app.route("die", methods=["GET"])
async def die(req: func.HttpRequest) -> func.HttpResponse:
    """End the worker process."""
    saw("died", url=req.url)
    os._exit(9)


# Queues ------------------------------------------------------------------------------------------


@app.route("add", methods=["POST"])
@app.queue_output(arg_name="out", queue_name="%WORK_QUEUE%", connection="AzureWebJobsStorage")
async def add(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    """Pass the body on to the queue."""
    out.set(req.get_body().decode())
    saw("add returned")
    return func.HttpResponse(status_code=202)


@app.route("put", methods=["POST"])
@app.queue_output(arg_name="out", queue_name="%WORK_QUEUE%-put", connection="AzureWebJobsStorage")
async def put(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    """Pass the body on to a queue that nobody reads."""
    out.set(req.get_body().decode())
    saw("put returned")
    return func.HttpResponse(status_code=202)


@app.route("put-many", methods=["POST"])
@app.queue_output(arg_name="out", queue_name="%WORK_QUEUE%-put", connection="AzureWebJobsStorage")
async def put_many(req: func.HttpRequest, out: func.Out[typing.List[str]]) -> func.HttpResponse:  # noqa: UP006 -- the worker knows no other
    """Pass the body's lines on, each as a message."""
    out.set(req.get_body().decode().split("\n"))
    return func.HttpResponse(status_code=202)


@app.queue_trigger(arg_name="msg", queue_name="%WORK_QUEUE%", connection="AzureWebJobsStorage")
async def work(msg: func.QueueMessage) -> None:
    """Do what the message says."""
    text = msg.get_body().decode()
    times = {"inserted": msg.insertion_time, "expires": msg.expiration_time, "visible": msg.time_next_visible}
    told = {name: moment.isoformat() if moment else None for name, moment in times.items()}
    saw("work", text=text, count=msg.dequeue_count, id=msg.id, receipt=msg.pop_receipt, **told)
    if text.startswith("sleep"):
        await asyncio.sleep(float(text.split()[1]))
        saw("work slept", text=text)
    if text == "fail":
        raise RuntimeError("asked to")


@app.queue_trigger(arg_name="msg", queue_name="%WORK_QUEUE%-poison", connection="AzureWebJobsStorage")
async def mourn(msg: func.QueueMessage) -> None:
    """Take a message that nobody could work on, and fail with it if a setting says so."""
    saw("poison", text=msg.get_body().decode(), count=msg.dequeue_count, id=msg.id)
    if os.environ.get("POISON_FAILS"):
        raise RuntimeError("asked to")


# Timer and warm-up -------------------------------------------------------------------------------


@app.timer_trigger(arg_name="tick", schedule="%TICKS%", run_on_startup=False)
async def ticking(tick: func.TimerRequest) -> None:
    """Run longer than a schedule's shortest period."""
    saw("tick begins", past_due=tick.past_due, status=getattr(tick, "schedule_status", None))
    await asyncio.sleep(1.4)
    saw("tick ends")


@app.warm_up_trigger("warming")
async def warming(warming: WarmUpContext) -> None:
    """Run before anything else, where the platform asks for it."""
    saw("warm", context=type(warming).__name__)
