# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Azure SDK, imported in this one place, so that a machine without it gets a sentence and not a traceback."""

from __future__ import annotations

import logging
import platform
import re
import sys
import traceback
import typing as t
from importlib import metadata

IMPORT_ERROR: str | None = None  # a traceback
# The oldest that is supported of each package, "" for any. azure-core comes with the others, and may be left behind.
REQUIREMENTS = {"azure-identity": "1.19", "azure-mgmt-compute": "33", "azure-core": "1.31", "requests": ""}

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


def unmet_requirements(path: t.Sequence[str] | None = None) -> str:
    """What is needed, what was found, where, and the remedy, in one sentence; "" where all is there.

    `path`: where packages are looked for, sys.path unless told.
    """
    found = {name: _installed(name, path) for name in REQUIREMENTS}
    wrong = [name for name, least in REQUIREMENTS.items() if not found[name] or _numbers(found[name]) < _numbers(least)]
    python = sys.executable or "python3"
    where = f"{python} (Python {platform.python_version()})"
    if wrong:
        needed = ", ".join(f"{name} {REQUIREMENTS[name]} or newer".replace("  or newer", "") for name in wrong)
        there = ", ".join(f"{name} {found[name]}" if found[name] else f"no {name}" for name in wrong)
        return f"The module needs {needed}, but found {there} in {where}. Install what is missing: {_pip(python)}"
    if IMPORT_ERROR:
        cause = IMPORT_ERROR.strip().splitlines()[-1]
        return f"The Azure SDK cannot be imported in {where} ({cause}). Reinstall it: {_pip(python)} --force-reinstall"
    return ""


def _pip(python: str) -> str:
    wanted = (f"'{name}>={least}'" if least else name for name, least in REQUIREMENTS.items())
    return f"{python} -m pip install {' '.join(wanted)}"


def _installed(name: str, path: t.Sequence[str] | None) -> str:
    found = metadata.distributions(name=name, path=list(sys.path if path is None else path))
    return next((one.version for one in found), "")


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]


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
    "unmet_requirements",
]
