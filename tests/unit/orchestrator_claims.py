# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a call was asked for, and what it says of itself, for the judge of Azure's orchestrator."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .orchestrator_facts import (
    AUTOMATIC,
    AUTOMATIC_WAIT,
    COMPLETED,
    EXTENSION,
    HEALTH,
    HEALTH_TIMEOUT,
    INFO,
    NOT_STORED,
    NOTHING_WRITTEN,
    POLICY,
    POLICY_PATH,
    PROBE_PATH,
    ROLLING,
    SLACK,
    TIMEOUT,
    UPGRADE,
    UPGRADE_TIMEOUT,
    WINDOWS_PATH,
    Call,
    Document,
    Written,
    automatic_of,
    camel,
    changes,
    extensions_of,
    is_health,
    key_of,
    mode_of,
    policy_of,
    profile_of,
    sources_of,
)

if TYPE_CHECKING:
    from simulator.rolling_upgrade import RollingUpgrade

    from .orchestrator_judge import Judge


def asked(call: Call, path: str, old: Any, new: Any, done: Written) -> bool:
    """Whether the options ask for this change, or Azure itself makes it."""
    if call.module == POLICY:
        return _policy_asked(call, path, old, new)
    if call.module == HEALTH:
        return _health_asked(call, path, old, new, done)
    if call.module == EXTENSION:
        return _extension_asked(call, path)
    return False


def _policy_asked(call: Call, path: str, old: Any, new: Any) -> bool:
    if path == WINDOWS_PATH and automatic_of({"properties": {"upgradePolicy": _policy_wanted(call)}}):
        return True
    if path != POLICY_PATH and not path.startswith(f"{POLICY_PATH}."):
        return False
    wanted: Any = _policy_wanted(call)
    for part in path.removeprefix(POLICY_PATH).split(".")[1:]:
        wanted = wanted.get(part) if isinstance(wanted, dict) else None
    if old is None:
        return _policy_fits(path, wanted, new)
    return wanted is not None and _equal(path, new, wanted)


def _policy_fits(path: str, wanted: Any, new: Any) -> bool:
    """What is new is asked for, or Azure's own completion."""
    if isinstance(new, dict):
        inner = wanted if isinstance(wanted, dict) else {}
        return all(_policy_fits(key, inner.get(key), value) for key, value in new.items())
    return new in COMPLETED if wanted is None else _equal(path, new, wanted)


def _policy_wanted(call: Call) -> Document:
    wanted: Document = {"mode": call.options["mode"]} if call.options.get("mode") else {}
    for option, member in (("rolling_upgrade_policy", ROLLING), ("automatic_os_upgrade_policy", AUTOMATIC)):
        given = {camel(key): value for key, value in (call.options.get(option) or {}).items() if value is not None}
        if given:
            wanted[member] = given
    return wanted


def _equal(path: str, new: Any, wanted: Any) -> bool:
    """A pause may be written in two ways."""
    return bool(new == wanted) or (path.endswith("pauseTimeBetweenBatches") and wanted is not None)


def _health_asked(call: Call, path: str, old: Any, new: Any, done: Written) -> bool:
    source, absent, replace = call.option("source"), call.option("state") == "absent", call.option("replace", False)
    if path.startswith(PROBE_PATH):
        if source == "load_balancer_probe" and not absent:
            return not path.endswith(".id") or new == call.option("probe_id")
        return ((absent and source in (None, "load_balancer_probe")) or replace) and not new
    if not path.startswith("extensions."):
        return False
    name = path.split(".")[1]
    if not is_health(extensions_of(done.old).get(name)) and not is_health(extensions_of(done.new).get(name)):
        return False
    if name not in extensions_of(done.new):
        return bool(source == "load_balancer_probe" and replace) or (absent and source != "load_balancer_probe")
    return source == "application_health_extension" and not absent and _setting_asked(call, path, old, new)


SETTINGS = {
    "protocol": ("protocol",),
    "port": ("port", "protocol"),
    "requestPath": ("request_path", "protocol"),
    "intervalInSeconds": ("interval_in_seconds",),
    "numberOfProbes": ("number_of_probes",),
    "gracePeriod": ("grace_period", "health_states"),
    "typeHandlerVersion": ("health_states",),
}


def _setting_asked(call: Call, path: str, old: Any, new: Any) -> bool:
    member = path.rpartition(".")[2]
    if path.count(".") == 1 or old is None:
        return True
    return any(call.options.get(option) is not None for option in SETTINGS.get(member, ())) and old != new


