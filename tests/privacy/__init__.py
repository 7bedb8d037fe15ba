"""Masking of personal data."""
