"""The pure parts of the local host: schedules, routes and configuration."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devstack.host.config import BadHostConfig, load, seconds
from devstack.host.routes import routes
from devstack.host.timers import Schedule
from devstack.host.times import Times
from devstack.host.values import Function


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        ("0 * * * * *", "2026-11-21 10:00:00", "2026-11-21 10:01:00"),
        ("0 * * * * *", "2026-11-21 23:59:59", "2026-11-22 00:00:00"),
        ("*/5 * * * * *", "2026-11-21 10:00:57", "2026-11-21 10:01:00"),
        ("30 15 10 * * *", "2026-11-21 10:15:30", "2026-11-22 10:15:30"),
        ("0 0 9-17/4 * * mon-fri", "2026-11-21 10:00:00", "2026-11-23 09:00:00"),
        ("0 0 0 1 jan *", "2026-11-21 10:00:00", "2027-01-01 00:00:00"),
        ("0 0 0 29 feb *", "2096-03-01 00:00:00", "2104-02-29 00:00:00"),
        ("0 0 0 13 * fri", "2026-11-21 10:00:00", "2027-08-13 00:00:00"),
        ("0 5,10 3 * * sun", "2026-11-21 10:00:00", "2026-11-22 03:05:00"),
        ("* * * * *", "2026-11-21 10:00:11", "2026-11-21 10:01:00"),
        ("10/20 * * * * *", "2026-11-21 10:00:11", "2026-11-21 10:00:30"),
    ],
)
def test_a_schedule_names_the_next_time(schedule: str, moment: str, expected: str) -> None:
    """The first tick later than the moment, in UTC; day of month and weekday must both match."""
    after = Schedule.parse(schedule).after(datetime.fromisoformat(moment).replace(tzinfo=UTC))

    assert after == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "* * * *",
        "60 * * * * *",
        "* * 24 * * *",
        "* * * 0 * *",
        "* * * * * 7",
        "x * * * * *",
        "*/0 * * * * *",
        "5-1 * * * * *",
    ],
)
def test_a_wrong_schedule_is_refused_by_name(text: str) -> None:
    """The message repeats what was written."""
    with pytest.raises(BadHostConfig, match="schedule"):
        Schedule.parse(text)


def test_a_day_that_never_comes_is_refused() -> None:
    """30 February is in no year."""
    with pytest.raises(BadHostConfig, match="never comes"):
        Schedule.parse("0 0 0 30 feb *").after(datetime(2026, 1, 1, tzinfo=UTC))


def http(name: str, route: str | None, methods: list[str] | None = None) -> Function:
    """An HTTP function."""
    trigger = {"type": "httpTrigger", "name": "req", "route": route, "methods": methods}
    return Function(name=name, function_id=name, trigger=trigger, outputs={})


def matched(functions: list[Function], path: str) -> tuple[str, dict[str, str]] | None:
    """The first function that answers *path* under the prefix ``api``."""
    for route in routes(functions, "api"):
        if found := route.pattern.fullmatch(path):
            return route.function.name, found.groupdict()
    return None


def test_routes_match_as_in_azure() -> None:
    """Literals before parameters, case ignored, one segment each, the function's name where no route is set."""
    functions = [
        http("one", "orders/{id}"),
        http("two", "orders/{source}/{id}"),
        http("named", None),
        http("new", "orders/new"),
        http("any", "files/{*rest}"),
        http("count", "n/{n:int}"),
    ]

    assert matched(functions, "/api/orders/A.b-1") == ("one", {"id": "A.b-1"})
    assert matched(functions, "/api/orders/shop/7/") == ("two", {"source": "shop", "id": "7"})
    assert matched(functions, "/API/Orders/new") == ("new", {})
    assert matched(functions, "/api/named") == ("named", {})
    assert matched(functions, "/api/files/a/b/c") == ("any", {"rest": "a/b/c"})
    assert matched(functions, "/api/n/12") == ("count", {"n": "12"})
    assert matched(functions, "/api/n/x") is None
    assert matched(functions, "/orders/1") is None


def an_app(folder: Path, host: object, values: dict[str, str] | None = None) -> Path:
    """An app's configuration files."""
    (folder / "host.json").write_text(json.dumps(host))
    if values is not None:
        (folder / "local.settings.json").write_text(json.dumps({"Values": values}))
    return folder


