"""Endy: an in-house knowledge assistant that answers in Korean, with its source."""

__version__ = "2.1.0"
