"""Doors other than the web page."""
