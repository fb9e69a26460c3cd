"""What this role does. Keyword-only functions; they own the transactions."""
