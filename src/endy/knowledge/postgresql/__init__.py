"""Search in PostgreSQL, for a knowledge that is too large for the memory of every replica (SEARCH=postgres)."""
