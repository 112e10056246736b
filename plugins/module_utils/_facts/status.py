# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scale set and its instances as sentences, of what the module scale_set_info shows."""

from __future__ import annotations

import typing as t
from collections import Counter

Shown = t.Mapping[str, t.Any]


def scale_set(shown: Shown) -> str:
    """What the model names, what the instances are compared with, how many are what, and what is newer than that."""
    verdicts = Counter(one["verdict"] for one in shown["instances"])
    counted = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    compared = shown["target_problem"] or f"compared with {_image(shown['target_image'])}"
    return (
        f"{shown['name']}, {shown['orchestration_mode']}, upgrade mode {shown['upgrade_mode']}, model "
        f"{_image(shown['image'])}; {compared.rstrip('.')}: {counted or 'no instances'}{_published(shown)}"
    )


def _published(shown: Shown) -> str:
    newest = shown.get("newest_image")
    if newest is None or newest == shown["target_image"]:
        return ""
    runs = [one["instance_id"] for one in shown["instances"] if one["image"] == newest]
    return f"; newest published {_image(newest)}, which {len(runs)} of {len(shown['instances'])} instances run"


def instance(shown: Shown) -> str:
    image = shown["image"]
    runs = (image.get("version") or _image(image)) if image else "an image that Azure does not report"
    available = "available" if shown["available"] else shown["why_unavailable"]
    zone = f", zone {shown['zone']}" if shown["zone"] is not None else ""
    domain = f", update domain {shown['update_domain']}" if shown["update_domain"] is not None else ""
    return f"instance {shown['instance_id']}{zone}{domain}: {shown['verdict']}, {available}, runs {runs}"


def _image(shown: t.Mapping[str, str] | None) -> str:
    return ":".join(shown.values()) if shown else "no image"
