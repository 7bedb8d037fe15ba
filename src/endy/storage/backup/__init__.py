"""Backups: one file with every row and the knowledge files, verified, and encrypted with a key."""
