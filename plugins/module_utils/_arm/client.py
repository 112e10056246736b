# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calls to Azure Resource Manager: each method is one question or one request, and nothing is asked beside it.

Requests are bodies in bytes and answers are read raw, so no member that this SDK's version does not know is ever lost.
"""

from __future__ import annotations

import json
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from .._facts import images, problems
from .._facts.images import Image
from .._facts.problems import Operation, Problem
from .._facts.scale_set import ImageFacts, ImageVersion, Instance, PastUpgrade, RollingUpgrade, ScaleSet
from . import credentials, reading, sdk
from .clouds import Cloud, find_cloud
from .errors import AzureError, know_secrets, message_text, problem_of_answer, read_json, retry_after, root_words
from .instance_ids import explicit_ids
from .policies import Authentication, Clock, Meter, Retries, Usage, Wanted, body_text, is_json
from .transport import Transport, secure
from .urls import OneEndpoint, resource_path

IMPORT_ERROR = sdk.IMPORT_ERROR

# Network interfaces are read without the network SDK. The first is the newest that scale sets' own interfaces have.
_SCALE_SET_INTERFACES = "2018-10-01"
_INTERFACES = "2023-09-01"
_LIFECYCLE_EVENTS = "2025-11-01"  # the first that has them

_MOST_PAGES = 500  # of one list


@dataclass(frozen=True)
class OperationRef:
    """A long-running operation that was started. `url` is Azure's own and opaque, "" where it ended at once."""

    url: str
    started: float  # our clock, seconds since the epoch


class _Gallery(t.NamedTuple):
    """The SDK's operations for a gallery of one kind, and the names that they all take."""

    versions: t.Any
    definitions: t.Any
    names: tuple[str, str, str]
    region: str | None  # where it is asked, which only shared and community galleries are


def connect(
    options: t.Mapping[str, t.Any], environment: t.Mapping[str, str], clock: Clock, session: t.Any = None
) -> Azure:
    """Choose the cloud, the subscription and the credential. Asks Azure nothing but a private cloud's metadata.

    `options` are the modules' connection options. `session` is a requests session, for those who bring their own.
    Raises AzureError, and CredentialError where no sign-in is possible.
    """
    settings = credentials.read_settings(options, environment)
    know_secrets(options, environment)
    session = secure(session, environment)
    cloud = find_cloud(settings.cloud_environment, environment, session)
    transport = Transport(
        session=session, session_owner=False, connection_timeout=20, read_timeout=120, connection_verify=session.verify
    )
    subscription_id = credentials.require_subscription(settings)
    return Azure(
        subscription_id, cloud, credentials.credential(settings, cloud, environment, transport), transport, clock
    )


