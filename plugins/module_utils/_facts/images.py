# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image reference: what it names, how two of them compare, and which version is newer.

Forms: https://learn.microsoft.com/rest/api/compute/virtual-machine-scale-sets/create-or-update#imagereference
"""

from __future__ import annotations

import difflib
import json
import re
import typing as t
from dataclasses import dataclass, replace

from .codes import Code
from .foreign_text import LONGEST_NAME, printable

PLATFORM = "platform"
MANAGED = "managed"
GALLERY = "gallery"
SHARED_GALLERY = "shared_gallery"
COMMUNITY_GALLERY = "community_gallery"
VHD = "vhd"

LATEST = "latest"

_PLATFORM_FIELDS = ("publisher", "offer", "sku", "version")
_ID_FIELDS = {
    "id": None,
    "shared_gallery_image_id": SHARED_GALLERY,
    "community_gallery_image_id": COMMUNITY_GALLERY,
}
_WIRE_FIELDS = {
    MANAGED: "id",
    GALLERY: "id",
    SHARED_GALLERY: "sharedGalleryImageId",
    COMMUNITY_GALLERY: "communityGalleryImageId",
}
# What each part may be made of. An image may stand in a tag that others write, in a command and in a path of a request.
_WORD = r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,128}"
_NAME = r"(?!\.{1,2}(?:/|\Z))[\w.-]{1,128}"
_IN_GROUP = r"/subscriptions/[0-9A-Za-z-]{1,64}/resourceGroups/(?!\.{1,2}/)[\w().-]{1,90}/providers/Microsoft\.Compute"
_IMAGE = rf"/images/{_NAME}(?:/versions/{_NAME})?"
_KINDS_BY_PATH = (
    (COMMUNITY_GALLERY, re.compile(rf"/CommunityGalleries/{_NAME}{_IMAGE}", re.IGNORECASE)),
    (SHARED_GALLERY, re.compile(rf"/SharedGalleries/{_NAME}{_IMAGE}", re.IGNORECASE)),
    (GALLERY, re.compile(rf"{_IN_GROUP}/galleries/{_NAME}{_IMAGE}", re.IGNORECASE)),
    (MANAGED, re.compile(rf"{_IN_GROUP}/images/{_NAME}", re.IGNORECASE)),
)
_VHD = re.compile(
    r"https://[a-z0-9][a-z0-9.-]{0,252}(?::\d{1,5})?"
    r"(?:/(?!\.{1,2}(?:/|\Z))(?:[\w.~!$()*,;:+=-]|%(?!3f|23|00)[0-9a-f]{2}){1,1024}){1,32}"
    r"(?:\?[\w.~!$&()*,;:@+=/?%#-]{0,2048})?",
    re.IGNORECASE | re.ASCII,
)
# An address of Azure's portal or management API, which may hold the id of an image.
_OF_AZURE = re.compile(r"https://(?:portal|management)\.|https://[^?]*/subscriptions/", re.IGNORECASE)
_ID_IN = re.compile(
    rf"/(?:subscriptions|SharedGalleries|CommunityGalleries)/.*?{_IMAGE}(?=/|[?&#]|\Z)", re.IGNORECASE | re.ASCII
)
_SLASH = re.compile("%2f", re.IGNORECASE)
_QUERY = re.compile(r"[?#]|%(?:25){0,3}(?:3f|23)|\\u003f", re.IGNORECASE)
# Where a query may start, or a part of one.
_PAIRS = re.compile(r"[?#&=]|%(?:25){0,3}(?:3f|23|26|3d)|\\u00(?:3f|23|26|3d)", re.IGNORECASE)
_USER = re.compile(r"//[^/@]*@")
_AS_TEXT = 'Write a URN publisher:offer:sku:version, or quote the JSON as \'{"publisher": "Canonical"}\'.'
_FORMS = (
    "publisher, offer, sku and version of a platform image; id of a managed image or gallery image (version); "
    "shared_gallery_image_id; community_gallery_image_id; or vhd_uri"
)


class ImageError(ValueError):
    """An image reference that names no image; the message says what to write instead."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Image:
    """One image. Platform images use the four words, every other kind uses ``id`` (a VHD's is its URI).

    A platform field is "" where the user left it to the model; ``version`` is "latest" or exact.
    """

    kind: str
    publisher: str = ""
    offer: str = ""
    sku: str = ""
    version: str = ""
    id: str = ""

    @property
    def is_gallery(self) -> bool:
        return self.kind in (GALLERY, SHARED_GALLERY, COMMUNITY_GALLERY)

    @property
    def gallery_version(self) -> str:
        """The version that a gallery id pins, "" where it follows the newest."""
        if not self.is_gallery:
            return ""
        found = re.search(r"/versions/([^/]+)$", self.id, re.IGNORECASE)
        return "" if not found or found[1].lower() == LATEST else found[1]

    @property
    def follows_latest(self) -> bool:
        """True where Azure itself would choose the version when an instance is created."""
        if self.kind == PLATFORM:
            return self.version.lower() == LATEST
        return self.is_gallery and not self.gallery_version

    @property
    def signed(self) -> bool:
        """Whether a VHD's URI has a query, which is a SAS."""
        return self.kind == VHD and "?" in self.id

    @property
    def base_id(self) -> str:
        """A gallery image's id without its version."""
        return re.sub(r"/versions/[^/]+$", "", self.id, flags=re.IGNORECASE)

    def with_version(self, version: str) -> Image:
        if self.kind == PLATFORM:
            return replace(self, version=version)
        return replace(self, id=f"{self.base_id}/versions/{version}")

    def following_latest(self) -> Image:
        return self.with_version(LATEST) if self.kind == PLATFORM else replace(self, id=self.base_id)

    def __str__(self) -> str:
        """As a user writes it in one string; a VHD URI without its query, which may hold a SAS."""
        if self.kind == PLATFORM:
            return ":".join((self.publisher, self.offer, self.sku, self.version))
        return without_query(self.id) if self.kind == VHD else self.id


def without_query(uri: str) -> str:
    """The URI up to its query, in whatever way that is spelled."""
    return _QUERY.split(uri, maxsplit=1)[0]


def parse(value: object) -> Image:
    """Read a user's image: a dict of one form (or its JSON), a URN, a resource id, an https URI, or a version alone.

    Raises ImageError.
    """
    if isinstance(value, Image):
        return value
    if isinstance(value, str):
        return _parse_text(value.strip())
    if isinstance(value, t.Mapping):
        return _parse_fields({str(k): str(v).strip() for k, v in value.items() if v not in (None, "")})
    raise ImageError(
        "image_invalid", f"an image is a dict or a string, not {type(value).__name__}. Give one of: {_FORMS}."
    )


def _parse_text(text: str) -> Image:
    if text.startswith("{"):
        try:
            return parse(json.loads(text))
        except ValueError as exc:
            raise (
                exc
                if isinstance(exc, ImageError)
                else ImageError("image_invalid", f"the image looks like JSON and is not valid: {exc}. {_AS_TEXT}")
            ) from exc
    if text.lower().startswith("https://"):
        return _from_address(text) if _OF_AZURE.match(_SLASH.sub("/", text)) else _vhd(text)
    if text.startswith("/"):
        return _from_id(text)
    parts = [part.strip() for part in text.split(":")]
    if len(parts) == 4 and all(parts):
        return _platform(**dict(zip(_PLATFORM_FIELDS, parts, strict=True)))
    if len(parts) == 1 and (text.lower() == LATEST or re.fullmatch(r"[0-9]{1,32}(\.[0-9]{1,32}){0,9}", text)):
        return Image(PLATFORM, version=text)
    if len(parts) == 1 and difflib.get_close_matches(text.lower(), [LATEST]):
        raise ImageError("image_invalid", f"'{_shown(text)}' names no image. Did you mean {LATEST}?")
    raise ImageError(
        "image_invalid",
        f"'{_shown(text)}' names no image. Write a URN publisher:offer:sku:version, a resource id, "
        "the https URI of a VHD, or a version alone.",
    )


