"""PDF/A: files that are it, and the program that says whether a file is."""