def _extension_asked(call: Call, path: str) -> bool:
    name = str(call.options["extension"]).lower()
    if path == f"extensions.{name}":
        return True
    if not path.startswith(f"extensions.{name}."):
        return False
    member, *inner = path.removeprefix(f"extensions.{name}.").split(".")
    members = {
        "settings", "publisher", "type", "type_handler_version", "auto_upgrade_minor_version", "protected_settings",
        "enable_automatic_upgrade", "force_update_tag", "provision_after_extensions",
    }  # fmt: skip
    option = next((name for name in members if camel(name) == member), None)
    if option is None or call.options.get(option) is None:
        return False
    return option != "settings" or not inner or inner[0] in call.options["settings"]


class Claims:
    """What a call says when it ends, against what it had read and against the truth."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def says(self, rule: str, words: str, call: Call) -> None:
        self.judge.says(rule, words, call)

    def check(self, call: Call, result: dict[str, Any], *, failed: bool, message: str) -> None:
        self._secrets(call, f"{message} {json.dumps(result, default=str)}")
        self._time(call)
        self._changed(call, result, message)
        if call.check:
            return
        if call.module == UPGRADE:
            self._upgrade(call, result, failed=failed)
        elif call.module == INFO:
            self._info(call, result)
        elif failed:
            self._failed_write(call, message)
        else:
            self._stored(call, result)

    def _secrets(self, call: Call, text: str) -> None:
        for value in (call.options.get("protected_settings") or {}).values():
            if len(str(value)) > 3 and str(value) in text:
                self.says("o secrets", "a protected setting is shown", call)

    def _time(self, call: Call) -> None:
        took = self.judge.azure.world.now - call.began
        if call.module == INFO:
            return
        if call.module != UPGRADE:
            most = float(call.option("timeout", TIMEOUT))
        else:
            automatic = call.first is not None and automatic_of(call.first) and call.option("state") == "completed"
            most = float(call.option("wait_for_start", AUTOMATIC_WAIT if automatic else 0))
            others = len({one for _at, one, _runs in call.looks if one})
            most += float(call.option("timeout", UPGRADE_TIMEOUT)) * max(1, others)
            most += float(call.option("health_timeout", HEALTH_TIMEOUT)) + float(call.option("poll_interval", 30)) * 2
        if took > most + SLACK:
            self.says("h waits", f"{took:.0f} s of at most {most:.0f} s", call)

    def _changed(self, call: Call, result: dict[str, Any], message: str) -> None:
        claimed = result.get("changed")
        if NOTHING_WRITTEN.search(message) and call.touched:
            self.says("g claims", f"it says {message[:200]!r}, and something was", call)
        if claimed is False and call.touched and not call.check:
            self.says("g claims", "changed is false, and something was changed", call)
        watched = self.judge.upgrade_of(result.get("upgrade_started"), call.started)
        meanwhile = watched is not None and (watched.ended is None or watched.ended >= call.began)
        meanwhile = meanwhile or any(runs for _at, _one, runs in call.looks)
        if claimed and not call.check and not (call.touched or call.writes or call.lost or meanwhile):
            self.says("g claims", "changed is true, and nothing was", call)

    # Writes of the model.

    def _failed_write(self, call: Call, message: str) -> None:
        truth = self.judge.owner.document
        if NOT_STORED.search(message) and call.writes and not self._missing(call, truth):
            self.says("g claims", f"it says {message[:200]!r}, and all of it is stored", call)
        mine = [one for one in call.writes if call.module == HEALTH and one.changes]
        if mine and sources_of(truth) != sources_of(mine[0].old) and self._unsaid(sources_of(truth), message):
            self.says("g claims", f"there are {sources_of(truth)} now, and {message[:200]!r} does not say so", call)

    @staticmethod
    def _unsaid(there: list[str], message: str) -> bool:
        text = message.lower()
        words = {"application_health_extension": "extension", "load_balancer_probe": "probe"}
        if not there:
            return not re.search(r"\b(no|none|without)\b", text)
        return not all(words[one] in text for one in there)

    def _stored(self, call: Call, result: dict[str, Any]) -> None:
        read = call.read.document if call.read else None
        if read is None:
            self.says("f read back", "exit 0, and the set was never read", call)
            return
        if call.writes and not call.read_back:
            self.says("f read back", "exit 0, and nothing was read after the last write", call)
        missing = self._missing(call, read)
        if missing:
            self.says("f read back", f"exit 0, and the set that it read last has not {missing}", call)
        self._after(call, result, read)
        self._operation(call, result)

    def _operation(self, call: Call, result: dict[str, Any]) -> None:
        bad = [one for one in call.operations[-1:] if one.status in ("Failed", "Canceled")]
        if not bad:
            return
        if call.secret_sent and not self._shown_by_the_tag(call):
            self.says("f read back", f"exit 0, and the operation ended {bad[0].status}; nobody can read them", call)
        elif call.told_bad and not (result.get("note") or result.get("notes") or result.get("warnings")):
            self.says("g claims", f"the operation ended {bad[0].status}, and nothing says so", call)

    @staticmethod
    def _shown_by_the_tag(call: Call) -> bool:
        """Whether a tag that came with the protected settings, and was not there before, shows that they are stored."""
        name = str(call.options.get("extension")).lower()
        new = {f"extensions.{name}", f"extensions.{name}.forceUpdateTag"}
        return bool(call.options.get("force_update_tag")) and any(new & one.changes.keys() for one in call.writes)

    def _missing(self, call: Call, document: Document) -> dict[str, Any]:
        """What was asked and is not in the document."""
        if call.module == POLICY:
            there, found = policy_of(document), {}
            for path, (_old, wanted) in changes({}, {"": _policy_wanted(call)}).items():
                for name, value in (wanted if isinstance(wanted, dict) else {path: wanted}).items():
                    pairs = value.items() if isinstance(value, dict) else [("", value)]
                    for member, one in pairs:
                        stored = (there.get(name) or {}).get(member) if member else there.get(name, "Manual")
                        if not _equal(member, stored, one) and not (stored is None and one in COMPLETED):
                            found[member or name] = one
            return found
        if call.module == HEALTH:
            return self._missing_source(call, document)
        return self._missing_extension(call, document)

    @staticmethod
    def _missing_source(call: Call, document: Document) -> dict[str, Any]:
        there, source = sources_of(document), call.option("source")
        if call.option("state") == "absent":
            left = [one for one in there if source in (None, one)]
            return {"absent": left} if left else {}
        found: dict[str, Any] = {} if there == [source] else {"source": source, "but": there}
        if source == "application_health_extension":
            health = next((one for one in extensions_of(document).values() if is_health(one)), {})
            settings = health.get("settings") or {}
            for option in ("protocol", "port", "request_path", "interval_in_seconds", "number_of_probes"):
                wanted = call.options.get(option)
                default = {"interval_in_seconds": 5, "number_of_probes": 1}.get(option)  # Azure's, where it says none
                if wanted is not None and str(settings.get(camel(option), default)) != str(wanted):
                    found[option] = wanted
        elif ((profile_of(document).get("networkProfile") or {}).get("healthProbe") or {}).get("id", "").lower() != str(
            call.option("probe_id")
        ).lower():
            found["probe_id"] = call.option("probe_id")
        return found

    @staticmethod
    def _missing_extension(call: Call, document: Document) -> dict[str, Any]:
        stored = extensions_of(document).get(str(call.options["extension"]).lower())
        if call.option("state") == "absent":
            return {"absent": True} if stored is not None else {}
        if stored is None:
            return {"extension": call.options["extension"]}
        found = {}
        for option in ("publisher", "type", "type_handler_version", "force_update_tag", "enable_automatic_upgrade"):
            wanted = call.options.get(option)
            if wanted is not None and stored.get(camel(option)) != wanted:
                found[option] = wanted
        settings = stored.get("settings") or {}
        given = (call.options.get("settings") or {}).items()
        return {**found, **{key: value for key, value in given if settings.get(key) != value}}

    def _after(self, call: Call, result: dict[str, Any], read: Document) -> None:
        """`after` is what was read last."""
        after = result.get("after")
        if call.module == POLICY and after:
            policy = policy_of(read)
            said, stored = after.get("mode"), mode_of(read)
            pairs = [("mode", said, stored)] if said else []
            for option, member in (("rolling_upgrade_policy", ROLLING), ("automatic_os_upgrade_policy", AUTOMATIC)):
                for key, value in (after.get(option) or {}).items():
                    there = (policy.get(member) or {}).get(camel(key))
                    pairs += [(key, value, there)] if there is not None else []
            wrong = {key: (said, there) for key, said, there in pairs if said != there}
        elif call.module == HEALTH and after is not None:
            named = sorted(key for key, value in after.items() if value)
            wrong = {} if named == sorted(set(sources_of(read))) else {"sources": (named, sources_of(read))}
        elif call.module == EXTENSION:
            wrong = self._extension_after(call, after, read)
        else:
            wrong = {}
        if wrong:
            self.says("f read back", f"after says and the set that it read last has {wrong}", call)

    @staticmethod
    def _extension_after(call: Call, after: Any, read: Document) -> dict[str, Any]:
        stored = extensions_of(read).get(str(call.options["extension"]).lower())
        if (stored is None) != (not after):
            return {"extension": (after, stored)}
        known = {key: stored.get(camel(key)) for key in (after or {})} if stored else {}
        return {key: (after[key], there) for key, there in known.items() if there is not None and there != after[key]}

    # Azure's upgrades.

    def _upgrade(self, call: Call, result: dict[str, Any], *, failed: bool) -> None:
        if not result:
            return
        meant = self._meant(call, result)
        self._looks(call, result)
        self._instances(call, result, meant)
        self._outcome(call, result, meant, failed=failed)
        if meant is not None:
            self._told(call, result, meant)
        self._down(call, result, meant)

    def _meant(self, call: Call, result: dict[str, Any]) -> RollingUpgrade | None:
        judge, said = self.judge, result.get("upgrade_started")
        given = call.option("upgrade_started")
        if given and said and judge.upgrade_of(given) is not judge.upgrade_of(said):
            self.says("e which upgrade", f"{given} was meant, and the result is about {said}", call)
        meant = judge.upgrade_of(said, call.started)
        if said and meant is None and not any(one and judge.same(one, said) for _at, one, _runs in call.looks):
            self.says("e which upgrade", f"no upgrade started at {said}", call)
        if meant is None:
            return None
        ours = meant in call.started
        shown = [judge.upgrade_of(one, call.started) for _at, one, _runs in call.looks if one]
        hidden = not ours and any(one not in shown for one in call.started)  # its own was over before Azure showed it
        if ours == bool(result.get("adopted")) and not call.lost and not given and not hidden:
            who = "this call" if ours else "somebody else"
            self.says("g claims", f"adopted is {result.get('adopted')}, and {said} was started by {who}", call)
        wanted = {"os": "os", "extensions": "extension"}[call.option("type", "os")]
        if call.option("state") != "cancelled" and not given and meant.kind != wanted:
            self.says("e which upgrade", f"{said} is an upgrade of kind {meant.kind}, asked was {wanted}", call)
        return meant

    def _looks(self, call: Call, result: dict[str, Any]) -> None:
        """`before` and `after` are looks of this call."""
        first = call.looks[0][1] if call.looks else None
        before, after = result.get("before"), result.get("after")
        if before and not (first and self.judge.same(before["started"], first)):
            self.says("f read back", f"before is of {before['started']}; first shown was {first}", call)
        shown = [one for _at, one, _runs in call.looks if one]
        if after and not any(self.judge.same(after["started"], one) for one in shown):
            self.says("f read back", f"after is of {after['started']}, which it was not shown", call)
        if after and shown and self.judge.same(after["started"], shown[-1]) and after["running"] != call.looks[-1][2]:
            self.says("f read back", f"after says running {after['running']}, which is not what it saw last", call)

    def _instances(self, call: Call, result: dict[str, Any], meant: RollingUpgrade | None) -> None:
        target = ((result.get("rollout_result") or {}).get("target_image") or {}).get("version")
        if call.option("type", "os") != "os" or not target:
            return
        wrong = []
        for key in result.get("done") or []:
            seen = call.seen.get(key)
            new_disk = seen is not None and meant is not None and seen.disk_time >= meant.started
            if seen is None or (key_of(seen.version) < key_of(target) if seen.version else not new_disk):
                wrong.append(f"{key}: {seen.version if seen else None}")
        if wrong:
            self.says("f read back", f"done are said to be {wrong}, target {target}", call)
        for key, one in ((result["rollout_result"].get("instances")) or {}).items():
            seen = call.seen.get(key)
            back = one.get("outcome") == "rolled_back"
            if seen and back and key_of(seen.version) >= key_of(target):
                self.says("f read back", f"{key} is said to be back, and it showed {seen.version}", call)
            if seen and seen.version and one.get("outcome") == "upgraded" and key_of(seen.version) < key_of(target):
                self.says("f read back", f"{key} is said to be upgraded, and it showed {seen.version}", call)

    def _outcome(self, call: Call, result: dict[str, Any], meant: RollingUpgrade | None, *, failed: bool) -> None:
        outcome, state = (result.get("rollout_result") or {}).get("outcome"), call.option("state")
        if state == "cancelled":
            self._cancelled(call, outcome, meant, failed=failed)
        elif state == "started" and not failed and not meant and outcome != "unchanged":
            self.says("g claims", "exit 0, and no upgrade was started or adopted", call)
        if not failed and state != "cancelled" and call.option("type", "os") == "os":
            finished = state == "completed" or outcome == "unchanged"
            if finished and outcome in ("upgraded", "unchanged"):
                self._all_have_it(call, result, meant, outcome)
        if failed and outcome == "failed" and meant in call.started and meant.running and not call.failing:
            took = self.judge.azure.world.now - call.began
            if took < float(call.option("timeout", UPGRADE_TIMEOUT)):
                self.says("g claims", f"failed after {took:.0f} s, and the upgrade that it started runs", call)

    def _cancelled(self, call: Call, outcome: Any, meant: RollingUpgrade | None, *, failed: bool) -> None:
        if not failed and meant is not None and meant.running:
            self.says("g claims", "exit 0, and the upgrade that was to be cancelled runs", call)
        if outcome == "upgraded" and meant is not None and meant.code != "Completed":
            self.says("g claims", f"upgraded, and the upgrade ended {meant.code}", call)

    def _all_have_it(self, call: Call, result: dict[str, Any], meant: RollingUpgrade | None, outcome: Any) -> None:
        image = (result.get("rollout_result") or {}).get("target_image") or {}
        target = image.get("version") or self.judge.newest()
        spared = {*(result.get("left_alone") or {}), *(result.get("unproven") or {})}
        since = meant.started if meant else call.began
        chosen = {
            key: seen for key, seen in call.seen.items()
            if seen.there and not seen.joining and seen.created <= since and key not in spared
        }  # fmt: skip
        chosen = {key: seen for key, seen in chosen.items() if not (seen.protected and self.judge.owner.flexible)}
        old = {key: seen.version for key, seen in chosen.items() if key_of(seen.version) < key_of(target)}
        if old and target:
            self.says("g claims", f"exit 0, {outcome}, and of target {target} they showed {old}", call)
        sick = sorted(key for key, seen in chosen.items() if seen.counted and not seen.available)
        if sick and outcome == "upgraded":
            self.says("g claims", f"exit 0, {outcome}, and {sick} were not available when it looked last", call)

    def _told(self, call: Call, result: dict[str, Any], meant: RollingUpgrade) -> None:
        reason = result.get("reason")
        code = (meant.error or {}).get("code")
        if reason and reason.get("code") != code:
            self.says("g claims", f"reason is {reason.get('code')}, and the upgrade's is {code}", call)
        by = result.get("started_by")
        if by and call.history is not None and by != "Unknown" and by != meant.started_by:
            self.says("g claims", f"started by {by}, in truth by {meant.started_by}", call)
        restored = result.get("restored")
        if restored is not None and not meant.running and restored != meant.restored:
            self.says("g claims", f"restored {restored}, in truth {meant.restored}", call)
        self._put_back(call, result, meant)

    def _put_back(self, call: Call, result: dict[str, Any], meant: RollingUpgrade) -> None:
        for part in result.get("put_back") or []:
            version = (part.get("image") or {}).get("version")
            for key in part.get("all") or []:
                one = self.judge.owner.instances.get(key)
                if one is not None and one.created > meant.started:
                    self.says("g claims", f"{key} is to be put back, and it was made meanwhile", call)
                if one is not None and key not in meant.worked_on and key not in (part.get("assumed") or []):
                    self.says("g claims", f"{key} is to be put back, and the upgrade did not work on it", call)
                before = meant.previous.get(key)
                ran = before.image.exact if before else call.ran.get(key)
                if version and ran and key not in (part.get("assumed") or []) and version != ran:
                    self.says("g claims", f"{key} is said to have run {version}, and it ran {ran}", call)

    def _down(self, call: Call, result: dict[str, Any], meant: RollingUpgrade | None) -> None:
        seen = ((result.get("rollout_result") or {}).get("unavailable") or {}).get("max_seen")
        most = max(call.most_down, meant.max_unavailable if meant else 0)
        if seen is not None and seen > most:
            self.says("g claims", f"{seen} were seen unavailable, and there were at most {most}", call)
        if seen is not None and not self.judge.owner.flexible and seen < call.least_down:
            self.says("g claims", f"{seen} were seen unavailable, and Azure showed {call.least_down}", call)

    def _info(self, call: Call, result: dict[str, Any]) -> None:
        latest = result.get("latest")
        if latest and (call.latest is None or not self.judge.same(latest["started"], call.latest)):
            self.says("f read back", f"latest is of {latest['started']}; shown was {call.latest}", call)
        told = result.get("history")
        if told is not None and call.history is not None and len(told) != len(call.history):
            self.says("f read back", f"{len(told)} upgrades in the history; shown were {len(call.history)}", call)
