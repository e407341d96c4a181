"""Everything that writes id tags, by subject."""
