"""The table of bad input (§4): a module for each layer that something can be wrong in."""
