"""Everything that writes transactions, by subject: each transaction exactly once, whatever the charger repeats."""
