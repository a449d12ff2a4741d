"""The operator's console of PayFlow: companies, receipts, the sender, the machinery; acts with a dry run."""
