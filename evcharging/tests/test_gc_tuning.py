"""The garbage collector of a server: loaded objects are frozen, cycles made later are collected."""

import subprocess
import sys

import pytest

CODE = """
import gc, weakref
from evcharging.server import gc_tuning

class Node:
    pass

gc_tuning.tune_gc()
assert gc.get_freeze_count() > 1000, gc.get_freeze_count()
assert gc.get_threshold() == gc_tuning.THRESHOLDS
node = Node()
node.itself, gone = node, weakref.ref(node)
del node
kept = []
while gone() is not None and len(kept) < 2 * gc_tuning.THRESHOLDS[0]:
    kept.append([])
print("collected" if gone() is None else "left", len(kept) > 10_000)
"""


@pytest.mark.live
def test_tuned_collector_freezes_what_is_loaded_and_collects_cycles_made_later() -> None:
    shown = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["collected", "True"]
