"""Everything that writes status history, by subject."""
