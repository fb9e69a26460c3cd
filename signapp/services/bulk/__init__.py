"""Sending one envelope to many people."""
