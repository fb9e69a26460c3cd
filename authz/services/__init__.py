"""What this role does. Keyword-only functions; each owns its transaction."""
