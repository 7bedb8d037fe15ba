"""Finding the right section."""
