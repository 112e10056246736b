# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Azure SDK, imported in this one place, so that a machine without it gets a sentence and not a traceback."""

from __future__ import annotations

import logging
import traceback
import typing as t

IMPORT_ERROR: str | None = None  # for AnsibleModule's missing_required_lib
REQUIREMENTS = ("azure-identity", "azure-mgmt-compute")

try:
    import requests
    from azure.core import exceptions
    from azure.core.pipeline import policies, transport
    from azure.core.rest import HttpRequest
    from azure.identity import (
        AzureCliCredential,
        CertificateCredential,
        ChainedTokenCredential,
        ClientSecretCredential,
        CredentialUnavailableError,
        ManagedIdentityCredential,
        WorkloadIdentityCredential,
    )
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.core import ARMPipelineClient
except ImportError:
    IMPORT_ERROR = traceback.format_exc()
    HTTPPolicy: t.Any = object
    RequestsTransport: t.Any = object
    BearerTokenCredentialPolicy: t.Any = object
else:
    HTTPPolicy = policies.HTTPPolicy
    RequestsTransport = transport.RequestsTransport
    BearerTokenCredentialPolicy = policies.BearerTokenCredentialPolicy

for _name in ("azure", "msal", "urllib3"):  # what they log without a handler would end on a module's stderr
    logging.getLogger(_name).addHandler(logging.NullHandler())

__all__ = [
    "IMPORT_ERROR",
    "REQUIREMENTS",
    "ARMPipelineClient",
    "AzureCliCredential",
    "BearerTokenCredentialPolicy",
    "CertificateCredential",
    "ChainedTokenCredential",
    "ClientSecretCredential",
    "ComputeManagementClient",
    "CredentialUnavailableError",
    "HTTPPolicy",
    "HttpRequest",
    "ManagedIdentityCredential",
    "RequestsTransport",
    "WorkloadIdentityCredential",
    "exceptions",
    "policies",
    "requests",
]
