"""Authentication factors beside the password. `interface` says what one must do; each module is one kind."""
