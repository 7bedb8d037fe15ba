"""Knowledge from real files to a real database."""
