"""Finding payments: which instalments are listed, which are read, and which receipts come of it."""
