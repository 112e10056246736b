"""Signing in: OpenID discovery, tokens that expire, and what a wrong secret gets."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import parse_qs

from .protocol import Reply, Request
from .scenario import Account, Server


@dataclass
class Token:
    expires: float
    tenant: str


def _part(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class Login:
    """`now` in these methods is wall seconds since the epoch. `others`: more tenants that know the application."""

    def __init__(self, account: Account, server: Server, others: Collection[str] = ()) -> None:
        self.account = account
        self.server = server
        self.others = others
        self.tokens: dict[str, Token] = {}
        self.refused = 0
        self.issued = 0

    def expire_all(self, now: float) -> None:
        for token in self.tokens.values():
            token.expires = min(token.expires, now)

    def auxiliary(self, request: Request, now: float) -> list[bool]:
        """Of each token of another tenant that comes along, whether it is one."""
        return [self.check(one, request.base_url, now) is None for one in self._auxiliary(request)]

    def _auxiliary(self, request: Request) -> list[str]:
        header = request.headers.get("x-ms-authorization-auxiliary", "")
        return [one.strip() for one in header.split(",") if one.strip()]

    def tenants(self, request: Request) -> tuple[str, set[str]]:
        """The tenant of the request's own token, and those of the others that come along."""
        own = self._tenant(request.headers.get("authorization", ""))
        return own, {self._tenant(one) for one in self._auxiliary(request)}

    def _tenant(self, bearer: str) -> str:
        token = self.tokens.get(bearer.partition(" ")[2].strip())
        return token.tenant if token else ""

    def check(self, header: str | None, base_url: str, now: float) -> Reply | None:
        """None for a valid bearer, else the 401 of Azure Resource Manager."""
        scheme, _space, text = (header or "").partition(" ")
        token = self.tokens.get(text.strip()) if scheme.lower() == "bearer" else None
        if token is not None and now < token.expires:
            return None
        if not header:
            code, message = "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
        elif token is None:
            code, message = "InvalidAuthenticationToken", "The access token is invalid."
        else:
            code, message = (
                "ExpiredAuthenticationToken",
                "The access token expiry UTC time is earlier than current UTC time.",
            )
        challenge = f'Bearer authorization_uri="{base_url}/{self.account.tenant}"'
        if header:
            challenge += f', error="invalid_token", error_description="{message}"'
        return Reply(401, {"error": {"code": code, "message": message}}, {"WWW-Authenticate": challenge})

    def handle(self, request: Request, now: float) -> Reply | None:
        """Answers the endpoints of the authority; None for everything else."""
        segments = request.path.strip("/").split("/")
        lower = [segment.lower() for segment in segments]
        if lower[-2:] == [".well-known", "openid-configuration"]:
            return self._discovery(request, segments[0])
        if lower == ["common", "discovery", "instance"]:
            tenant = self.account.tenant
            return Reply(
                200,
                {
                    "tenant_discovery_endpoint": f"{request.base_url}/{tenant}/v2.0/.well-known/openid-configuration",
                    "api-version": "1.1",
                    "metadata": [],
                },
            )
        if lower == ["msi", "token"]:
            return self._managed_identity(request, now)
        if lower[:2] == ["common", "userrealm"]:
            return Reply(200, {"ver": "1.0", "account_type": "Managed", "domain_name": "simulated.example"})
        if len(lower) >= 3 and lower[1] == "oauth2" and lower[-1] == "token" and request.method == "POST":
            return self._token(request, segments[0], now)
        return None

    def _discovery(self, request: Request, tenant: str) -> Reply:
        if not self._knows(tenant):
            return self._error(
                400,
                "invalid_tenant",
                90002,
                f"AADSTS90002: Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID.",
            )
        base = f"{request.base_url}/{tenant}"
        return Reply(
            200,
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                    "client_secret_basic",
                ],
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_modes_supported": ["query", "fragment", "form_post"],
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "tenant_region_scope": "EU",
                "cloud_instance_name": "simulated",
            },
        )

    def _token(self, request: Request, tenant: str, now: float) -> Reply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        client = form.get("client_id", "")
        if not self._knows(tenant):
            return self._error(400, "invalid_tenant", 90002, f"AADSTS90002: Tenant '{tenant}' not found.")
        if form.get("grant_type") not in ("client_credentials", "refresh_token"):
            return self._error(
                400,
                "unsupported_grant_type",
                70003,
                f"AADSTS70003: The app requested an unsupported grant type '{form.get('grant_type')}'.",
            )
        if client.lower() != self.account.client_id:
            return self._error(
                400,
                "unauthorized_client",
                700016,
                f"AADSTS700016: Application with identifier '{client}' was not found in the directory 'Simulated'. "
                "This can happen if the application has not been installed by the administrator of the tenant or "
                "consented to by any user in the tenant. You may have sent your authentication request to the wrong "
                "tenant.",
            )
        if form.get("client_assertion") is None and form.get("client_secret") != self.account.secret:
            return self._error(
                401,
                "invalid_client",
                7000215,
                "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the "
                f"client secret value, not the client secret ID, for a secret added to app '{client}'.",
            )
        issuer = tenant.lower() if tenant.lower() in self.others else self.account.tenant
        return Reply(200, self.issue(request.base_url, form.get("scope", ""), now, issuer))

    def _knows(self, tenant: str) -> bool:
        return tenant.lower() in (self.account.tenant, "common", "organizations", *self.others)

    def _managed_identity(self, request: Request, now: float) -> Reply:
        """What App Service offers: IDENTITY_ENDPOINT is this URL, IDENTITY_HEADER is the account's secret."""
        if request.headers.get("x-identity-header") != self.account.secret:
            return Reply(401, {"statusCode": 401, "message": "The X-IDENTITY-HEADER is wrong."})
        issued = self.issue(request.base_url, request.query.get("resource", ""), now)
        return Reply(
            200,
            {
                "access_token": issued["access_token"],
                "expires_on": str(int(now) + self.server.token_life),
                "resource": request.query.get("resource", ""),
                "token_type": "Bearer",
                "client_id": request.query.get("client_id", self.account.client_id),
            },
        )

    def issue(self, base_url: str, scope: str, now: float, tenant: str = "") -> dict[str, object]:
        life, tenant = self.server.token_life, tenant or self.account.tenant
        claims: dict[str, object] = {
            "aud": scope.removesuffix("/.default"),
            "iss": f"{base_url}/{tenant}/v2.0",
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now) + life,
            "appid": self.account.client_id,
            "idtyp": "app",
            "oid": self.account.client_id,
            "tid": tenant,
            "jti": str(uuid.uuid4()),
            "ver": "1.0",
        }
        signature = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        text = f"{_part({'typ': 'JWT', 'alg': 'none'})}.{_part(claims)}.{signature}"
        self.tokens[text] = Token(now + life, tenant)
        self.issued += 1
        return {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": text}

    def _error(self, status: int, error: str, code: int, description: str) -> Reply:
        self.refused += 1
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        return Reply(
            status,
            {
                "error": error,
                "error_description": f"{description} Trace ID: {trace} Correlation ID: {correlation}",
                "error_codes": [code],
                "trace_id": trace,
                "correlation_id": correlation,
                "error_uri": f"https://login.microsoftonline.com/error?code={code}",
            },
        )


def cloud_metadata(base_url: str, query: dict[str, str]) -> object:
    """`/metadata/endpoints`: one small object at first, a list of clouds from 2019-05-01, one cloud from 2022-09-01."""
    version = query.get("api-version", "2015-01-01")
    if version < "2019-05-01":
        return {
            "galleryEndpoint": base_url,
            "graphEndpoint": base_url,
            "portalEndpoint": base_url,
            "authentication": {"loginEndpoint": base_url, "audiences": [base_url, base_url + "/"]},
        }
    authentication = {
        "loginEndpoint": base_url,
        "audiences": [base_url, base_url + "/"],
        "tenant": "common",
        "identityProvider": "AAD",
    }
    cloud = {
        "portal": base_url,
        "authentication": authentication,
        "graphAudience": base_url,
        "media": base_url,
        "graph": base_url,
        "name": "Simulated",
        "suffixes": {
            "storage": "storage.invalid",
            "keyVaultDns": "vault.invalid",
            "sqlServerHostname": "sql.invalid",
            "acrLoginServer": "registry.invalid",
        },
        "batch": base_url,
        "resourceManager": base_url,
        "vmImageAliasDoc": f"{base_url}/metadata/aliases.json",
        "activeDirectoryDataLake": base_url,
        "sqlManagement": base_url,
        "microsoftGraphResourceId": base_url,
        "appInsightsResourceId": base_url,
        "appInsightsTelemetryChannelResourceId": base_url,
        "gallery": base_url,
    }
    return cloud if version >= "2022-09-01" else [cloud]
