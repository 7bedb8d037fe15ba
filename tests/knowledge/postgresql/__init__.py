"""The search index in a real PostgreSQL."""
