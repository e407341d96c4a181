"""Id tags in log lines: they open charging sessions, so at most their last four characters are shown.

Applied to every finished line, so that no frame, exception or database message can carry one out.
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
# The API's addresses of one tag or group, in what Django says of a request.
_ADDRESS = re.compile(r"""(/id-tag(?:s|-groups)/)([^\s"'\\?]+?)(?=/?(?:[\s"'\\?,;)]|\Z))""")
# What PostgreSQL adds to an error: rows, keys and parameters.
_ROW = re.compile(r"(Failing row contains \().*?(\)\.)", re.DOTALL)
_KEY = re.compile(r"(Key \([^)]*id_tag[^)]*\)=\().*(\) )")
_PARAMETER = re.compile(r"(portal parameter \$\d+ = ').*?(?:'|\Z)", re.DOTALL)


def masked(id_tag: str) -> str:
    """Return a tag with all but its end hidden: the last four characters, or half of a shorter one.

    What is masked already stays as it is.
    """
    if id_tag.startswith(HIDDEN) and len(id_tag) <= len(HIDDEN) + SHOWN:
        return id_tag
    shown = min(SHOWN, len(id_tag) // 2)
    return HIDDEN + id_tag[len(id_tag) - shown :]


def mask_id_tags(text: str) -> str:
    """Return a log line, or any text, with the id tags in it masked."""
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
