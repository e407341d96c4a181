"""Typed readers of environment variables: an unset or empty variable is the default, a wrong one fails loudly."""

from collections.abc import Mapping, Sequence

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


class Environment:
    """Reads one mapping of environment variables and remembers which names it was asked for.

    Every reader raises ImproperlyConfigured with one line that names the variable.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.names: set[str] = set()

    def text(self, name: str, default: str = "") -> str:
        """Return the variable without surrounding blanks."""
        self.names.add(name)
        return self._variables.get(name, "").strip() or default

    def number(
        self, name: str, default: float, *, minimum: float | None = None, maximum: float | None = None
    ) -> float:
        """Return a finite number within the bounds."""
        text = self.text(name)
        try:
            value = float(text) if text else default
        except ValueError:
            raise ImproperlyConfigured(f"{name} must be a number, not {text!r}") from None
        if value != value or value in (float("inf"), float("-inf")):
            raise ImproperlyConfigured(f"{name} must be a number, not {text!r}")
        if minimum is not None and value < minimum:
            raise ImproperlyConfigured(f"{name} must be at least {minimum:g}, not {value:g}")
        if maximum is not None and value > maximum:
            raise ImproperlyConfigured(f"{name} must be at most {maximum:g}, not {value:g}")
        return value

    def integer(self, name: str, default: int, *, minimum: int | None = None, maximum: int | None = None) -> int:
        """Return a whole number within the bounds."""
        value = self.number(name, default, minimum=minimum, maximum=maximum)
        if value != int(value):
            raise ImproperlyConfigured(f"{name} must be a whole number, not {value:g}")
        return int(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a yes or no; understands 1/0, true/false, yes/no and on/off."""
        text = self.text(name).lower()
        if not text:
            return default
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {text!r}")

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """Return one of `choices`, whatever its case in the environment."""
        text = self.text(name, default).lower()
        if text not in choices:
            raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {text!r}")
        return text

    def words(self, name: str, default: Sequence[str] = ()) -> list[str]:
        """Return a list from comma- or blank-separated words."""
        return self.text(name).replace(",", " ").split() or list(default)
