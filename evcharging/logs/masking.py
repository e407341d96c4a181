"""Masking of id tags in log lines, to their last four characters: whoever knows a tag can charge with it.

Applied to the whole line, so that frames, exceptions and database messages are masked too.
"""

import re

SHOWN = 4
HIDDEN = "***"

# idTag, parentIdTag, id_tag, stop_id_tag, id_tag_folded …, in JSON (however often escaped), in reprs and in key=value.
_TAG = re.compile(
    r"""(?P<key> (?<![A-Za-z]) (?: idTag | [a-z]+IdTag | (?:[a-z]+_)* id_tag (?:_folded)? ) )
        (?P<between> \\*["']? \s* [:=] \s* )
        (?: (?P<quote> \\*["'] ) (?P<quoted> .*? ) (?: (?<!\\) (?P=quote) | \Z )
          | (?! null\b | None\b ) (?P<bare> [^\s"'\\,;(){}\[\]]+ ) )""",
    re.VERBOSE | re.DOTALL,
)
# Paths of the API of one tag or group, in Django's messages about a request.
_ADDRESS = re.compile(r"""(/id-tag(?:s|-groups)/)([^\s"'\\?]+?)(?=/?(?:[\s"'\\?,;)]|\Z))""")
# DETAIL and CONTEXT of PostgreSQL's errors: rows, keys and parameters.
_ROW = re.compile(r"(Failing row contains \().*?(\)\.)", re.DOTALL)
_KEY = re.compile(r"(Key \([^)]*id_tag[^)]*\)=\().*(\) )")
_PARAMETER = re.compile(r"(portal parameter \$\d+ = ').*?(?:'|\Z)", re.DOTALL)


def masked(id_tag: str) -> str:
    """Return a tag with its last four characters (of a shorter one, the last half) behind ***. Idempotent."""
    if id_tag.startswith(HIDDEN) and len(id_tag) <= len(HIDDEN) + SHOWN:
        return id_tag
    shown = min(SHOWN, len(id_tag) // 2)
    return HIDDEN + id_tag[len(id_tag) - shown :]


def mask_id_tags(text: str) -> str:
    """Mask the id tags in a log line or any other text."""
    if "dTag" in text or "id_tag" in text:
        text = _KEY.sub(r"\1***\2", _TAG.sub(_masked_match, text))
    if "/id-tag" in text:
        text = _ADDRESS.sub(lambda match: match[1] + masked(match[2]), text)
    if "Failing row" in text:
        text = _ROW.sub(r"\1***\2", text)
    if "portal parameter" in text:
        text = _PARAMETER.sub(r"\1***'", text)
    return text


def _masked_match(match: re.Match[str]) -> str:
    quote = match["quote"] or ""
    return match["key"] + match["between"] + quote + masked(match["bare"] or match["quoted"] or "") + quote