class Azure:
    """One signed-in client. Every method raises AzureError; `usage` counts what was asked so far."""

    def __init__(self, subscription_id: str, cloud: Cloud, credential: t.Any, transport: t.Any, clock: Clock) -> None:
        self.subscription_id = subscription_id
        self.usage = Usage()
        self.check_wanted: t.Callable[[], None] = lambda: None  # raises Cancelled where nothing may be asked any more
        self._cloud = cloud
        self._credential = credential
        self._transport = transport
        self._clock = clock
        self._compute_clients: dict[str, t.Any] = {}
        self._generic: t.Any = sdk.ARMPipelineClient(
            base_url=cloud.endpoint, policies=self._policies(), transport=transport
        )

    def _check_wanted(self) -> None:
        self.check_wanted()

    @property
    def server_time(self) -> float | None:
        """Azure's clock at its last answer, in seconds since the epoch."""
        return self.usage.server_time

    # Scale sets and their instances

    def scale_set(self, resource_group: str, name: str) -> ScaleSet:
        answer = self._call(
            f"read scale set {name}", name, self._compute().virtual_machine_scale_sets.get, resource_group, name
        )
        return reading.scale_set(_object(answer), answer.headers.get("ETag"))

    def scale_set_id(self, resource_group: str, name: str) -> str:
        group = f"/subscriptions/{self.subscription_id}/resourceGroups/{resource_group}"
        return f"{group}/providers/Microsoft.Compute/virtualMachineScaleSets/{name}"

    def scale_sets(self, resource_group: str | None = None) -> t.Iterator[ScaleSet]:
        group = self._compute().virtual_machine_scale_sets
        if resource_group:
            pages = self._pages(
                f"list the scale sets of resource group {resource_group}", "", group.list, resource_group
            )
        else:
            pages = self._pages(f"list the scale sets of subscription {self.subscription_id}", "", group.list_all)
        for page in pages:
            yield from (reading.scale_set(item) for item in page)

    def instances(self, scale_set: ScaleSet) -> list[Instance]:
        """Every instance with its instance view. Pages are let go as they are read, so memory stays small."""
        found = self._flexible_instances(scale_set) if scale_set.flexible else self._uniform_instances(scale_set)
        return list({one.instance_id: one for one in found}.values())  # a page may repeat one while the set scales

    def _uniform_instances(self, scale_set: ScaleSet) -> t.Iterator[Instance]:
        pages = self._pages(
            f"list the instances of scale set {scale_set.name}",
            scale_set.name,
            self._compute().virtual_machine_scale_set_vms.list,
            scale_set.resource_group,
            scale_set.name,
            expand="instanceView",
        )
        return (reading.instance(item) for page in pages for item in page)

    def _flexible_instances(self, scale_set: ScaleSet) -> t.Iterator[Instance]:
        pages = self._pages(
            f"list the instances of scale set {scale_set.name}",
            scale_set.name,
            self._compute().virtual_machines.list,
            scale_set.resource_group,
            filter=f"'virtualMachineScaleSet/id' eq '{scale_set.id}'",
            expand="instanceView",
        )
        for page in pages:
            for item in page:
                belongs_to = reading.at(item, "properties", "virtualMachineScaleSet", "id")
                if belongs_to and str(belongs_to).lower() != scale_set.id.lower():
                    continue
                complete = (
                    item if reading.at(item, "properties", "instanceView") else self._flexible_instance(scale_set, item)
                )
                if complete:
                    yield reading.instance(complete)

    def _flexible_instance(self, scale_set: ScaleSet, item: dict[str, t.Any]) -> dict[str, t.Any] | None:
        """A virtual machine with its instance view, None where it is gone meanwhile."""
        name = str(item.get("name"))
        try:
            answer = self._call(
                f"read instance {name} of scale set {scale_set.name}",
                scale_set.name,
                self._compute().virtual_machines.get,
                scale_set.resource_group,
                name,
                expand="instanceView",
            )
        except AzureError as exc:
            if exc.problem.kind == problems.MISSING:
                return None
            raise
        return _object(answer)

    def latest_rolling_upgrade(self, scale_set: ScaleSet) -> RollingUpgrade | None:
        """Azure's own latest rolling upgrade, None where there never was one."""
        try:
            answer = self._call(
                f"read the latest rolling upgrade of scale set {scale_set.name}",
                scale_set.name,
                self._compute().virtual_machine_scale_set_rolling_upgrades.get_latest,
                scale_set.resource_group,
                scale_set.name,
            )
        except AzureError as exc:
            if exc.problem.kind == problems.MISSING:
                return None
            raise
        return reading.rolling_upgrade(_object(answer))

    def os_upgrade_history(self, scale_set: ScaleSet) -> list[PastUpgrade]:
        """The OS upgrades that Azure remembers, in its order; a set that it knows nothing of has none."""
        group = self._compute().virtual_machine_scale_sets
        names = (scale_set.resource_group, scale_set.name)
        attempted = f"read the OS upgrade history of scale set {scale_set.name}"
        try:
            pages = list(self._pages(attempted, scale_set.name, group.get_os_upgrade_history, *names))
        except AzureError as exc:
            if exc.problem.kind == problems.MISSING:
                return []
            raise
        return [reading.past_upgrade(item) for page in pages for item in page]

    def services(self, scale_set: ScaleSet) -> dict[str, str]:
        """Each orchestration service's state: NotRunning, Running, Suspended; {} where Azure shows none (Flexible)."""
        try:
            answer = self._call(
                f"read the instance view of scale set {scale_set.name}",
                scale_set.name,
                self._compute().virtual_machine_scale_sets.get_instance_view,
                scale_set.resource_group,
                scale_set.name,
            )
        except AzureError as exc:
            if scale_set.flexible and exc.problem.kind == problems.REFUSED:
                return {}
            raise
        listed = reading.dicts(_object(answer).get("orchestrationServices"))
        return {str(one.get("serviceName")): str(one.get("serviceState")) for one in listed}

    def instance_document(self, scale_set: ScaleSet, instance_id: str) -> dict[str, t.Any]:
        """One instance as Azure sent it, every member included."""
        answer = self._call(
            f"read instance {instance_id} of scale set {scale_set.name}",
            scale_set.name,
            self._compute().virtual_machine_scale_set_vms.get,
            scale_set.resource_group,
            scale_set.name,
            instance_id,
        )
        return _object(answer)

    def resource(self, path: str, api_version: str, what: str) -> dict[str, t.Any]:
        """Any other resource or list of Azure's, as it sent it. `what` completes the sentence "Cannot read …"."""
        return _object(self._get(f"read {what}", "", self._url(path, "", api_version)))

    # Writes: each is sent once and never again

    def write_model(self, scale_set: ScaleSet, body: t.Mapping[str, t.Any], *, what: str) -> OperationRef | None:
        """PATCH of these members, refused by Azure (412) where the scale set is no longer the one that was read.

        `what` completes the sentence "Cannot …". None where Azure did it at once.
        """
        headers = {"If-Match": scale_set.etag} if scale_set.etag else {}
        update = self._compute().virtual_machine_scale_sets.begin_update
        started = self._send(what, scale_set, update, json.dumps(body).encode(), headers=headers)
        return started if started.url else None

    def write_extension(
        self, scale_set: ScaleSet, name: str, body: t.Mapping[str, t.Any], *, whole: bool
    ) -> OperationRef:
        """Put one extension of the model; the others stay as they are. `whole`: all of it (PUT), else these members."""
        group = self._compute().virtual_machine_scale_set_extensions
        put = group.begin_create_or_update if whole else group.begin_update
        what = f"write extension {name} of scale set {scale_set.name}"
        return self._send(what, scale_set, put, name, json.dumps(body).encode())

    def delete_extension(self, scale_set: ScaleSet, name: str) -> OperationRef:
        """Take one extension out of the model. Instances keep it until they are brought to the model."""
        delete = self._compute().virtual_machine_scale_set_extensions.begin_delete
        what = f"delete extension {name} of scale set {scale_set.name}"
        return self._send(what, scale_set, delete, name)

    def set_service_state(self, scale_set: ScaleSet, service: str, action: str) -> OperationRef:
        """`action` is Suspend or Resume."""
        what = f"{action.lower()} {service} of scale set {scale_set.name}"
        set_state = self._compute().virtual_machine_scale_sets.begin_set_orchestration_service_state
        body = json.dumps({"serviceName": service, "action": action}).encode()
        return self._send(what, scale_set, set_state, body)

    def write_instance(self, scale_set: ScaleSet, instance_id: str, document: t.Mapping[str, t.Any]) -> OperationRef:
        """PUT of one instance, refused by Azure (412) where it is no longer the one whose `etag` is in the document."""
        what = f"write instance {instance_id} of scale set {scale_set.name}"
        update = self._compute().virtual_machine_scale_set_vms.begin_update
        body = json.dumps({name: value for name, value in document.items() if name != "etag"}).encode()
        headers = {"If-Match": etag} if (etag := document.get("etag")) else {}
        return self._send(what, scale_set, update, instance_id, body, headers=headers)

    def upgrade_instances(self, scale_set: ScaleSet, ids: t.Sequence[str]) -> OperationRef:
        """Bring these instances to the model (POST manualupgrade). Raises Refused unless the ids are explicit."""
        return self._act("upgrade", scale_set, ids, self._compute().virtual_machine_scale_sets.begin_update_instances)

    def reimage_instances(self, scale_set: ScaleSet, ids: t.Sequence[str]) -> OperationRef:
        """Put a new OS disk from their model into these instances; data disks stay. Raises Refused like upgrade.

        An ephemeral OS disk gets the model's image only where that is said; else the one the instance was made from.
        """
        more = {"forceUpdateOSDiskForEphemeral": True} if scale_set.ephemeral_os_disk else {}
        return self._act("reimage", scale_set, ids, self._compute().virtual_machine_scale_sets.begin_reimage, more)

    def start_instances(self, scale_set: ScaleSet, ids: t.Sequence[str]) -> OperationRef:
        """Start these instances, which Azure has left deallocated. Raises Refused like upgrade."""
        return self._act("start", scale_set, ids, self._compute().virtual_machine_scale_sets.begin_start)

    def _act(
        self,
        verb: str,
        scale_set: ScaleSet,
        ids: t.Sequence[str],
        action: t.Callable[..., t.Any],
        more: t.Mapping[str, t.Any] | None = None,
    ) -> OperationRef:
        named = explicit_ids(ids)
        what = f"{verb} {_instances_named(named)} of scale set {scale_set.name}"
        return self._send(what, scale_set, action, json.dumps({"instanceIds": named, **(more or {})}).encode())

    def start_os_upgrade(self, scale_set: ScaleSet) -> OperationRef:
        """Let Azure roll the newest version of the model's image through the set (POST osRollingUpgrade)."""
        group = self._compute().virtual_machine_scale_set_rolling_upgrades
        return self._send(
            f"start a rolling OS upgrade of scale set {scale_set.name}", scale_set, group.begin_start_os_upgrade
        )

    def start_extension_upgrade(self, scale_set: ScaleSet) -> OperationRef:
        """Let Azure roll the newest version of each extension through the set (POST extensionRollingUpgrade)."""
        group = self._compute().virtual_machine_scale_set_rolling_upgrades
        return self._send(
            f"start a rolling extension upgrade of scale set {scale_set.name}",
            scale_set,
            group.begin_start_extension_upgrade,
        )

    def cancel_rolling_upgrade(self, scale_set: ScaleSet) -> OperationRef:
        """The batch in hand is finished, not undone. Refused by Azure where none runs."""
        group = self._compute().virtual_machine_scale_set_rolling_upgrades
        return self._send(f"cancel the rolling upgrade of scale set {scale_set.name}", scale_set, group.begin_cancel)

    def approve_upgrade(self, scale_set: ScaleSet, ids: t.Sequence[str]) -> OperationRef:
        """Let the deferred OS upgrade go on at these instances. Raises Refused unless the ids are explicit."""
        named = explicit_ids(ids)
        what = f"approve the deferred upgrade of {_instances_named(named)} of scale set {scale_set.name}"
        if len(named) == 1:
            group = self._compute().virtual_machine_scale_set_vms
            return self._send(what, scale_set, group.begin_approve_rolling_upgrade, named[0])
        body = json.dumps({"instanceIds": named}).encode()
        action = self._compute().virtual_machine_scale_sets.begin_approve_rolling_upgrade
        return self._send(what, scale_set, action, body, content_type="application/json")

    def _send(
        self, what: str, scale_set: ScaleSet, action: t.Callable[..., t.Any], *args: t.Any, **kwargs: t.Any
    ) -> OperationRef:
        """`what` completes the sentence "Cannot …"."""
        names = (scale_set.resource_group, scale_set.name)
        answer = self._call(what, scale_set.name, action, *names, *args, polling=False, **kwargs)
        ref = self._operation_ref(answer)
        has_body = bool(body_text(answer).strip()) or answer.request.method in ("PATCH", "PUT")
        if not ref.url and (answer.status_code == 202 or (has_body and not is_json(answer))):
            problem = Problem(problems.LOST, "", "the answer is no JSON", answer.status_code)
            raise AzureError(problem, what, scale_set.name)
        return ref

    # Lifecycle hook events, which the oldest supported SDK has no operations for

    def lifecycle_events(self, scale_set: ScaleSet) -> list[dict[str, t.Any]]:
        """What Azure asks before it goes on with an automatic OS upgrade, as it sent it."""
        attempted = f"list the lifecycle hook events of scale set {scale_set.name}"
        url = self._url(scale_set.id, "/lifecycleHookEvents", _LIFECYCLE_EVENTS)
        body = _json(self._get(attempted, scale_set.name, url))
        return [item for page in self._following(attempted, scale_set.name, body) for item in page]

    def write_lifecycle_event(self, scale_set: ScaleSet, name: str, body: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """PATCH of one lifecycle hook event; returns it as Azure answers."""
        url = self._url(scale_set.id, f"/lifecycleHookEvents/{name}", _LIFECYCLE_EVENTS)
        attempted = f"answer lifecycle hook event {name} of scale set {scale_set.name}"
        return _object(self._request("PATCH", attempted, scale_set.name, url, body))

    def operation(self, ref: OperationRef) -> Operation:
        """Look once at a long-running operation. Azure forgets old ones: an AzureError of kind "missing"."""
        if not ref.url:
            return Operation("Succeeded")
        answer = self._get("read the state of the operation", "", ref.url, may_be_empty=True)
        if answer.status_code == 202:
            return Operation("InProgress", retry_after=retry_after(answer.headers))
        return reading.operation(_json(answer) if answer.text().strip() else {}, retry_after(answer.headers))

    def _operation_ref(self, answer: t.Any) -> OperationRef:
        url = answer.headers.get("Azure-AsyncOperation")
        if not url and answer.status_code == 202:
            url = answer.headers.get("Location")
        return OperationRef(url or "", self._clock.now())

    # Addresses

    def addresses(self, scale_set: ScaleSet, ids: t.Sequence[str]) -> dict[str, list[str]]:
        """The private addresses of these instances by instance id, each one's primary address first."""
        found: dict[str, list[str]] = {one: [] for one in explicit_ids(ids)}
        by_lower = {one.lower(): one for one in found}
        for interface in self._interfaces(scale_set, list(found)):
            owner = str(reading.at(interface, "properties", "virtualMachine", "id") or interface.get("id") or "")
            instance = by_lower.get(reading.part_of_id(owner, "virtualMachines").lower())
            if instance is not None:
                mine = reading.private_addresses(interface)
                primary = reading.at(interface, "properties", "primary") is True
                found[instance] = mine + found[instance] if primary else found[instance] + mine
        return found

    def _interfaces(self, scale_set: ScaleSet, ids: list[str]) -> t.Iterator[dict[str, t.Any]]:
        """In few calls: all of a Flexible set's resource group; of a Uniform set one instance's, or all."""
        if scale_set.flexible:
            group = scale_set.id[: max(0, scale_set.id.lower().find("/providers/"))]
            url = self._url(group, "/providers/Microsoft.Network/networkInterfaces", _INTERFACES)
        else:
            one = f"/virtualMachines/{ids[0]}" if len(ids) == 1 else ""
            url = self._url(scale_set.id, f"{one}/networkInterfaces", _SCALE_SET_INTERFACES)
        attempted = f"read the addresses of scale set {scale_set.name}"
        body = _json(self._get(attempted, scale_set.name, url))
        for page in self._following(attempted, scale_set.name, body):
            yield from page

    # Images

    def image_versions(self, image: Image, location: str) -> list[ImageVersion]:
        """The versions that the catalogue lists, in its order. Kind "missing" where there is no such image."""
        if image.kind == images.PLATFORM:
            series = (image.publisher, image.offer, image.sku)
            attempted = f"list the versions of image {':'.join(series)} in {location}"
            body = _json(self._call(attempted, "", self._compute().virtual_machine_images.list, location, *series))
            return [reading.image_version(item, image) for item in reading.dicts(body)]
        if not image.is_gallery:
            return []
        gallery = self._gallery(image, location)
        listing = gallery.versions.list_by_gallery_image if image.kind == images.GALLERY else gallery.versions.list
        pages = self._pages(f"list the versions of image {image.base_id}", "", listing, *gallery.names)
        return [reading.image_version(item, image, gallery.region) for page in pages for item in page]

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
        fields = (image.publisher, image.offer, image.sku, image.version)
        body = _object(
            self._call(f"read image {image}", "", self._compute().virtual_machine_images.get, location, *fields)
        )
        return reading.image_facts(image, body, reading.image_version(body, image))

    def _managed_facts(self, image: Image, _location: str) -> ImageFacts:
        subscription, group, name = (
            reading.part_of_id(image.id, part) for part in ("subscriptions", "resourceGroups", "images")
        )
        body = _object(self._call(f"read image {image}", "", self._compute(subscription).images.get, group, name))
        return reading.image_facts(image, body, reading.managed_image(body, image))

    def _gallery_facts(self, image: Image, location: str, version: ImageVersion | None) -> ImageFacts:
        gallery = self._gallery(image, location)
        if image.gallery_version and version is None:
            body = _object(
                self._call(f"read image {image}", "", gallery.versions.get, *gallery.names, image.gallery_version)
            )
            version = reading.image_version(body, image, gallery.region)
        body = _object(self._call(f"read image {image.base_id}", "", gallery.definitions.get, *gallery.names))
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

    # The one way to Azure

    def _compute(self, subscription_id: str | None = None) -> t.Any:
        """The SDK's client of a subscription: an image may live in another one than the scale set."""
        subscription_id = subscription_id or self.subscription_id
        if subscription_id not in self._compute_clients:
            self._compute_clients[subscription_id] = sdk.ComputeManagementClient(
                self._credential,
                subscription_id,
                base_url=self._cloud.endpoint,
                credential_scopes=[self._cloud.scope],
                policies=self._policies(),
                transport=self._transport,
            )
        return self._compute_clients[subscription_id]

    def _policies(self) -> list[t.Any]:
        """Ours instead of the SDK's: it would re-send writes, and register resource providers on its own."""
        return [
            OneEndpoint(self._cloud.endpoint),
            sdk.policies.RequestIdPolicy(),
            sdk.policies.HeadersPolicy({"Accept": "application/json"}),
            sdk.policies.UserAgentPolicy(base_user_agent="steady.vmss"),
            sdk.policies.ContentDecodePolicy(),
            Retries(self.usage, self._clock),
            Authentication(self._credential, self._cloud.scope, self.usage),
            sdk.policies.CustomHookPolicy(),
            Wanted(self._check_wanted),
            Meter(self.usage),
        ]

    def _call(
        self, attempted: str, scale_set: str, operation: t.Callable[..., t.Any], *args: t.Any, **kwargs: t.Any
    ) -> t.Any:
        """Run one operation of the SDK and return Azure's answer as it came."""
        answers: list[t.Any] = []
        with _told(attempted, scale_set, answers):
            operation(*args, raw_response_hook=answers.append, **kwargs)
        return answers[-1].http_response

    def _pages(
        self, attempted: str, scale_set: str, operation: t.Callable[..., t.Any], *args: t.Any, **kwargs: t.Any
    ) -> t.Iterator[list[dict[str, t.Any]]]:
        """The items of a list page by page, as they came. The SDK asks for the first page, its nextLink leads on."""
        body = _json(
            self._call(attempted, scale_set, lambda **hook: next(operation(*args, **kwargs, **hook).by_page()))
        )
        yield from self._following(attempted, scale_set, body)

    def _following(self, attempted: str, scale_set: str, body: t.Any) -> t.Iterator[list[dict[str, t.Any]]]:
        followed: set[str] = set()
        for _page in range(_MOST_PAGES):
            yield reading.dicts(reading.at(body, "value"))
            link = reading.at(body, "nextLink")
            if not link:
                return
            if not isinstance(link, str) or link in followed:
                break
            followed.add(link)
            body = _json(self._get(attempted, scale_set, link))
        reason = f"the list does not end: its next page was read before, or is after the {_MOST_PAGES}th"
        raise AzureError(Problem(problems.LOST, "", reason), attempted, scale_set)

    def _url(self, resource_id: str, below: str, api_version: str) -> str:
        return f"{self._cloud.endpoint}{resource_path(resource_id + below)}?api-version={api_version}"

    def _get(self, attempted: str, scale_set: str, url: str, **options: t.Any) -> t.Any:
        return self._request("GET", attempted, scale_set, url, **options)

    def _request(
        self, method: str, attempted: str, scale_set: str, url: str, body: object = None, **options: t.Any
    ) -> t.Any:
        """A request to an address that no operation of the SDK has."""
        with _told(attempted, scale_set, []):
            answer = self._generic.send_request(sdk.HttpRequest(method, url, json=body), **options)
        if answer.status_code >= 300:
            raise AzureError(
                problem_of_answer(answer.status_code, answer.headers, body_text(answer)), attempted, scale_set
            )
        return answer


def _instances_named(ids: t.Sequence[str]) -> str:
    return f"instance{'s' if len(ids) > 1 else ''} {', '.join(ids)}"


def _json(answer: t.Any) -> t.Any:
    try:
        return read_json(body_text(answer))
    except ValueError:
        problem = Problem(problems.LOST, "", "the answer is no JSON", answer.status_code)
        raise AzureError(problem, f"read {urlsplit(answer.request.url).path}") from None


def _object(answer: t.Any) -> dict[str, t.Any]:
    document = _json(answer)
    if isinstance(document, dict):
        return document
    problem = Problem(problems.LOST, "", "the answer is no JSON object", answer.status_code)
    raise AzureError(problem, f"read {urlsplit(answer.request.url).path}")


@contextmanager
def _told(attempted: str, scale_set: str, answers: list[t.Any]) -> t.Iterator[None]:
    """Turn what the SDK raises into an AzureError. A good answer outweighs the SDK's trouble to read it."""
    try:
        yield
    except (sdk.exceptions.AzureError, ValueError, OSError) as exc:
        if not _is_good(answers):
            # The cause stays out of tracebacks: the SDK's words may hold what ours leave out.
            raise AzureError(_problem(exc), attempted, scale_set) from None
    except (AttributeError, LookupError, TypeError, RecursionError) as exc:  # a shape that the SDK does not know
        if not _is_good(answers):
            if not answers and not isinstance(exc, RecursionError):
                raise
            raise AzureError(_problem_unread(answers), attempted, scale_set) from None


def _problem_unread(answers: list[t.Any]) -> Problem:
    """The problem in an answer that the SDK could not read."""
    if not answers:
        return Problem(problems.LOST, "", "the answer is nested too deeply to be read")
    answer = answers[-1].http_response
    return problem_of_answer(answer.status_code, answer.headers, body_text(answer))


def _is_good(answers: list[t.Any]) -> bool:
    return bool(answers) and answers[-1].http_response.status_code < 300


def _problem(exc: Exception) -> Problem:
    response = getattr(exc, "response", None)
    if response is not None and response.status_code >= 300:
        return problem_of_answer(response.status_code, response.headers, body_text(response))
    if isinstance(exc, sdk.exceptions.AzureError):
        return Problem(problems.LOST, "", f"the connection to Azure was lost before it answered ({root_words(exc)})")
    return Problem(problems.REFUSED, "", message_text(exc))  # the SDK's own check of what it was given


__all__ = ["IMPORT_ERROR", "Azure", "AzureError", "Clock", "OperationRef", "Usage", "connect"]
