"""The shop is told: its call-backs are signed, sent, sent again, and dropped when a later event supersedes them."""
