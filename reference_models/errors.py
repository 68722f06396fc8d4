"""What may be wrong with a name or a file that a user gives, in one line. Importing this imports no torch."""

from __future__ import annotations


class UnknownModelError(KeyError):
    """No model has that name. The message names the nearest and the known ones."""

    def __str__(self) -> str:
        return str(self.args[0])


class CheckpointError(Exception):
    """A file that is no checkpoint, or the checkpoint of another model."""


class CaseError(Exception):
    """A file that is no parity case."""
