"""Named extension points: a page or list names its parts in order, and the apps that know them register them."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from django.core.checks import CheckMessage, Error

Part = TypeVar("Part")


class Registry(Generic[Part]):
    """Parts by name, in the order of `names`.

    An app registers at registries of the apps below it, which import none above them. `check` reports a name that is
    listed and not registered, or the other way round; the page is shown without it.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._parts: dict[str, Part] = {}

    def register(self, name: str) -> Callable[[Part], Part]:
        """Register a part under a name (a decorator).

        :raises ValueError: the name is taken.
        """

        def decorate(part: Part) -> Part:
            self._add(name, part)
            return part

        return decorate

    def _add(self, name: str, part: Part) -> None:
        if name in self._parts:
            raise ValueError(f"{name!r} is registered twice")
        self._parts[name] = part

    def items(self) -> list[tuple[str, Part]]:
        """Return the registered parts that are listed, with their names, in order."""
        return [(name, self._parts[name]) for name in self.names if name in self._parts]

    def check(self, owner: object) -> list[CheckMessage]:
        """Return evcharging.E012 for names without a part and evcharging.E013 for parts whose name is not listed."""
        missing = [
            Error(
                f"{name!r} is listed, and no app registers it.",
                hint="Register it, or take its name out of the list.",
                obj=owner,
                id="evcharging.E012",
            )
            for name in self.names
            if name not in self._parts
        ]
        unknown = [
            Error(
                f"{name!r} is registered, and not listed: it is not shown.",
                hint="Add its name to the list, at the place where it should stand.",
                obj=owner,
                id="evcharging.E013",
            )
            for name in self._parts
            if name not in self.names
        ]
        return [*missing, *unknown]
