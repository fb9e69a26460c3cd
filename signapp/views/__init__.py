"""Pages: each view parses, calls one service, and renders."""
