# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.steady.vmss.plugins.module_utils._facts import images
from ansible_collections.steady.vmss.plugins.module_utils._facts.images import Image, ImageError, parse

from ..examples import examples
from ..refusals import refused

COMPUTE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute"
URN = "canonical:ubuntu:22_04:22.04.202611180"
FORMS = {
    "platform": {"publisher": "canonical", "offer": "ubuntu", "sku": "22_04", "version": "22.04.202611180"},
    "managed": {"id": f"{COMPUTE}/images/web"},
    "gallery": {"id": f"{COMPUTE}/galleries/g/images/web"},
    "gallery version": {"id": f"{COMPUTE}/galleries/g/images/web/versions/1.10.0"},
    "shared": {"shared_gallery_image_id": "/SharedGalleries/u/images/web/versions/1.0.0"},
    "community": {"community_gallery_image_id": "/CommunityGalleries/p/images/web/versions/1.0.0"},
    "vhd": {"vhd_uri": "https://blobs.example/images/web.vhd"},
}

words = st.text("abcXYZ019_-.", min_size=1, max_size=8).filter(lambda text: text.strip(".-_"))
numbers = st.integers(0, 3000)
versions = st.lists(numbers, min_size=3, max_size=3).map(lambda parts: ".".join(map(str, parts)))
galleries = st.builds(
    lambda name, version: Image(images.GALLERY, id=f"{COMPUTE}/galleries/g/images/{name}/versions/{version}"),
    words,
    versions,
)
image = st.one_of(
    st.builds(Image, st.just(images.PLATFORM), words, words, words, versions),
    galleries,
    st.builds(lambda name: Image(images.MANAGED, id=f"{COMPUTE}/images/{name}"), words),
    st.builds(lambda name: Image(images.SHARED_GALLERY, id=f"/SharedGalleries/u/images/{name}"), words),
    st.builds(
        lambda name, version: Image(
            images.COMMUNITY_GALLERY, id=f"/CommunityGalleries/p/images/{name}/versions/{version}"
        ),
        words,
        versions,
    ),
    st.builds(lambda name: Image(images.VHD, id=f"https://blobs.example/{name}.vhd"), words),
)


@settings(max_examples=examples(1000))
@given(one=image, other=image)
def test_comparing_images(one: Image, other: Image) -> None:
    assert images.same(one, one) and not images.same(one, None) and images.same(None, None)
    alike = one.kind == other.kind and str(one).lower() == str(other).lower()
    assert images.same(one, other) == alike
    assert images.same(one=other, other=one) == alike
    shouted = parse(str(one).upper().replace("HTTPS:", "https:"))
    assert images.same(one, shouted), "Azure's names are case-insensitive"
    if one.kind == images.VHD:
        assert images.same(one, Image(images.VHD, id=f"{one.id}?sv=1&sig=x"))
    assert images.same_series(one, one) == (one.kind in (images.PLATFORM, images.MANAGED) or one.is_gallery) - (
        one.kind == images.MANAGED
    )
    assert images.same_series(one, other) == images.same_series(one=other, other=one)


@settings(max_examples=examples(1000))
@given(one=image)
def test_what_is_shown_is_read_back(one: Image) -> None:
    shown = images.show(one)
    assert shown is not None
    assert parse(shown) == one
    assert parse(json.dumps(shown)) == one
    assert parse(str(one)) == one
    wire = images.to_wire(one)
    assert images.from_wire(wire, one.id if one.kind == images.VHD else None) == one


@settings(max_examples=examples(1000))
@given(found=st.lists(versions, min_size=1), one=galleries)
def test_the_newest_version_is_so_by_number(found: list[str], one: Image) -> None:
    best = max(found, key=lambda text: [int(part) for part in text.split(".")])
    newest = images.newest(found)
    assert newest is not None and [int(p) for p in newest.split(".")] == [int(p) for p in best.split(".")]
    assert one.with_version(newest).gallery_version == newest
    assert one.with_version(newest).following_latest() == one.following_latest()
    assert one.following_latest().follows_latest and not one.with_version(newest).follows_latest


def test_the_newest_of_none() -> None:
    assert images.newest([]) is None
    assert images.newest(["1.0.0", "preview", "0.9.0"]) == "1.0.0"


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_dict_of_each_form(form: str) -> None:
    found = parse(FORMS[form])
    assert images.show(found) == FORMS[form]
    assert parse({**FORMS[form], "plan": "", "version": FORMS[form].get("version")}) == found, "unset members are none"


# A managed image as somebody copies it from the browser or from az rest.
ADDRESSES = [
    f"https://portal.example/#@corp.test/resource{COMPUTE}/images/web/overview",
    f"https://portal.example/#view/Blade/~/overview/id/{(COMPUTE + '/images/web').replace('/', '%2F')}",
    f"https://management.example{COMPUTE}/images/web?api-version=2024-03-01",
    f"https://arm.local.example{COMPUTE}/images/web",
]
GALLERY = f"{COMPUTE}/galleries/company/images/web"


