"""What the account may do: the roles that Azure shows of it, and the deny assignments that it does not show."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import Any

from .errors import ArmError, forbidden


def _matches(patterns: list[str], action: str) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


@dataclass
class Permissions:
    """`roles`: each with `actions` and `notActions`, the account's. `denied`: what a deny assignment forbids."""

    roles: list[dict[str, list[str]]] = field(default_factory=lambda: [{"actions": ["*"]}])
    denied: list[str] = field(default_factory=list)

    def check(self, client_id: str, action: str, scope: str) -> None:
        """Raises what Azure answers to an action that is not allowed."""
        allowed = (
            _matches(role.get("actions", []), action) and not _matches(role.get("notActions", []), action)
            for role in self.roles
        )
        if not any(allowed):
            raise forbidden(client_id, action, scope)
        if _matches(self.denied, action):
            raise ArmError(
                403,
                "DenyAssignmentAuthorizationFailed",
                f"The client '{client_id}' with object id '{client_id}' has permission to perform action '{action}' on "
                f"scope '{scope}'; however, the access is denied because of the deny assignment with name 'simulated'.",
            )

    def shown(self) -> list[dict[str, Any]]:
        empty: dict[str, Any] = {"actions": [], "notActions": [], "dataActions": [], "notDataActions": []}
        return [{**empty, **role} for role in self.roles]
