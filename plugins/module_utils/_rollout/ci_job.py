# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a CI service reads in a job's log, and the summary of a job."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass

from .._facts.foreign_text import printable
from .journal_view import View
from .plain_lines import lasted, short_image

Service = t.Literal["github", "azure"]


def service_of(environment: t.Mapping[str, str]) -> Service | None:
    """Whose job this is, by the variables that the services set; None for no job of theirs."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return "github"
    return "azure" if environment.get("TF_BUILD", "").lower() == "true" else None


@dataclass(frozen=True)
class Commands:
    """Lines that the service takes for commands. Whatever stands in them is made harmless."""

    service: Service

    def group(self, title: str) -> str:
        return f"{'::group::' if self.service == 'github' else '##[group]'}{printable(title)}"

    def end_group(self) -> str:
        return "::endgroup::" if self.service == "github" else "##[endgroup]"

    def summary(self, path: str) -> str:
        """A summary in that file, which the agent of Azure Pipelines takes up; GitHub reads a file of its own."""
        return f"##vso[task.uploadsummary]{_data(path, 'azure')}"

    def error(self, title: str, code: str, message: str) -> str:
        """An annotation of the job."""
        said = _data(message, self.service)
        if self.service == "azure":
            return f"##vso[task.logissue type=error;code={_property(code, 'azure')}]{_data(title, 'azure')}: {said}"
        return f"::error title={_property(f'{title}: {code}', 'github')}::{said}"


def _data(text: str, service: Service) -> str:
    percent = "%25" if service == "github" else "%AZP25"
    return printable(text).replace("%", percent)  # without a line's end, which would need another escape


def _property(text: str, service: Service) -> str:
    escaped = _data(text, service)
    if service == "azure":
        return escaped.replace(";", "%3B").replace("]", "%5D")
    return escaped.replace(":", "%3A").replace(",", "%2C")


# -- the summary of a job, in Markdown ----------------------------------------------------------------


def summary(views: t.Iterable[View]) -> str:
    return "\n".join(_summary(view) for view in views)


def _summary(view: View) -> str:
    counts = Counter(view.states.values())
    unavailable = view.unavailable
    elapsed = lasted((view.last or 0.0) - view.started) if view.started is not None else "unknown"
    rows = {
        "outcome": view.outcome + (f" ({view.code})" if view.code else "") if view.outcome else "not finished",
        "image": short_image(view.plan.target),
        "instances": ", ".join(f"{count} {state}" for state, count in sorted(counts.items())),
        "batches": f"{view.batches_done} of {view.plan.batches}",
        "took": elapsed,
        "unavailable at most": f"{unavailable.most} of {unavailable.allowed}",
        "calls": f"{view.calls.all}, throttled for {view.calls.throttled:.0f} s",
    }
    table = "".join(f"| {name} | {_markdown(value)} |\n" for name, value in rows.items())
    why = f"\n{_markdown(view.why)}\n" if view.why else ""
    return f"### {_markdown(view.title)}\n\n| | |\n|---|---|\n{table}{why}"


def _markdown(text: str) -> str:
    """As text and nothing else."""
    escaped = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for one in "\\`*_[]|#!":
        escaped = escaped.replace(one, f"\\{one}")
    return escaped