@pytest.mark.parametrize(
    ("value", "kind", "version"),
    [
        (URN, images.PLATFORM, "22.04.202611180"),
        (f" {URN} ", images.PLATFORM, "22.04.202611180"),
        ("latest", images.PLATFORM, "latest"),
        ("1.2.3", images.PLATFORM, "1.2.3"),
        ({"version": "1.2.3"}, images.PLATFORM, "1.2.3"),
        ({"sku": "24_04"}, images.PLATFORM, "latest"),
        (json.dumps(FORMS["platform"]), images.PLATFORM, "22.04.202611180"),
        (f"{COMPUTE}/images/web/", images.MANAGED, ""),
        ("https://blobs.example/web.vhd?sig=secret", images.VHD, ""),
        *((address, images.MANAGED, "") for address in ADDRESSES),
        (f"https://portal.example/#@corp.test/resource{GALLERY}/versions/1.0.0/overview", images.GALLERY, ""),
        (f"https://management.example{GALLERY}/versions/1.0.0?api-version=2024-03-03", images.GALLERY, ""),
    ],
)
def test_other_ways_to_write_an_image(value: object, kind: str, version: str) -> None:
    found = parse(value)
    assert (found.kind, found.version) == (kind, version)


@pytest.mark.parametrize(
    ("value", "words_"),
    [
        ({}, "empty"),
        (None, "not NoneType"),
        (3, "not int"),
        ("web", "names no image"),
        ("lates", "Did you mean latest?"),
        ("Lastest", "Did you mean latest?"),
        ("https://portal.example/#home", "an address of Azure's portal or management API and no VHD"),
        (f"https://management.example{COMPUTE}/disks/web?api-version=1", "Give the image's resource id"),
        ("canonical:ubuntu:22_04", "names no image"),
        ("canonical::22_04:latest", "names no image"),
        ("http://blobs.example/web.vhd", "names no image"),
        ("/subscriptions/s/web", "not the resource id of an image"),
        ("{not json", "looks like JSON"),
        ({"image": "x"}, "a member that no image has"),
        ({"id": f"{COMPUTE}/images/web", "version": "1.0.0"}, "one form"),
        ({"id": f"{COMPUTE}/images/web", "vhd_uri": "https://x/y"}, "one form"),
        ({"vhd_uri": "http://x/y"}, "https"),
        ({"shared_gallery_image_id": f"{COMPUTE}/images/web"}, "give it as id"),
    ],
)
def test_what_names_no_image(value: object, words_: str) -> None:
    with refused("image_invalid", words_, by=ImageError):
        parse(value)


@pytest.mark.parametrize(
    ("model", "given", "written"),
    [("?sig=a", "?sig=a", True), ("?sig=a", "?sig=b", False), ("?sig=a", "", True), ("", "?sig=b", False)],
)
def test_a_renewed_sas_is_to_be_written(model: str, given: str, written: bool) -> None:
    one, other = (Image(images.VHD, id=f"https://s/a.vhd{query}") for query in (model, given))
    assert images.written(one, other) is written
    assert not images.written(None, one) and not images.written(one, Image(images.VHD, id="https://s/b.vhd"))


def test_a_sas_is_never_shown() -> None:
    found = parse("https://blobs.example/web.vhd?sv=1&sig=secret#x")
    assert "secret" in found.id, "Azure needs it"
    assert "secret" not in str(found) and "secret" not in str(images.show(found))
    with pytest.raises(ImageError) as error:
        parse("ftp://blobs.example/web.vhd?sig=secret")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("reference", "uri", "text"),
    [
        (None, None, "None"),
        ({}, None, "None"),
        ({}, "https://blobs.example/web.vhd", "https://blobs.example/web.vhd"),
        (
            {"publisher": "p", "offer": "o", "sku": "s", "version": "latest", "exactVersion": "1.0.0"},
            None,
            "p:o:s:latest",
        ),
        ({"id": "/something/new", "exactVersion": "1.0.0"}, None, "/something/new"),
        ({"communityGalleryImageId": "/CommunityGalleries/p/images/web"}, None, "/CommunityGalleries/p/images/web"),
    ],
)
def test_what_azure_reports(reference: dict[str, str] | None, uri: str | None, text: str) -> None:
    assert str(images.from_wire(reference, uri)) == text


def test_a_partial_image_is_completed_from_the_model() -> None:
    model = parse(URN)
    assert images.complete(parse("latest"), model) == model.following_latest()
    assert str(images.complete(parse({"sku": "24_04", "version": "1.0.0"}), model)) == "canonical:ubuntu:24_04:1.0.0"
    managed = parse(FORMS["managed"])
    assert images.complete(managed, model) == managed
    for nothing in (None, managed):
        with refused("image_incomplete", "publisher, offer, sku", by=ImageError):
            images.complete(parse("latest"), nothing)


