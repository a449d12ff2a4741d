"""What both apps are built on: it knows Azure and no business, and imports neither app."""
