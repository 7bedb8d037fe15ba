"""Opinions about answers."""
