"""The HTTP doors: API, pages and static files."""
