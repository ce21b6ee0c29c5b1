"""State of a site in SQL: files, runs, versions, aliases, leases, ledger. Knows nothing of models."""
