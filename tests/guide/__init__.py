"""The guides that operators follow, executed."""
