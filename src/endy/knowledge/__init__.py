"""Knowledge: FAQs and documents, from files to searchable sections in the database."""
