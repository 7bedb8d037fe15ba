"""Who changed what, when and from where: append-only, chained by hashes."""
