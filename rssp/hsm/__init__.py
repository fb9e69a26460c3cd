"""The one door to PKCS#11. Knows no Django: the composition's settings are handed in."""
