"""Rollovers: registers that begin at 0 again behind their last digit."""

_WH = 1000
_WORDS = (16, 24, 31, 32)
"""Bits of the counters that registers are kept in; also in tens, hundreds and thousands of Wh."""

_TENS = [_WH * 10**power for power in range(4, 20)]
_TWOS = [_WH * 2**bits for bits in range(15, 65)]
COMMON = tuple(sorted({*_TENS[1:10], *(_WH * step * 2**bits for bits in _WORDS for step in (1, 10, 100, 1000))}))
ALL = tuple(sorted({*COMMON, *_TENS, *_TWOS}))
"""Moduli, mWh."""


def rollover_rise(before: int, after: int, *, most: int, closeness: int, moduli: tuple[int, ...] = ALL) -> int | None:
    """Return the rise (mWh) if a fall from `before` to `after` is a rollover, None if it is none.

    It is one if `before` is within a `closeness`-th of a modulus and the rise over it is at most `most`. A register
    that reads exactly 0 is one that is not up yet, which no rollover can be told from.
    """
    if not 0 < after < before:
        return None
    for modulus in moduli:
        missing = modulus - before
        if missing > 0:
            if missing + after > most:
                return None
            if missing * closeness <= modulus:
                return missing + after
    return None
