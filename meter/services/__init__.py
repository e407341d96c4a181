"""Everything that writes meter values, by subject."""
