# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that say which Azure, which subscription, and as whom."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  subscription_id:
    description:
      - The subscription.
      - Unset means E(AZURE_SUBSCRIPTION_ID), else the one of the profile, else the one that C(az account set) chose. A
        profile that is named comes before the variable.
    type: str
  client_id:
    description:
      - The application (client) id of the service principal, or the client id of a user-assigned managed identity.
      - Unset means E(AZURE_CLIENT_ID).
      - Given here without a secret it is a managed identity's or a workload identity's, and the Azure CLI is not asked.
    type: str
  secret:
    description:
      - The client secret of the service principal.
      - Unset means E(AZURE_SECRET), else E(AZURE_CLIENT_SECRET).
    type: str
  tenant:
    description:
      - The id or domain of the Microsoft Entra tenant.
      - The Azure CLI is asked for a token of it. Where none is given it is asked for one of the subscription, which
        also chooses among several accounts; with azure-identity 1.19 only for one of that subscription's tenant.
      - A managed identity has the tenant it has; if that is another one it is not used.
      - Unset means E(AZURE_TENANT), else E(AZURE_TENANT_ID).
    type: str
  auth_source:
    description:
      - How to sign in. Unset means E(ANSIBLE_AZURE_AUTH_SOURCE), else V(auto).
      - V(auto) takes the first of these that is there, a client secret from the options, O(profile), the variables, or
        the profile C(default); a certificate in E(AZURE_CLIENT_CERTIFICATE_PATH); and then workload identity, managed
        identity and the Azure CLI, whichever gives a token first.
      - V(env) takes a client secret or certificate from the variables, V(credential_file) a profile, and
        V(workload_identity), V(msi) and V(cli) only that.
      - Each value is taken from the first of these that has it, as far as this way to sign in looks there, the
        options, the O(profile) that was named, the variables, the profile C(default), and for the subscription last
        the Azure CLI.
      - O(client_id), O(secret), O(tenant) and the certificate belong to one principal and are taken from one source,
        the first that names a principal. A mixture is refused.
      - An option that the way to sign in does not use is refused, as O(secret) with V(msi).
    type: str
    choices: [auto, env, credential_file, workload_identity, msi, cli]
  profile:
    description:
      - A section of C(~/.azure/credentials), with C(subscription_id), C(client_id), C(secret), C(tenant) and
        C(cloud_environment) as far as needed.
      - Unset means E(AZURE_PROFILE). A profile that is named overrules the variables.
    type: str
  cloud_environment:
    description:
      - V(AzureCloud), V(AzureUSGovernment) or V(AzureChinaCloud), or for any other cloud the https URL of its Resource
        Manager, whose C(/metadata/endpoints) tells the rest.
      - Unset means E(AZURE_CLOUD_ENVIRONMENT), else the metadata at E(ARM_CLOUD_METADATA_URL), else V(AzureCloud).
    type: str
  auxiliary_tenants:
    description:
      - Up to three more tenants that a request refers to, as where the gallery of the image is in another tenant than
        the scale set.
      - The same application must be known in each of them and be allowed to read there. A managed identity has tokens
        of its own tenant only.
      - A profile may have it as text, with commas.
    type: list
    elements: str
    default: []
requirements:
  - python >= 3.10
  - azure-identity >= 1.19
  - azure-mgmt-compute >= 33
  - requests
notes:
  - A user name and password are refused, because Azure asks such accounts for a second factor.
  - Certificates are always verified. E(REQUESTS_CA_BUNDLE), else E(SSL_CERT_FILE), names those of a private authority.
  - A module that changes Azure ends with the play, also with one that is killed. Its C(outcome) and its journal
    then say V(cancelled). Not with C(async), and not on another host than the controller.
  - A failure has a C(code) for playbooks to check, which does not change with the words of the message. The error
    catalogue explains each code and what to do.
  - AWX's credential "Azure Resource Manager" works as it is, with a client secret.
"""
