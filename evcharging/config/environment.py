"""Typed readers of environment variables: an unset or empty variable is the default, a wrong one is an error."""

from collections.abc import Mapping, Sequence

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


class Environment:
    """Reads a mapping of environment variables; `names` has those that were asked for.

    Every reader raises ImproperlyConfigured with one line that names the variable.

    :param old_names: earlier names that still work, each with its present one. It is an error to set both to different
        values.
    """

    def __init__(self, variables: Mapping[str, str], *, old_names: Mapping[str, str] | None = None) -> None:
        self._variables = variables
        self.old_names = old_names or {}
        self.names: set[str] = set()

    def text(self, name: str, default: str = "") -> str:
        """Return the variable without surrounding blanks."""
        return self._read(name)[1] or default

    def number(
        self, name: str, default: float, *, minimum: float | None = None, maximum: float | None = None
    ) -> float:
        """Return a finite number within the bounds."""
        set_name, text = self._read(name)
        try:
            value = float(text) if text else default
        except ValueError:
            raise ImproperlyConfigured(f"{set_name} must be a number, not {text!r}") from None
        if value != value or value in (float("inf"), float("-inf")):
            raise ImproperlyConfigured(f"{set_name} must be a number, not {text!r}")
        if minimum is not None and value < minimum:
            raise ImproperlyConfigured(f"{set_name} must be at least {minimum:g}, not {value:g}")
        if maximum is not None and value > maximum:
            raise ImproperlyConfigured(f"{set_name} must be at most {maximum:g}, not {value:g}")
        return value

    def integer(self, name: str, default: int, *, minimum: int | None = None, maximum: int | None = None) -> int:
        """Return a whole number within the bounds."""
        value = self.number(name, default, minimum=minimum, maximum=maximum)
        if value != int(value):
            raise ImproperlyConfigured(f"{self._read(name)[0]} must be a whole number, not {value:g}")
        return int(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a boolean: 1/0, true/false, yes/no or on/off."""
        set_name, text = self._read(name)
        word = text.lower()
        if not word:
            return default
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise ImproperlyConfigured(f"{set_name} must be 1 or 0, not {word!r}")

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """Return one of `choices`; case is ignored."""
        set_name, text = self._read(name)
        word = (text or default).lower()
        if word not in choices:
            raise ImproperlyConfigured(f"{set_name} must be one of {', '.join(choices)}, not {word!r}")
        return word

    def words(self, name: str, default: Sequence[str] = ()) -> list[str]:
        """Return a list of words that are separated by commas or blanks."""
        return self.text(name).replace(",", " ").split() or list(default)

    def _read(self, name: str) -> tuple[str, str]:
        """Return the name under which the variable is set, and its text."""
        self.names.add(name)
        found = name, self._variables.get(name, "").strip()
        for old, new in self.old_names.items():
            text = self._variables.get(old, "").strip() if new == name else ""
            if text and not found[1]:
                found = old, text
            elif text and text != found[1]:
                raise ImproperlyConfigured(f"{found[0]} and {old}, its old name, differ: unset {old}")
        return found
