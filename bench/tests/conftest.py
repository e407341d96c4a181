"""A site of the benchmarks' own, as `make bench` has it."""

from collections.abc import Iterator

import pytest

from bench.site import Site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as site:
        yield site
