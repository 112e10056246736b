"""The one exception that becomes an error answer of Azure Resource Manager."""

from __future__ import annotations

from typing import Any

CONFLICT = (
    "The request failed due to conflict with a concurrent request. To resolve it, please refer to "
    "https://aka.ms/activitylog to get more details on the conflicting requests."
)
PREEMPTED = {
    "code": "OperationPreempted",
    "message": "Operation execution has been preempted by a more recent operation.",
}


class ArmError(Exception):
    """An answer of `status` with Azure's `{"error": {"code", "message"[, "target", "details"]}}`.

    `charge`: the instances that the refused call counts for, all the same.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        details: list[dict[str, Any]] | None = None,
        charge: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = details
        self.charge = charge

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code}
        if self.target is not None:
            error["target"] = self.target
        error["message"] = self.message
        if self.details is not None:
            error["details"] = self.details
        return {"error": error}


def conflict(charge: int | None = None) -> ArmError:
    return ArmError(409, "Conflict", CONFLICT, charge=charge)


def forbidden(client_id: str, permission: str, scope: str) -> ArmError:
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{client_id}' with object id '{client_id}' does not have authorization to perform action "
        f"'{permission}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh "
        "your credentials.",
    )


def resource_not_found(kind: str, name: str, resource_group: str) -> ArmError:
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' under resource group '{resource_group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )
