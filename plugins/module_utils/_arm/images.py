# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Azure's catalogues know of images."""

from __future__ import annotations

import typing as t

from .._facts import images, problems
from .._facts.images import Image
from .._facts.scale_set import ImageFacts, ImageVersion
from . import reading
from .connection import Connection, as_json, as_object
from .errors import AzureError


class _Gallery(t.NamedTuple):
    """The SDK's operations for a gallery of one kind, and the names that they all take."""

    versions: t.Any
    definitions: t.Any
    names: tuple[str, str, str]
    region: str | None  # where it is asked, which only shared and community galleries are


class Images(Connection):
    def image_versions(self, image: Image, location: str) -> list[ImageVersion]:
        """The versions that the catalogue lists, in its order. Kind "missing" where there is no such image."""
        if image.kind == images.PLATFORM:
            series = (image.publisher, image.offer, image.sku)
            attempted = f"list the versions of image {':'.join(series)} in {location}"
            body = as_json(self._call(attempted, "", self._compute().virtual_machine_images.list, location, *series))
            return [reading.image_version(item, image) for item in reading.dicts(body)]
        if not image.is_gallery:
            return []
        gallery = self._gallery(image, location)
        listing = gallery.versions.list_by_gallery_image if image.kind == images.GALLERY else gallery.versions.list
        pages = self._pages(f"list the versions of image {image.base_id}", "", listing, *gallery.names)
        return [reading.image_version(item, image, gallery.region) for page in pages for item in page]

    def image_version(self, image: Image, location: str) -> ImageVersion | None:
        """One exact version of a platform or gallery image, in one call; None of any other image. Kind "missing" where
        there is no such version."""
        if image.kind == images.PLATFORM:
            return reading.image_version(self._platform_version(image, location), image)
        if not image.is_gallery or not image.gallery_version:
            return None
        gallery = self._gallery(image, location)
        attempted = f"read image {image}"
        body = as_object(self._call(attempted, "", gallery.versions.get, *gallery.names, image.gallery_version))
        return reading.image_version(body, image, gallery.region)

    def image_facts(self, image: Image, location: str, version: ImageVersion | None = None) -> ImageFacts:
        """What Azure knows of one image; `found` is False where it does not exist. Nothing can be asked of a VHD.

        `version`: of a gallery image, as its list has just shown it.
        """
        if image.kind == images.VHD:
            return ImageFacts(image=image)
        try:
            if image.is_gallery:
                return self._gallery_facts(image, location, version)
            return (self._platform_facts if image.kind == images.PLATFORM else self._managed_facts)(image, location)
        except AzureError as exc:
            if exc.problem.kind == problems.MISSING:
                return ImageFacts(image=image, found=False)
            raise

    def _platform_facts(self, image: Image, location: str) -> ImageFacts:
        body = self._platform_version(image, location)
        return reading.image_facts(image, body, reading.image_version(body, image))

    def _platform_version(self, image: Image, location: str) -> reading.Document:
        fields = (image.publisher, image.offer, image.sku, image.version)
        get = self._compute().virtual_machine_images.get
        return as_object(self._call(f"read image {image}", "", get, location, *fields))

    def _managed_facts(self, image: Image, _location: str) -> ImageFacts:
        subscription, group, name = (
            reading.part_of_id(image.id, part) for part in ("subscriptions", "resourceGroups", "images")
        )
        body = as_object(self._call(f"read image {image}", "", self._compute(subscription).images.get, group, name))
        return reading.image_facts(image, body, reading.managed_image(body, image))

    def _gallery_facts(self, image: Image, location: str, version: ImageVersion | None) -> ImageFacts:
        gallery = self._gallery(image, location)
        version = version or self.image_version(image, location)
        body = as_object(self._call(f"read image {image.base_id}", "", gallery.definitions.get, *gallery.names))
        return reading.image_facts(image, body, version)

    def _gallery(self, image: Image, location: str) -> _Gallery:
        name = reading.part_of_id(image.id, "images")
        if image.kind == images.GALLERY:
            compute = self._compute(reading.part_of_id(image.id, "subscriptions"))
            group, gallery = reading.part_of_id(image.id, "resourceGroups"), reading.part_of_id(image.id, "galleries")
            return _Gallery(compute.gallery_image_versions, compute.gallery_images, (group, gallery, name), None)
        compute = self._compute()
        if image.kind == images.SHARED_GALLERY:
            names = (location, reading.part_of_id(image.id, "SharedGalleries"), name)
            return _Gallery(compute.shared_gallery_image_versions, compute.shared_gallery_images, names, location)
        names = (location, reading.part_of_id(image.id, "CommunityGalleries"), name)
        return _Gallery(compute.community_gallery_image_versions, compute.community_gallery_images, names, location)
