"""One mail to one address: at most once by our doing, and never lost."""
