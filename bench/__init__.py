"""Repeatable benchmarks: load, storms, memory, storage; every cell beside its ceiling and the obvious stack."""
