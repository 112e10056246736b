"""The images there are, and what an image reference of a model means today."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from .errors import ArmError, resource_not_found


def version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def unsorted_order(versions: list[str]) -> list[str]:
    """A stable order that is neither by version nor by text: Azure promises none."""
    order = sorted(versions, key=lambda version: hashlib.sha256(version.encode()).digest())
    by_version = sorted(versions, key=version_key)
    return order[1:] + order[:1] if order in (by_version, by_version[::-1]) else order


@dataclass
class PlatformImage:
    """`automatic_os_upgrade` is whether Azure says that it supports automatic OS upgrades of this image."""

    publisher: str
    offer: str
    sku: str
    versions: list[str]
    os: str = "Linux"
    generation: str = "V2"
    architecture: str = "x64"
    plan: dict[str, str] | None = None
    automatic_os_upgrade: bool = True


@dataclass
class GalleryVersion:
    version: str
    regions: list[str]
    exclude_from_latest: bool = False
    state: str = "Succeeded"
    published: float = 0.0


@dataclass
class GalleryImage:
    """`family` is `gallery`, `shared` or `community`; `owner` the gallery's name, unique name or public name.

    `tenant` and `subscription`: another one's than the scale sets', "" for the same.
    """

    family: str
    owner: str
    resource_group: str
    name: str
    versions: list[GalleryVersion] = field(default_factory=list)
    os: str = "Linux"
    generation: str = "V2"
    architecture: str = "x64"
    plan: dict[str, str] | None = None
    tenant: str = ""
    subscription: str = ""


@dataclass
class ManagedImage:
    resource_group: str
    name: str
    location: str
    os: str = "Linux"
    generation: str = "V2"


@dataclass(frozen=True)
class Resolved:
    """What a reference means now. `kind`: platform, managed, gallery, shared, community, vhd; `exact`: the version."""

    kind: str
    identity: str
    exact: str | None
    os: str | None = None
    plan: bool = False
    generation: str = field(default="", compare=False)

    def text(self) -> str:
        return f"{self.identity}@{self.exact}" if self.exact else self.identity


_GALLERY = re.compile(
    r"^/subscriptions/[^/]+/resourceGroups/(?P<group>[^/]+)/providers/Microsoft\.Compute/galleries/(?P<owner>[^/]+)"
    r"/images/(?P<image>[^/]+)(?:/versions/(?P<version>[^/]+))?/?$",
    re.IGNORECASE,
)
_MANAGED = re.compile(
    r"^/subscriptions/[^/]+/resourceGroups/(?P<group>[^/]+)/providers/Microsoft\.Compute/images/(?P<image>[^/]+)/?$",
    re.IGNORECASE,
)
_OTHERS = re.compile(
    r"^/(?P<family>Shared|Community)Galleries/(?P<owner>[^/]+)/images/(?P<image>[^/]+)(?:/versions/(?P<version>[^/]+))?/?$",
    re.IGNORECASE,
)


def reference_kind(storage_profile: dict[str, Any]) -> str | None:
    """The type of image a storage profile names; Azure refuses to change it."""
    reference = storage_profile.get("imageReference") or {}
    if reference.get("publisher") or reference.get("offer"):
        return "platform"
    if reference.get("sharedGalleryImageId"):
        return "shared"
    if reference.get("communityGalleryImageId"):
        return "community"
    if reference.get("id"):
        return "managed" if _MANAGED.match(reference["id"]) else "gallery"
    if (storage_profile.get("osDisk") or {}).get("image", {}).get("uri"):
        return "vhd"
    return None


def follows_latest(storage_profile: dict[str, Any]) -> bool:
    """Whether the reference means the newest version there is: `latest`, or a gallery image without a version."""
    reference = storage_profile.get("imageReference") or {}
    if reference_kind(storage_profile) == "platform":
        return str(reference.get("version", "")).lower() == "latest"
    members = ("id", "sharedGalleryImageId", "communityGalleryImageId")
    text = next((str(reference[member]) for member in members if reference.get(member)), "")
    found = _GALLERY.match(text) or _OTHERS.match(text)
    return found is not None and (found["version"] or "latest").lower() == "latest"


def exact_reference(storage_profile: dict[str, Any], resolved: Resolved) -> dict[str, Any]:
    """The reference with the version it means now, as the history of upgrades names a target."""
    reference = {k: v for k, v in (storage_profile.get("imageReference") or {}).items() if k != "exactVersion"}
    if resolved.kind == "platform":
        return {**reference, "version": resolved.exact}
    return {
        key: f"{re.sub('/versions/[^/]+/?$', '', str(value))}/versions/{resolved.exact}"
        for key, value in reference.items()
    }


def reference_text(storage_profile: dict[str, Any]) -> str:
    """The reference as written, in one comparable form: two texts differ when an upgrade would replace the disk."""
    reference = {k: v for k, v in (storage_profile.get("imageReference") or {}).items() if k != "exactVersion" and v}
    uri = (storage_profile.get("osDisk") or {}).get("image", {}).get("uri")
    return "|".join(f"{key}={str(value).lower()}" for key, value in sorted(reference.items())) + f"|vhd={uri}"


class Catalogue:
    """All images of the simulated world."""

    def __init__(self) -> None:
        self.platform: list[PlatformImage] = []
        self.galleries: list[GalleryImage] = []
        self.managed: list[ManagedImage] = []

    def platform_image(self, publisher: str, offer: str, sku: str) -> PlatformImage | None:
        wanted = (publisher.lower(), offer.lower(), sku.lower())
        return next((i for i in self.platform if (i.publisher.lower(), i.offer.lower(), i.sku.lower()) == wanted), None)

    def gallery_image(self, family: str, owner: str, name: str, group: str | None = None) -> GalleryImage | None:
        for image in self.galleries:
            same = (image.family, image.owner.lower(), image.name.lower()) == (family, owner.lower(), name.lower())
            if same and (group is None or image.resource_group.lower() == group.lower()):
                return image
        return None

    def managed_image(self, group: str, name: str) -> ManagedImage | None:
        wanted = (group.lower(), name.lower())
        return next((i for i in self.managed if (i.resource_group.lower(), i.name.lower()) == wanted), None)

    def resolve(
        self, storage_profile: dict[str, Any], location: str, missing: str = "404 PlatformImageNotFound"
    ) -> Resolved:
        """What the reference means now; raises ArmError where Azure has no such image here."""
        kind = reference_kind(storage_profile)
        reference = storage_profile.get("imageReference") or {}
        if kind == "platform":
            return self._platform(reference, missing)
        if kind == "vhd":
            disk = storage_profile["osDisk"]
            return Resolved("vhd", disk["image"]["uri"], None, disk.get("osType"))
        if kind == "managed":
            match = _MANAGED.match(reference["id"])
            assert match is not None
            image = self.managed_image(match["group"], match["image"])
            if image is None:
                raise resource_not_found("Microsoft.Compute/images", match["image"], match["group"])
            return Resolved("managed", reference["id"].lower(), None, image.os, generation=image.generation)
        if kind in ("gallery", "shared", "community"):
            return self._gallery(kind, reference, location)
        raise ArmError(
            400, "InvalidParameter", "Required parameter 'imageReference' is missing (null).", target="imageReference"
        )

    def _platform(self, reference: dict[str, Any], missing: str) -> Resolved:
        publisher, offer, sku = (str(reference.get(k) or "") for k in ("publisher", "offer", "sku"))
        version = str(reference.get("version") or "")
        image = self.platform_image(publisher, offer, sku)
        exact: str | None = None
        if image is not None and image.versions:
            if version.lower() == "latest":
                exact = max(image.versions, key=version_key)
            elif version in image.versions:
                exact = version
        if image is None or exact is None:
            status, code = missing.split()
            raise ArmError(
                int(status),
                code,
                f"The platform image '{publisher}:{offer}:{sku}:{version}' is not available. Verify that all fields in "
                "the storage profile are correct. For more details about storage profile information, please refer to "
                "https://aka.ms/storageprofile",
                target="imageReference",
            )
        name, plan = f"{publisher}:{offer}:{sku}".lower(), image.plan is not None
        return Resolved("platform", name, exact, image.os, plan, image.generation)

    def _gallery(self, kind: str, reference: dict[str, Any], location: str) -> Resolved:
        members = ("id", "sharedGalleryImageId", "communityGalleryImageId")
        text = next(str(reference[member]) for member in members if reference.get(member))
        match = _GALLERY.match(text) if kind == "gallery" else _OTHERS.match(text)
        image = None
        if match is not None:
            image = self.gallery_image(
                kind, match["owner"], match["image"], match["group"] if kind == "gallery" else None
            )
        here = [
            v
            for v in (image.versions if image else [])
            if v.state == "Succeeded" and location.lower() in (r.lower() for r in v.regions)
        ]
        wanted = match["version"] if match is not None else None
        if wanted is None or wanted.lower() == "latest":
            candidates = [v for v in here if not v.exclude_from_latest]
        else:
            candidates = [v for v in here if v.version == wanted]
        if image is None or not candidates:
            raise ArmError(
                404,
                "GalleryImageNotFound",
                f"The gallery image {text} is not available in {location} region. Please contact image owner to "
                "replicate to this region, or change your requested region.",
                target="imageReference",
            )
        exact = max(candidates, key=lambda v: version_key(v.version)).version
        identity = f"{kind}:{image.resource_group}:{image.owner}:{image.name}".lower()
        return Resolved(kind, identity, exact, image.os, image.plan is not None, image.generation)
