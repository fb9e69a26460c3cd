"""The description of this role's API: one table, from which the OpenAPI document and the page are made."""
