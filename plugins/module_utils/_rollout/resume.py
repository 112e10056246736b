# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an earlier run left: the rollout that goes on, what it has still to do, and the way back."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import replace

from .._facts import images, running_image
from .._facts.domains import Selection
from .._facts.images import Image
from .._facts.scale_set import Instance
from .record import Record
from .survey import Survey


def resumed(survey: Survey, standing: Record | None) -> Image | None:
    """The target of the unfinished rollout that a request for `survey.target` goes on with, None where it starts anew.

    A rollout to `latest` keeps the version it once chose, however many were published since, until all that it was to
    upgrade is.
    """
    wanted, chosen = survey.target, standing.target_image if standing else None
    if chosen is None or standing is None or not wanted.follows_latest or not images.same_series(wanted, chosen):
        return None
    own = replace(survey, target=chosen, since=standing.started, selection=standing.selected(survey.selection))
    return chosen if own.remaining else None


def unfinished(survey: Survey, standing: Record | None) -> list[str]:
    """The instances that the standing rollout to another image has still to do, by its own selection."""
    target = standing.target_image if standing else None
    if standing is None or not standing.resumable or target is None or images.same(target, survey.target):
        return []
    other = replace(
        survey,
        target=target,
        selection=standing.selected(Selection()),
        since=standing.started,
        model_names_target=True,
    )
    return [i.instance_id for i in other.to_do]


def way_back(recorded: Image | None, model: Image | None, reported: t.Iterable[Image | None]) -> Image | None:
    """The image that a rollout goes back to by itself, None where a person has to name it.

    A record stands in tags, which others may write, and alone does not put an image on a disk: it must be another
    version of what the model names, or what Azure itself reports of instances or of its own upgrades.
    """
    if recorded is None or (model is not None and images.same_series(recorded, model)):
        return recorded
    return recorded if any(images.same(recorded, one) for one in (model, *reported)) else None


def images_before(outdated: t.Sequence[Instance], model: Image | None, target: Image) -> list[Image]:
    """What the instances ran before, the most common first; empty where nobody knows. Never the word latest, which may
    mean the target.
    """
    exact = [
        running
        for i in outdated
        if (running := running_image.running_image(i))
        and not running.follows_latest
        and not images.same(running, target)
    ]
    by_name = {str(image): image for image in exact}
    if exact:
        return [by_name[name] for name, _count in Counter(map(str, exact)).most_common()]
    return [model] if model is not None and not (model.follows_latest or images.same(model, target)) else []
