"""CSV cells that spreadsheets would run as formulas (CSV injection): a tag may have been chosen by an attacker."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def guard_formula(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def unguard_formula(text: str) -> str:
    """Take off the apostrophe of guard_formula()."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA_STARTS) else text