@pytest.mark.parametrize("one", sorted(FORMS))
@pytest.mark.parametrize("other", sorted(FORMS))
def test_a_switch_between_image_types(one: str, other: str) -> None:
    types = {"gallery": "g", "gallery version": "g", "shared": "g", "community": "g"}
    reason = images.type_switch(parse(FORMS[one]), parse(FORMS[other]))
    assert (reason is None) == (types.get(one, one) == types.get(other, other))
    assert reason is None or "may not be changed" in reason
    assert images.type_switch(parse(FORMS[one]), None) is None


GROUP = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute"
PLACES = [
    "{}:offer:sku:1.0.0",
    "publisher:{}:sku:1.0.0",
    "publisher:offer:{}:1.0.0",
    "publisher:offer:sku:{}",
    "/subscriptions/{}/resourceGroups/rg/providers/Microsoft.Compute/images/web",
    "/subscriptions/s/resourceGroups/{}/providers/Microsoft.Compute/images/web",
    GROUP + "/images/{}",
    GROUP + "/galleries/{}/images/web",
    GROUP + "/galleries/g/images/{}",
    GROUP + "/galleries/g/images/web/versions/{}",
    "/SharedGalleries/{}/images/web",
    "/SharedGalleries/g/images/{}/versions/1.0.0",
    "/CommunityGalleries/{}/images/web",
    "/CommunityGalleries/g/images/web/versions/{}",
    "https://{}/vhds/web.vhd",
    "https://blobs.example/{}/web.vhd",
    "https://blobs.example/vhds/{}",
    "https://blobs.example/vhds/web.vhd?sig={}",
]
HOSTILE = [
    "{{lookup('pipe','id')}}",
    "{%x%}",
    "{#x#}",
    "a b",
    "a\tb",
    "a\nb",
    "\x1b[2J",
    "\u202ea",
    "a\u00a0b",
    "'",
    '"',
    "`id`",
    "$(id)\\",
    "<a>",
    "a|b",
    "\x00",
]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("place", PLACES)
def test_an_image_is_made_of_plain_characters(place: str, hostile: str) -> None:
    text = place.format(hostile.replace(":", "") if place.count(":") == 3 else hostile)
    if text != text.strip():
        text += "x"
    with pytest.raises(ImageError) as caught:
        parse(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        f"{GROUP}/images/..",
        f"{GROUP}/galleries/g/images/../versions/1.0.0",
        "/subscriptions/s/resourceGroups/../providers/Microsoft.Compute/images/web",
        "a:b:..:1.0.0",
        "https://user:password@blobs.example/web.vhd",
        "https://blobs.example/../web.vhd",
        "https://blobs.example/web.vhd%3Fsig=secret1",
        "https://blobs.example",
        f"{GROUP}/images/{'x' * 129}",
        "https://blobs.example/" + "https://" * 16_000,
    ],
)
def test_an_image_leads_nowhere_else(text: str) -> None:
    with pytest.raises(ImageError) as caught:
        parse(text)
    assert "secret1" not in str(caught.value) and len(str(caught.value)) < 1000


def test_names_as_azure_allows_them() -> None:
    for text in (
        "/subscriptions/s/resourceGroups/Größe_(prod)-1.x/providers/Microsoft.Compute/images/web_1.x-y",
        "https://blobs.example:8443/$root/a%20b(1).vhd?sv=2024-01-01&sig=a%2Fb%3D&se=2027-01-01T00:00:00Z",
        "Canonical:0001-com-ubuntu-server-jammy:22_04-lts-gen2:22.04.202611180",
    ):
        assert parse(text).kind


def test_no_member_of_an_image_is_echoed() -> None:
    with pytest.raises(ImageError) as caught:
        parse({"https://blobs.example/web.vhd?sig=secret1": "x"})
    assert "secret1" not in str(caught.value) and "blobs" not in str(caught.value)


@pytest.mark.parametrize("query", ["?sig=x", "#sig=x", "%3Fsig=x", "%3fsig=x", "%253Fsig=x", "\\u003fsig=x"])
def test_a_query_in_any_spelling_is_cut(query: str) -> None:
    assert images.without_query(f"https://blobs.example/web.vhd{query}") == "https://blobs.example/web.vhd"


@pytest.mark.parametrize("reference", [[], "x", 5, {"id": 5}, {"id": ["x"]}, {"sharedGalleryImageId": {}}])
def test_an_odd_reference_is_no_image(reference: object) -> None:
    assert images.from_wire(reference, 7) is None


def test_a_version_of_endless_digits_is_compared() -> None:
    assert images.version_key("9" * 5000) == (-1,)
