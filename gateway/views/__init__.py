"""The JSON API: each view parses, calls one service, renders."""
