"""The CSC API and what the authority publishes: each view parses, calls one service, renders."""
