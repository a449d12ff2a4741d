"""The outside world: HTTP, tables, queues. Each adapter translates foreign errors in one place."""
