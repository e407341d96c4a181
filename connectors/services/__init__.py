"""Everything that writes connectors, by subject."""
