"""Everything that writes stations, by subject."""
