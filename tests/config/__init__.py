"""The composition: how an installation is made ready, starts, and ends."""
