"""What this role asks of others: introspection and approvals of the authorization server, the CSC API of a signing
service."""
