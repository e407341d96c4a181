"""Energy of a transaction: evidence in, verdict out. Pure: no clock, no database, no model (docs/energy.md)."""
