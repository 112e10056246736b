"""One rolling upgrade of Azure's own: what it is, how far it is, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .actions import Previous
    from .images import Resolved
    from .scale_set import Operation


@dataclass
class RollingUpgrade:
    """`kind`: `os`, `extension` or `model` (a write in mode Rolling). Times are simulated seconds.

    `approved` is None where nobody's approval is needed; `turn` numbers the batches, so that a stale timer is known.
    `busy`: a batch is under way, and a cancellation waits for its end.
    """

    kind: str
    started_by: str
    policy: dict[str, Any]
    operation: Operation
    started: float
    pending: list[str]
    target: Resolved | None = None
    target_reference: dict[str, Any] = field(default_factory=dict)
    restores: bool = False
    code: str = "RollingForward"
    last_action: str = "Start"
    last_action_time: float = 0.0
    ended: float | None = None
    in_progress: list[str] = field(default_factory=list)
    successful: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    worked_on: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    previous: dict[str, Previous] = field(default_factory=dict)
    approved: set[str] | None = None
    awaiting_approval: list[str] = field(default_factory=list)
    hook_event: str | None = None
    restored: int = 0
    restore_failed: int = 0
    error: dict[str, str] | None = None
    cancellations: list[Operation] = field(default_factory=list)
    turn: int = 0
    busy: bool = False
    max_unavailable: int = 0

    @property
    def running(self) -> bool:
        return self.ended is None

    def progress(self) -> dict[str, int]:
        return {
            "successfulInstanceCount": len(self.successful),
            "failedInstanceCount": len(self.failed),
            "inProgressInstanceCount": len(self.in_progress),
            "pendingInstanceCount": len(self.pending) + len(self.rejected),
        }

    def as_dict(self) -> dict[str, Any]:
        """For the judge."""
        return {
            "kind": self.kind,
            "started_by": self.started_by,
            "code": self.code,
            "started": self.started,
            "ended": self.ended,
            "target": None if self.target is None else self.target.text(),
            "batches": self.batches,
            "successful": self.successful,
            "failed": self.failed,
            "pending": self.pending,
            "in_progress": self.in_progress,
            "rejected": self.rejected,
            "awaiting_approval": self.awaiting_approval,
            "restored": self.restored,
            "restore_failed": self.restore_failed,
            "max_unavailable": self.max_unavailable,
            "error": self.error,
        }
