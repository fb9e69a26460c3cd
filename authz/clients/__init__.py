"""Calls to addresses that clients registered."""
