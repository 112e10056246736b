# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this principal's roles allow on a scale set.

GET {resource id}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01 answers with all permissions that
the caller has on the resource, inherited ones included: {"value": [{actions, notActions, dataActions, notDataActions},
...], "nextLink"}, an entry for each role that is assigned; what one entry's notActions take away another may give
(https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource). It needs
Microsoft.Authorization/permissions/read. That deny assignments are left out of it is not documented.
"""

from __future__ import annotations

from .._facts.permissions import Permissions
from .._facts.scale_set import ScaleSet
from . import reading
from .connection import Connection, as_object
from .errors import AzureError, CredentialError

_PERMISSIONS = "2022-04-01"


class RolePermissions(Connection):
    def permissions(self, scale_set: ScaleSet) -> Permissions:
        """In one call; what cannot be read is said in the answer, for nothing depends on it."""
        url = self._url(scale_set.id, "/providers/Microsoft.Authorization/permissions", _PERMISSIONS)
        try:
            answer = self._get(f"read the permissions on scale set {scale_set.name}", scale_set.name, url)
            return reading.permissions(as_object(answer))
        except CredentialError:
            raise
        except AzureError as error:
            return Permissions(not_known=str(error.problem).rstrip("."))