def _parse_fields(fields: dict[str, str]) -> Image:
    known = {*_PLATFORM_FIELDS, *_ID_FIELDS, "vhd_uri"}
    if not known.issuperset(fields):  # not named, for a URI that slipped into a name may carry its signature
        raise ImageError("image_invalid", f"the image has a member that no image has. Give one of: {_FORMS}.")
    platform = [name for name in _PLATFORM_FIELDS if name in fields]
    forms = [name for name in (*_ID_FIELDS, "vhd_uri") if name in fields]
    if len(forms) + bool(platform) > 1:
        raise ImageError(
            "image_invalid",
            f"an image has one form, and {', '.join(platform + forms)} are of several. Give one of: {_FORMS}.",
        )
    if platform:
        image = _platform(**{name: fields[name] for name in platform})
        return image if image.version else replace(image, version=LATEST)
    if not forms:
        raise ImageError("image_invalid", f"the image is empty. Give one of: {_FORMS}.")
    if forms == ["vhd_uri"]:
        return _vhd(fields["vhd_uri"])
    image = _from_id(fields[forms[0]])
    wanted = _ID_FIELDS[forms[0]]
    if wanted and image.kind != wanted:
        raise ImageError(
            "image_invalid",
            f"{forms[0]} '{image.id}' is the id of a {image.kind.replace('_', ' ')} image; give it as id.",
        )
    return image


def _platform(**fields: str) -> Image:
    for name, value in fields.items():
        if not re.fullmatch(_WORD, value):
            raise ImageError(
                "image_invalid", f"{name} '{_shown(value)}' is not made of letters, digits, '.', '_' and '-' alone."
            )
    return Image(PLATFORM, **fields)


def _vhd(text: str) -> Image:
    if not _VHD.fullmatch(text):
        raise ImageError(
            "image_invalid", f"'{_shown(text)}' is not the https URI of a page blob, written with its escapes."
        )
    return Image(VHD, id=text)


def _from_address(text: str) -> Image:
    """Of a page of the portal, or a URL of the management API, the image whose id it holds."""
    if (found := _ID_IN.search(_SLASH.sub("/", text))) and any(
        one.fullmatch(found[0]) for _kind, one in _KINDS_BY_PATH
    ):
        return _from_id(found[0])
    raise ImageError(
        "image_invalid",
        f"'{_shown(text)}' is an address of Azure's portal or management API and no VHD. Give the image's resource id, "
        "which begins with /subscriptions/: the portal shows it at the image under Properties.",
    )


def _shown(text: str) -> str:
    """What may be told of a text that names no image: nothing from where a query may start, and nobody's password."""
    return printable(_USER.sub("//***@", _PAIRS.split(text, maxsplit=1)[0]), LONGEST_NAME)


def _from_id(text: str) -> Image:
    text = text.rstrip("/")
    for kind, pattern in _KINDS_BY_PATH:
        if pattern.fullmatch(text):
            return Image(kind, id=text)
    raise ImageError(
        "image_invalid",
        f"'{_shown(text)}' is not the resource id of an image. It is one of "
        "/subscriptions/…/providers/Microsoft.Compute/images/NAME, …/galleries/GALLERY/images/NAME[/versions/VERSION], "
        "/SharedGalleries/UNIQUE_NAME/images/NAME[/versions/VERSION] or "
        "/CommunityGalleries/PUBLIC_NAME/images/NAME[/versions/VERSION].",
    )


def from_wire(reference: object, vhd_uri: object = None) -> Image | None:
    """The image of a model or an instance as Azure reports it, None where it reports none.

    The exact version of an instance is kept beside the image, not in it (see Instance.exact_version).
    """
    reference = reference if isinstance(reference, dict) else {}
    for kind, field in (
        (COMMUNITY_GALLERY, "communityGalleryImageId"),
        (SHARED_GALLERY, "sharedGalleryImageId"),
        (None, "id"),
    ):
        text = reference.get(field)
        if text and isinstance(text, str):
            try:
                return _from_id(text)
            except ImageError:
                return Image(kind or MANAGED, id=text)
    if reference.get("publisher"):
        return Image(PLATFORM, *(str(reference.get(name) or "") for name in _PLATFORM_FIELDS))
    return Image(VHD, id=vhd_uri) if vhd_uri and isinstance(vhd_uri, str) else None


