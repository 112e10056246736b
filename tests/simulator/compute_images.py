"""Images of the marketplace, of galleries (own, shared, community) and managed ones."""

from __future__ import annotations

import re
from typing import Any

from .errors import ArmError, resource_not_found
from .images import GalleryImage, PlatformImage, unsorted_order
from .protocol import Reply, Request, Router
from .wire import Wire
from .world import World

BASE = "/subscriptions/{subscription}"
GROUP = BASE + "/resourceGroups/{group}/providers/Microsoft.Compute"
PLACE = BASE + "/providers/Microsoft.Compute/locations/{location}"
PUBLISHERS = PLACE + "/publishers"
OFFERS = PUBLISHERS + "/{publisher}/artifacttypes/vmimage/offers"
SKUS = OFFERS + "/{offer}/skus"
VERSIONS = SKUS + "/{sku}/versions"


class Images:
    def __init__(self, world: World, wire: Wire, groups: dict[str, str]) -> None:
        self.world = world
        self.catalogue = world.catalogue
        self.wire = wire
        self.groups = groups

    def routes(self, router: Router) -> None:
        add = router.add
        name, listing, single = "VirtualMachineImages_", "ListVMImagesVersionsFromLocation", "GetVMImageFromLocation"
        place = "Microsoft.Compute/locations/publishers"
        add("GET", PUBLISHERS, name + "ListPublishers", listing, f"{place}/read", self.publishers)
        offers = f"{place}/artifacttypes/offers"
        add("GET", OFFERS, name + "ListOffers", listing, f"{offers}/read", self.offers)
        add("GET", SKUS, name + "ListSkus", listing, f"{offers}/skus/read", self.skus)
        add("GET", VERSIONS, name + "List", listing, f"{offers}/skus/versions/read", self.versions)
        add("GET", VERSIONS + "/{version}", name + "Get", single, f"{offers}/skus/versions/read", self.version)
        managed = "Microsoft.Compute/images/read"
        add("GET", GROUP + "/images/{image}", "Images_Get", "GetImages", managed, self.managed)
        add("GET", GROUP + "/images", "Images_ListByResourceGroup", "GetImages", managed, self.managed_list)
        for family, base, stem in (
            ("gallery", GROUP + "/galleries", "Gallery"),
            ("shared", PLACE + "/sharedGalleries", "SharedGallery"),
            ("community", PLACE + "/communityGalleries", "CommunityGallery"),
        ):
            self._gallery_routes(router, family, base, stem)

    def _gallery_routes(self, router: Router, family: str, base: str, stem: str) -> None:
        add = router.add
        right = (
            "Microsoft.Compute/galleries" if family == "gallery" else f"Microsoft.Compute/locations/{family}Galleries"
        )

        def image(request: Request) -> Reply:
            found = self._image(family, request)
            return Reply(200, self.wire.gallery_image(found, self._location(request)))

        def images(request: Request) -> Reply:
            values = [self.wire.gallery_image(i, self._location(request)) for i in self._images(family, request)]
            return Reply(200, {"value": values})

        def gallery(request: Request) -> Reply:
            self._images(family, request)
            return Reply(200, self._gallery(family, request))

        def versions(request: Request) -> Reply:
            found = self._image(family, request)
            names = unsorted_order([v.version for v in found.versions])
            return Reply(
                200, {"value": [self._version(found, n, request) for n in names if self._visible(found, n, request)]}
            )

        def version(request: Request) -> Reply:
            found = self._image(family, request)
            name = request.parameters["version"]
            if not self._visible(found, name, request):
                kind = "Microsoft.Compute/galleries"
                raise resource_not_found(
                    kind, f"{found.owner}/images/{found.name}/versions/{name}", found.resource_group
                )
            return Reply(200, self._version(found, name, request))

        add(
            "GET",
            base + "/{gallery}",
            f"{stem}_Get" if family != "gallery" else "Galleries_Get",
            "GetGallery",
            f"{right}/read",
            gallery,
        )
        add("GET", base + "/{gallery}/images", f"{stem}Images_List", "GetGallery", f"{right}/images/read", images)
        add("GET", base + "/{gallery}/images/{image}", f"{stem}Images_Get", "GetGallery", f"{right}/images/read", image)
        path, right = base + "/{gallery}/images/{image}/versions", f"{right}/images/versions/read"
        add("GET", path, f"{stem}ImageVersions_List", "GetGallery", right, versions)
        add("GET", path + "/{version}", f"{stem}ImageVersions_Get", "GetGallery", right, version)

    def _location(self, request: Request) -> str:
        return request.parameters.get(
            "location", next((s.document["location"] for s in self.world.sets.values()), "westeurope")
        )

    def _group(self, request: Request) -> str:
        group = request.parameters["group"]
        if group.lower() not in self.groups:
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
        return group

    # Marketplace.

    def _named(self, request: Request, *names: str) -> list[PlatformImage]:
        return [
            image
            for image in self.catalogue.platform
            if all(getattr(image, name).lower() == request.parameters[name].lower() for name in names)
        ]

    def _level(self, request: Request, names: list[str], base: str) -> Reply:
        location = request.parameters["location"]
        items = [{"location": location, "name": name, "id": f"{base}/{name}"} for name in dict.fromkeys(names)]
        return Reply(200, items)

    def publishers(self, request: Request) -> Reply:
        return self._level(request, [image.publisher for image in self.catalogue.platform], request.path)

    def offers(self, request: Request) -> Reply:
        return self._level(request, [image.offer for image in self._some(request, "publisher")], request.path)

    def skus(self, request: Request) -> Reply:
        return self._level(request, [image.sku for image in self._some(request, "publisher", "offer")], request.path)

    def _some(self, request: Request, *names: str) -> list[PlatformImage]:
        found = self._named(request, *names)
        if not found:
            words = ":".join(request.parameters[name] for name in names)
            raise ArmError(404, "NotFound", f"Artifact: VMImage was not found: {words}.")
        return found

    def versions(self, request: Request) -> Reply:
        image = self._some(request, "publisher", "offer", "sku")[0]
        names = unsorted_order(image.versions)
        order = request.query.get("$orderby", "").lower().split()
        if order[:1] == ["name"]:
            names = sorted(names, reverse=order[1:] == ["desc"])
        top = request.query.get("$top")
        if top is not None:
            names = names[: int(top)]
        location = request.parameters["location"]
        if request.query.get("$expand", "").lower() == "properties":
            return Reply(200, [self.wire.platform_version(location, image, name) for name in names])
        return Reply(
            200,
            [
                {"location": location, "name": name, "id": self.wire.platform_id(location, image, name)}
                for name in names
            ],
        )

    def version(self, request: Request) -> Reply:
        image = self._some(request, "publisher", "offer", "sku")[0]
        version = request.parameters["version"]
        if version not in image.versions:
            raise ArmError(
                404,
                "NotFound",
                f"Artifact: VMImage was not found. Publisher: {image.publisher}, Offer: {image.offer}, "
                f"Sku: {image.sku}, Version: {version}.",
            )
        return Reply(200, self.wire.platform_version(request.parameters["location"], image, version))

    # Managed images and galleries.

    def managed(self, request: Request) -> Reply:
        group, name = self._group(request), request.parameters["image"]
        image = self.catalogue.managed_image(group, name)
        if image is None:
            raise resource_not_found("Microsoft.Compute/images", name, group)
        return Reply(200, self.wire.managed_image(image))

    def managed_list(self, request: Request) -> Reply:
        group = self._group(request)
        return Reply(
            200,
            {
                "value": [
                    self.wire.managed_image(i)
                    for i in self.catalogue.managed
                    if i.resource_group.lower() == group.lower()
                ]
            },
        )

    def _images(self, family: str, request: Request) -> list[GalleryImage]:
        name = request.parameters["gallery"]
        group = self._group(request) if family == "gallery" else ""
        subscription = request.parameters["subscription"].lower()
        found = [
            image
            for image in self.catalogue.galleries
            if image.family == family
            and image.owner.lower() == name.lower()
            and (not group or image.resource_group.lower() == group.lower())
            and (not group or (image.subscription or self.wire.subscription) == subscription)
        ]
        if not found:
            if family == "gallery":
                raise resource_not_found("Microsoft.Compute/galleries", name, group)
            raise ArmError(404, "GalleryNotFound", f"The {family} gallery '{name}' was not found.")
        return found

    def _image(self, family: str, request: Request) -> GalleryImage:
        wanted = request.parameters["image"].lower()
        images = self._images(family, request)
        for image in images:
            if image.name.lower() == wanted:
                return image
        kind = "Microsoft.Compute/galleries"
        raise resource_not_found(
            kind, f"{images[0].owner}/images/{request.parameters['image']}", images[0].resource_group
        )

    def _visible(self, image: GalleryImage, name: str, request: Request) -> bool:
        """Foreign galleries show only what is ready in the location asked for."""
        version = next((v for v in image.versions if v.version == name), None)
        if version is None or image.family == "gallery":
            return version is not None
        location = re.sub(r"\s", "", request.parameters["location"]).lower()
        return version.state == "Succeeded" and location in (region.lower() for region in version.regions)

    def _version(self, image: GalleryImage, name: str, request: Request) -> dict[str, Any]:
        version = next(v for v in image.versions if v.version == name)
        replication = request.query.get("$expand", "").lower() == "replicationstatus"
        return self.wire.gallery_version(image, version, self._location(request), replication=replication)

    def _gallery(self, family: str, request: Request) -> dict[str, Any]:
        name = request.parameters["gallery"]
        if family != "gallery":
            unique = f"/{family.capitalize()}Galleries/{name}"
            return {"name": name, "location": request.parameters["location"], "identifier": {"uniqueId": unique}}
        return {
            "name": name,
            "id": f"{self.wire.group_id(request.parameters['group'])}/providers/Microsoft.Compute/galleries/{name}",
            "type": "Microsoft.Compute/galleries",
            "location": self._location(request),
            "tags": {},
            "properties": {"identifier": {"uniqueName": name}, "provisioningState": "Succeeded"},
        }
