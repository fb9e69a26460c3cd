"""Composition: which roles this process serves, their settings, addresses and workers.

The only package that knows all four roles. No role imports it.
"""
