"""The page of a clinic's office: it sees its own receipts alone, and decides about them."""
