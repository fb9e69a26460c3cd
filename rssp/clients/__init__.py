"""What this role asks of others: the authorization server about tokens."""
