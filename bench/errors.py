"""What may go wrong for a user, in one line each; `bench/__main__.py` maps each type to an exit status."""

from __future__ import annotations

from reference_models.errors import CaseError, CheckpointError, UnknownModelError

__all__ = ["Awaited", "CaseError", "CheckFailed", "CheckpointError", "UnknownModelError", "UsageError"]


class UsageError(Exception):
    """The call is wrong: exit status 2. The message is one line: what, what was expected, what exists."""


class CheckFailed(Exception):
    """A check or a run failed: exit status 1. The message is one line."""


class Awaited(CheckFailed):
    """A run can only go on after something that is not done here; the message says what. It has not failed."""
