"""What an operator does by hand; the same use cases and rows as the functions."""
