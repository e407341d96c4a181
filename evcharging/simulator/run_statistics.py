"""Counts of a run, updated by all its stations."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class RunStatistics:
    """What happened in one run. `errors` counts by text: the same error of many stations is one entry."""

    sessions: int = 0
    energy_wh: int = 0
    answered_calls: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    reconnections: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    first_identities: dict[str, str] = field(default_factory=dict)
    """The lowest identity that had an error, by the error's text."""

    def record_error(self, identity: str, error: str) -> None:
        self.errors[error] += 1
        self.first_identities[error] = min(identity, self.first_identities.get(error, identity))

    @property
    def messages(self) -> int:
        return self.answered_calls.total() + self.commands.total()

    def error_lines(self) -> list[str]:
        """Return one line per error text, the most frequent first."""
        return [
            f"{self.first_identities[error]}: {error}"
            if count == 1
            else f"{count} × {error}, first {self.first_identities[error]}"
            for error, count in self.errors.most_common()
        ]
