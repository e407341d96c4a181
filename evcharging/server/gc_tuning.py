"""The garbage collector of a process that holds thousands of connections for months."""

import gc

# gc thresholds of generations 0, 1 and 2. With the defaults (700, 10, 10) generation 0 is collected every second or
# third message, while its objects are still in use, and generation 2, with those of all connections, far too often.
THRESHOLDS = (20_000, 50, 100)


def tune_gc() -> None:
    """Exempt what is loaded from collection and set the thresholds; call it once the process is ready."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