def test_the_platform_defaults_hold_where_host_json_is_silent(tmp_path: Path) -> None:
    """As documented for extension bundle 4."""
    config = load(an_app(tmp_path, {"version": "2.0"}), {})

    assert (config.queues.batch_size, config.queues.new_batch_threshold, config.queues.max_dequeue_count) == (16, 8, 5)
    assert (config.queues.max_polling_interval_s, config.queues.visibility_timeout_s) == (60.0, 0.0)
    assert (config.route_prefix, config.function_timeout_s) == ("api", 1800.0)


def test_a_setting_overrides_host_json_and_the_environment_overrides_the_file(tmp_path: Path) -> None:
    """``AzureFunctionsJobHost__`` reaches into host.json; a variable wins over local.settings.json."""
    environment = {"AzureFunctionsJobHost__extensions__queues__batchSize": "4", "A": "from the shell"}
    config = load(
        an_app(tmp_path, {"functionTimeout": "-1"}, {"A": "from the file", "B": "from the file"}), environment
    )

    assert config.queues.batch_size == 4
    assert config.queues.new_batch_threshold == 2
    assert config.function_timeout_s is None
    assert (config.expand("%A%-%B%"), config.disabled("f")) == ("from the shell-from the file", False)


def test_local_settings_can_be_left_out(tmp_path: Path) -> None:
    """Then only the environment counts."""
    environment: dict[str, str] = {}
    load(an_app(tmp_path, {}, {"A": "1"}), environment, local_settings=False)

    assert environment == {}


def test_the_development_storage_is_the_emulator(tmp_path: Path) -> None:
    """``UseDevelopmentStorage=true`` means its fixed ports and published key."""
    config = load(an_app(tmp_path, {}), {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "Other": "X=1"})

    assert "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1" in config.storage("")
    assert config.storage("Other") == "X=1"


@pytest.mark.parametrize(
    "host", [{"functionTimeout": "soon"}, [], {"extensions": {"queues": {"messageEncoding": "rot13"}}}]
)
def test_a_wrong_host_json_is_refused(tmp_path: Path, host: object) -> None:
    """With a message, before anything starts."""
    with pytest.raises(BadHostConfig):
        load(an_app(tmp_path, host), {})


def test_a_missing_setting_and_a_missing_file_are_named(tmp_path: Path) -> None:
    """The message says which."""
    with pytest.raises(BadHostConfig, match="QUEUE_NAME"):
        load(an_app(tmp_path, {}), {}).expand("%QUEUE_NAME%")
    with pytest.raises(BadHostConfig, match=r"host\.json"):
        load(tmp_path / "nowhere", {})


def test_a_function_is_disabled_by_either_spelling(tmp_path: Path) -> None:
    """Linux refuses dots in variable names, so the platform takes both."""
    settings = {"AzureWebJobs.a.Disabled": "true", "AzureWebJobs__b__Disabled": "1"}
    config = load(an_app(tmp_path, {}), settings)

    assert [config.disabled(name) for name in "abc"] == [True, True, False]


def test_time_spans_are_read_as_dot_net_writes_them() -> None:
    """Days, fractions."""
    assert seconds("00:00:02") == 2
    assert seconds("1.01:01:01.500") == 90061.5
    assert (seconds("-00:00:10"), seconds(2)) == (-10, 172_800)


def test_the_waiting_times_are_the_real_ones_unless_a_test_says_otherwise() -> None:
    """What was observed, in seconds; a scale is for tests, and the grace at a stop can be set by itself."""
    real = Times.of({})

    assert (real.lock_s, real.stop_s, real.timeout_answer_s, real.listener_lease_s) == (600, 37, 13, 60)
    assert sum(real.first_retry_s * 2**attempt for attempt in range(5)) == pytest.approx(24.8)
    assert Times.of({"DEVSTACK_TIME_SCALE": "0.01"}).lock_s == pytest.approx(6)
    assert Times.of({"DEVSTACK_TIME_SCALE": "0.01", "DEVSTACK_STOP_S": "2"}).stop_s == 2