def to_wire(image: Image) -> dict[str, str]:
    """The ``imageReference`` that names the image; {} for a VHD, which the OS disk names."""
    if image.kind == PLATFORM:
        return {name: getattr(image, name) for name in _PLATFORM_FIELDS}
    return {_WIRE_FIELDS[image.kind]: image.id} if image.kind in _WIRE_FIELDS else {}


def show(image: Image | None) -> dict[str, str] | None:
    """The image as results and diffs show it: what `parse` reads back, a VHD without its query."""
    if image is None:
        return None
    if image.kind == PLATFORM:
        return to_wire(image)
    field = {VHD: "vhd_uri", SHARED_GALLERY: "shared_gallery_image_id", COMMUNITY_GALLERY: "community_gallery_image_id"}
    return {field.get(image.kind, "id"): str(image)}


def complete(image: Image, model: Image | None) -> Image:
    """Fill the fields that the user left out of a platform image from the model's.

    Raises ImageError where the model is of another kind and so has nothing to fill from.
    """
    if image.kind != PLATFORM:
        return image
    missing = [name for name in _PLATFORM_FIELDS if not getattr(image, name)]
    if not missing:
        return image
    if model is None or model.kind != PLATFORM:
        raise ImageError(
            "image_incomplete",
            f"the image lacks {', '.join(missing)}, and the model names no platform image to take them from. "
            "Of a gallery image, the newest version is its resource id without /versions/….",
        )
    return replace(image, **{name: getattr(model, name) for name in missing})


def type_switch(image: Image, model: Image | None) -> str | None:
    """Why Azure refuses this image on this model, None where the types agree.

    Azure refuses to change a scale set's image type (409, "The Image type for a Virtual Machine Scale Set may not be
    changed."); managed image to gallery is unverified and refused here too.
    """
    if model is None or _type(image) == _type(model):
        return None
    return (
        f"the model names a {model.kind.replace('_', ' ')} image and the new one is a "
        f"{image.kind.replace('_', ' ')} image{', as any other https URI is taken' if image.kind == VHD else ''}. "
        "Azure answers 'The Image type for a Virtual Machine Scale Set may not be changed.': "
        "create a scale set with the new image type and move the load to it."
    )


def _type(image: Image) -> str:
    return GALLERY if image.is_gallery else image.kind


def same(one: Image | None, other: Image | None) -> bool:
    """Whether both name the same image. Azure's names are case-insensitive; a SAS does not make another VHD."""
    if one is None or other is None:
        return one is other
    return _key(one) == _key(other)


def written(model: Image | None, given: Image) -> bool:
    """Whether the model names the image as it is given, with the same SAS where one is given."""
    return same(model, given) and not (given.signed and model is not None and model.id != given.id)


def _key(image: Image) -> tuple[str, str]:
    text = str(image).lower()
    return image.kind, re.sub(r"/versions/latest$", "", text) if image.is_gallery else text


def same_series(one: Image, other: Image) -> bool:
    """Whether both are versions of one image, so that their versions can be ordered."""
    if one.kind != other.kind:
        return False
    if one.kind == PLATFORM:
        return all(getattr(one, name).lower() == getattr(other, name).lower() for name in ("publisher", "offer", "sku"))
    return one.is_gallery and one.base_id.lower() == other.base_id.lower()


def version_key(version: str) -> tuple[int, ...]:
    """Order versions by number: 1.10.0 is newer than 1.9.0. What is no number sorts first."""
    return tuple(int(part) if re.fullmatch(r"[0-9]{1,32}", part) else -1 for part in version.split("."))


def newest(versions: t.Iterable[str]) -> str | None:
    return max(versions, key=version_key, default=None)
