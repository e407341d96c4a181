"""What happened in a run: counted by every station, shown while it runs and at its end."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts of one run. `errors` is by text, without the station where many stations have the same."""

    sessions: int = 0
    energy_wh: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    reconnections: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    first_with: dict[str, str] = field(default_factory=dict)

    def error(self, identity: str, what: str) -> None:
        """Count an error; of the stations that have it the first is named."""
        self.errors[what] += 1
        self.first_with[what] = min(identity, self.first_with.get(what, identity))

    @property
    def messages(self) -> int:
        return self.sent.total() + self.commands.total()

    def error_lines(self) -> list[str]:
        """Return one line for each kind of error, the most frequent first."""
        return [
            f"{self.first_with[what]}: {what}" if times == 1 else f"{times} × {what}, first {self.first_with[what]}"
            for what, times in self.errors.most_common()
        ]
