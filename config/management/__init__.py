"""The composition's own commands."""
