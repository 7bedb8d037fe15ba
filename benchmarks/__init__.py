"""Measurements and fitting; nothing here is needed to run Endy."""
