"""Python's cycle collector, set for a process that holds thousands of connections for months."""

import gc

# Container objects made beyond those freed, until the young are looked at; how often these, until the middle-aged are;
# and those, until all are. The defaults (700, 10, 10) look at the objects of messages that are only on their way, and
# at those of all connections again and again.
THRESHOLDS = (20_000, 50, 100)


def settle() -> None:
    """Call it once all is loaded: that is not looked at any more, and what comes and goes less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
