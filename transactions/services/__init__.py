"""Everything that writes transactions, by subject; safe to call again with the same facts."""
