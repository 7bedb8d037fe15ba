"""Users and their file."""
