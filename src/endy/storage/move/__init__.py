"""Moving everything from one database, or from the files of before, into an empty database."""
