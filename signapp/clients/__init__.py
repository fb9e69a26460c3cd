"""How this role asks others: the authorization server and the gateway."""
