"""How much anybody may ask."""
