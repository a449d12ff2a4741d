from __future__ import annotations

import pytest

from foundation.errors import ConfigurationError
from foundation.settings.storage import Storage, storage

ENDPOINT = "https://ballx.table.core.windows.net"
QUEUES, BLOBS = "https://ballx.queue.core.windows.net", "https://ballx.blob.core.windows.net"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"P": "UseDevelopmentStorage=true"}, Storage(connection_string="UseDevelopmentStorage=true")),
        (
            {"P__tableServiceUri": ENDPOINT + "/"},
            Storage(table_endpoint=ENDPOINT, queue_endpoint=QUEUES, blob_endpoint=BLOBS, credential="default"),
        ),
        (
            {"P__accountName": "ballx"},
            Storage(table_endpoint=ENDPOINT, queue_endpoint=QUEUES, blob_endpoint=BLOBS, credential="default"),
        ),
        (
            {"P__tableServiceUri": "http://127.0.0.1:10002/devstoreaccount1", "P__accountName": "ignored"},
            Storage(table_endpoint="http://127.0.0.1:10002/devstoreaccount1", credential="default"),
        ),
        (
            {"P__accountName": "ballx", "P__credential": "ManagedIdentity", "P__clientId": "an-id"},
            Storage(
                table_endpoint=ENDPOINT,
                queue_endpoint=QUEUES,
                blob_endpoint=BLOBS,
                credential="managedidentity",
                client_id="an-id",
            ),
        ),
    ],
)
def test_storage_is_found_as_the_functions_host_finds_it(settings: dict[str, str], expected: Storage) -> None:
    """A connection string, a table URI or an account name; the URI wins over the name."""
    assert storage(settings, "P") == expected


@pytest.mark.parametrize("service", ["queue", "blob"])
def test_queues_and_blobs_are_where_their_own_setting_says(service: str) -> None:
    """Else beside the tables, where their address tells it."""
    name, other = f"P__{service}ServiceUri", f"https://other.{service}.core.windows.net"
    own = storage({"P__tableServiceUri": ENDPOINT, name: f"{other}/"}, "P")

    assert other in (own.queue_endpoint, own.blob_endpoint)
    with pytest.raises(ConfigurationError, match=name):
        storage({"P__tableServiceUri": ENDPOINT, name: "http://other.example"}, "P")


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({}, "P is not set: either P is a connection string"),
        ({"P": "  ", "Q__accountName": "ballx"}, "P is not set"),
        ({"P": "UseDevelopmentStorage=true", "P__accountName": "ballx"}, "P is given twice"),
        ({"P": "ballx"}, "P is not a connection string"),
        ({"P": "https://ballx.table.core.windows.net"}, "P is not a connection string"),
        ({"P__accountName": "ballx.example/"}, "P__accountName is not an account"),
        ({"P__tableServiceUri": "http://ballx.example"}, "P__tableServiceUri is not a table endpoint"),
        ({"P__tableServiceUri": "https://[::1"}, "P__tableServiceUri is not a table endpoint"),
        ({"P__accountName": "ballx", "P__credential": "password"}, "P__credential must be managedidentity"),
    ],
)
def test_storage_that_cannot_be_is_refused_by_name(settings: dict[str, str], wrong: str) -> None:
    """The error names the setting and what is accepted."""
    with pytest.raises(ConfigurationError) as caught:
        storage(settings, "P")

    assert str(caught.value).startswith(wrong)


def test_a_connection_string_stays_out_of_repr() -> None:
    """It holds the account's key."""
    assert "AccountKey" not in repr(storage({"P": "AccountName=a;AccountKey=b"}, "P"))
