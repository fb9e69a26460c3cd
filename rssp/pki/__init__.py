"""The certification authority: profiles, names, certificates. Its keys lie in the HSM, and it is handed a signer."""
