"""Questions written once: a model thinks up, per section, what employees would ask; good ones are searched."""
