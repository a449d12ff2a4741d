"""Which steps of the client library's pipeline a request to a table goes through."""

from __future__ import annotations

from foundation.tablestore.table_service import TableService


async def test_what_does_nothing_here_is_left_out() -> None:
    """Of the library's thirteen steps eight are left; one that a later version adds shows here."""
    service = TableService.from_connection_string("UseDevelopmentStorage=true")
    table = service.get_table_client("ledger")
    found = [type(step).__name__ for step in service._policies]
    await table.close()
    await service.close()

    assert found == [
        "RequestIdPolicy",
        "StorageHeadersPolicy",
        "UserAgentPolicy",
        "SharedKeyCredentialPolicy",
        "ContentDecodePolicy",
        "StorageHosts",
        "AsyncTablesRetryPolicy",
        "CustomHookPolicy",
    ]
