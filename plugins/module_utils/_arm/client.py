# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calls to Azure Resource Manager: each method is one question or one request, and nothing is asked beside it."""

from __future__ import annotations

import typing as t

from .._options import ConnectionOptions, secrets
from . import credentials, sdk
from .addresses import Addresses
from .clouds import find_cloud
from .connection import OperationRef
from .errors import AzureError
from .images import Images
from .lifecycle_events import LifecycleEvents
from .permissions import RolePermissions
from .policies import Clock, Usage
from .redaction import know_secrets
from .scale_sets import ScaleSets
from .transport import Transport, secure
from .writes import Writes

IMPORT_ERROR = sdk.IMPORT_ERROR


def connect(options: ConnectionOptions, environment: t.Mapping[str, str], clock: Clock, session: t.Any = None) -> Azure:
    """Choose the cloud, the subscription and the credential. Asks Azure nothing but a private cloud's metadata.

    `options` are the modules' connection options. `session` is a requests session, for those who bring their own.
    Raises AzureError, and CredentialError where no sign-in is possible.
    """
    settings = credentials.read_settings(options, environment)
    know_secrets(secrets(options), environment)
    session = secure(session, environment)
    cloud = find_cloud(settings.cloud_environment, environment, session)
    transport = Transport(
        session=session, session_owner=False, connection_timeout=20, read_timeout=120, connection_verify=session.verify
    )
    subscription_id = credentials.require_subscription(settings)
    return Azure(
        subscription_id, cloud, credentials.credential(settings, cloud, environment, transport), transport, clock
    )


class Azure(ScaleSets, Images, Addresses, LifecycleEvents, RolePermissions, Writes):
    """One signed-in client, with everything that the collection asks of Azure. Every method raises AzureError."""


__all__ = ["IMPORT_ERROR", "Azure", "AzureError", "Clock", "OperationRef", "Usage", "connect"]
