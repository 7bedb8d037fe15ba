"""What is stored about a person: told to them, and erased."""
