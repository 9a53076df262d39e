"""What one kind of fault rounds came to: a line for people and a verdict for the exit code."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Report:
    """Result of the rounds of one harness."""

    name: str
    """First word of the line."""
    text: str
    """The rest: rounds and what was found."""
    passed: bool
    """False on any loss."""

    def __str__(self) -> str:
        """Returns the line."""
        return f"{self.name}: {self.text}"
