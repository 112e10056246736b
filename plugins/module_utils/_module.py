# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only util that knows AnsibleModule: the one place that fails or exits."""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import sanitize_keys

# Before what an old Python cannot read.
from . import _python  # noqa: F401  # pylint: disable=unused-import
from ._arm import client, sdk
from ._arm.errors import AzureError
from ._arm.redaction import known_secrets, signatures
from ._controller import VARIABLE, Cancellation
from ._facts.codes import Code
from ._facts.foreign_text import all_printable
from ._facts.images import ImageError
from ._facts.problems import Cancelled, Refused
from ._facts.releases import old_ansible
from ._facts.times import timestamp
from ._journal import Journal
from ._options import ConnectionOptions, JournalOptions, argument_spec, parse, unusable_number

Request = t.TypeVar("Request", bound=ConnectionOptions)
Asked_contra = t.TypeVar("Asked_contra", bound=ConnectionOptions, contravariant=True)

# The required options that users of a role or playbook know by another name.
_ELSEWHERE = {
    "resource_group": "in the role rollout it is rollout_resource_group",
    "name": "in the role rollout it is rollout_scale_set",
    "image": "in the role rollout it is rollout_image",
    "extension": "in the playbook recover_credentials it is extension_name",
}

_CANCELLED = "Nothing more is sent; what Azure has accepted continues there. Run the same again to continue."


class Failed(Exception):
    """A module's end that is a failure, with all that is known by then."""

    def __init__(self, code: Code, message: str, **fields: t.Any) -> None:
        super().__init__(message)
        self.code = code
        self.fields = fields


class Module(AnsibleModule):
    """What Azure, a guest or a tag supplied leaves it as plain text, and no secret that is known leaves it at all."""

    def exit_json(self, **kwargs: t.Any) -> t.Any:
        return super().exit_json(**all_printable(kwargs), **self._invocation())

    def fail_json(self, msg: str, **kwargs: t.Any) -> t.Any:
        """With a `code` in `kwargs` but where Ansible itself calls this, for options that it refuses."""
        trace = {name: kwargs.pop(name) for name in ("exception",) if name in kwargs}
        return super().fail_json(**all_printable({"msg": msg, **kwargs}), **trace, **self._invocation())

    def _log_invocation(self) -> None:
        self._hide()
        super()._log_invocation()

    def _invocation(self) -> dict[str, t.Any]:
        """Ansible adds the options to each result, and hides nothing in a name."""
        self._hide()
        shown = {name: value for name, value in self.params.items() if name != "memory"}  # long, and a result already
        return {"invocation": {"module_args": sanitize_keys(shown, self.no_log_values)}}

    def _hide(self) -> None:
        """Ansible replaces these values in whatever it prints or logs; it may do so before the options are checked."""
        self.no_log_values.update(known_secrets(), signatures(self.params))

    def warn(self, warning: str, **kwargs: t.Any) -> None:
        super().warn(all_printable(warning), **kwargs)


class SystemClock:
    """Wall time, in seconds since the epoch."""

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Body(t.Protocol[Asked_contra]):
    """What a module does: a request in, one result out."""

    def __call__(self, azure: client.Azure, request: Asked_contra, *, check_mode: bool) -> dict[str, t.Any]: ...


def run(body: Body[Request], kind: type[Request], **rules: t.Any) -> None:
    """Sign in, run the body with its kind of request, and exit or fail with its result and the count of ARM calls."""
    spec = argument_spec(kind)
    module = Module(argument_spec=spec, supports_check_mode=True, **rules)
    for name, option in spec.items():
        if option.get("required") and module.params[name] == "":
            said = f"{name} is empty{f'; {_ELSEWHERE[name]}' if name in _ELSEWHERE else ''}. Nothing was written."
            module.fail_json(**_failure("option_invalid", said))
    if said := unusable_number(module.params):
        module.fail_json(**_failure("option_invalid", said))
    if said := old_ansible(module.ansible_version) or sdk.unmet_requirements():
        trace = {"exception": sdk.IMPORT_ERROR} if sdk.IMPORT_ERROR else {}
        module.fail_json(**_failure("requirements_missing", said), **trace)
    cancellation = Cancellation(os.environ.get(VARIABLE, ""))
    failed, result = _carried_out(module, body, parse(kind, module.params), cancellation)
    cancellation.close()
    if failed:
        module.fail_json(**result)
    module.exit_json(**result)


def _carried_out(
    module: AnsibleModule, body: Body[Request], request: Request, cancellation: Cancellation
) -> tuple[bool, dict[str, t.Any]]:
    """Whether it failed, and the module's result."""
    azure = None
    try:
        cancellation.listen()
        azure = client.connect(request, os.environ, SystemClock())
        azure.check_wanted = cancellation.check
        result = _warned(module, body(azure, request, check_mode=module.check_mode))
        return False, {**result, **_counters(azure)}
    except Cancelled as exc:
        journal_cancelled(request, azure, exc, check_mode=module.check_mode)
        said = _failure("cancelled", f"Cancelled: {exc}. {_CANCELLED}")
        return True, {**said, "outcome": "cancelled", **_counters(azure), **_warned(module, exc.fields)}
    except Failed as exc:
        return True, {**_failure(exc.code, str(exc)), **_counters(azure), **_warned(module, exc.fields)}
    except Refused as exc:
        return True, {**_failure(exc.code, str(exc)), **_counters(azure), **exc.fields}
    except ImageError as exc:
        return True, {**_failure(exc.code, str(exc)), **_counters(azure)}
    except AzureError as exc:
        problem = exc.problem
        error = {"code": problem.code, "message": problem.message, "status": problem.status, "kind": problem.kind}
        return True, {**_failure(exc.code, str(exc)), "error": error, **_counters(azure)}
    finally:
        for words in azure.sign_in_notices if azure else ():
            module.warn(words)


def _failure(code: Code, message: str) -> dict[str, t.Any]:
    return {"msg": message, "code": code}


def journal_cancelled(
    request: ConnectionOptions, azure: client.Azure | None, cancelled: Cancelled, *, check_mode: bool
) -> None:
    """For a use case that does not tell it in its own journal."""
    if azure is None or check_mode or "rollout_result" in cancelled.fields:
        return
    if not isinstance(request, JournalOptions) or not request.journal:
        return
    scale_set = azure.scale_set_id(request.resource_group, request.name)
    with contextlib.suppress(Refused):
        event = {"time": timestamp(time.time()), "event": "cancelled", "why": str(cancelled)}
        Journal(request.journal, scale_set=scale_set).write([event])


def _warned(module: AnsibleModule, result: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result without its `warnings`, which are shown as such."""
    for words in result.get("warnings", ()):
        module.warn(words)
    return {name: value for name, value in result.items() if name != "warnings"}


def _counters(azure: client.Azure | None) -> dict[str, t.Any]:
    return {"arm": azure.usage.as_dict()} if azure else {}


def diff_of(before: t.Any, after: t.Any) -> dict[str, t.Any]:
    return {"diff": {"before": before, "after": after}}
