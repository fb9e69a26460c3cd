"""Several documents, one approval: gathered, sent and prepared, approved, followed."""
