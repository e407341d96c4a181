"""System checks: wrong combinations of settings, each with an id and a hint."""
