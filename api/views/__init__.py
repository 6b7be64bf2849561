"""What answers hold, made of rows of the ledger."""
