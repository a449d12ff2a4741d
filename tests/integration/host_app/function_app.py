"""A small app that shows what a host does: it echoes, fails on demand, and writes what it saw to a file."""

import asyncio
import json
import os
from pathlib import Path

import azure.functions as func
from azure.functions.warmup import WarmUpContext

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
SEEN = Path(os.environ["HOST_APP_SEEN"])


def saw(what: str, **fields: object) -> None:
    """Append one line to the file the tests read."""
    with SEEN.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"what": what, **fields}) + "\n")


@app.route("echo/{name}", methods=["POST", "GET"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    """Return what arrived."""
    document = {
        "name": req.route_params["name"],
        "query": dict(req.params),
        "body_hex": req.get_body().hex(),
        "headers": dict(req.headers),
        "url": req.url,
    }
    return func.HttpResponse(json.dumps(document), status_code=201, headers={"X-Echo": "yes"})


@app.route("echo/literal", methods=["GET"])
async def literal(req: func.HttpRequest) -> func.HttpResponse:
    """Win over the parameter route beside it."""
    return func.HttpResponse(f"literal {req.method}")


@app.route("keyed", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def keyed(req: func.HttpRequest) -> func.HttpResponse:
    """Answer only with the function key."""
    return func.HttpResponse(f"open {req.method}")


@app.route("fail", methods=["GET"])
async def fail(req: func.HttpRequest) -> func.HttpResponse:
    """Raise."""
    raise RuntimeError("secret in a trace", req.url)


@app.route("slow", methods=["GET"])
async def slow(req: func.HttpRequest) -> func.HttpResponse:
    """Run longer than functionTimeout."""
    await asyncio.sleep(60)
    return func.HttpResponse(req.url)


@app.route("blocking", methods=["GET"])
def blocking(req: func.HttpRequest) -> func.HttpResponse:
    """Run as sync functions do, on a thread."""
    return func.HttpResponse(req.method)


@app.route("add", methods=["POST"])
@app.queue_output(arg_name="out", queue_name="%WORK_QUEUE%", connection="AzureWebJobsStorage")
async def add(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    """Pass the body on to the queue."""
    out.set(req.get_body().decode())
    saw("add returned")
    return func.HttpResponse(status_code=202)


@app.route("add-badly", methods=["POST"])
@app.queue_output(arg_name="out", queue_name="Not A Queue Name", connection="AzureWebJobsStorage")
async def add_badly(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    """Complete, and then fail: the queue's name is refused by the storage."""
    out.set(req.get_body().decode())
    saw("add_badly returned")
    return func.HttpResponse(status_code=202)


@app.queue_trigger(arg_name="msg", queue_name="%WORK_QUEUE%", connection="AzureWebJobsStorage")
async def work(msg: func.QueueMessage) -> None:
    """Do what the message says."""
    text = msg.get_body().decode()
    saw("work", text=text, count=msg.dequeue_count, id=msg.id)
    if text.startswith("sleep"):
        await asyncio.sleep(float(text.split()[1]))
        saw("work slept", text=text)
    if text == "fail":
        raise RuntimeError("asked to")


@app.timer_trigger(arg_name="tick", schedule="%TICKS%", run_on_startup=False)
async def ticking(tick: func.TimerRequest) -> None:
    """Run longer than the schedule's period."""
    saw("tick begins", past_due=tick.past_due)
    await asyncio.sleep(1.4)
    saw("tick ends")


@app.warm_up_trigger("warming")
async def warming(warming: WarmUpContext) -> None:
    """Run once before anything else."""
    saw("warm", context=type(warming).__name__)
