"""The outside world, one module per outside thing; each translates foreign errors in one table."""
