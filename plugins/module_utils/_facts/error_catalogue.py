# Copyright: (c) 2026, steady.vmss contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the error catalogue of the documentation says of each code."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:  # tools/error_catalogue.py runs this file by itself
    from .codes import Code


class Entry(t.NamedTuple):
    """What the error catalogue says of a code."""

    meaning: str
    remedy: str


# By section of the catalogue.
CATALOGUE: dict[str, dict[Code, Entry]] = {
    "Options": {
        "option_invalid": Entry(
            "An option has a value that is not valid.", "Correct the option that the message names."
        ),
        "options_conflict": Entry("Two options exclude each other.", "Omit one of them, as the message says."),
        "nothing_asked": Entry(
            "No option says what is to change.", "Give at least one of the options that the message names."
        ),
        "requirements_missing": Entry(
            "ansible-core, or the Python or a package of the Azure SDK where the module runs, is missing or too old.",
            "Run the command that the message names.",
        ),
        "instance_ids_invalid": Entry(
            "An action had no plain instance ids, which means all instances to Azure.",
            "Name each instance.",
        ),
        "selection_not_found": Entry(
            "The scale set has no such instance, domain or zone.", "Choose one that the message lists."
        ),
        "journal_not_writable": Entry("The journal cannot be written.", "Name a directory that can be written to."),
        "journal_not_readable": Entry(
            "The journal is of a schema that this release does not read.",
            "Read it with the release that wrote it.",
        ),
        "hook_not_found": Entry(
            "A task file was not found.",
            "Put the file beside the playbook, or give its whole path.",
        ),
        "memory_not_usable": Entry(
            "The module rollout got a memory of another release, or one that is not valid.",
            "Start the rollout again without it; the module reads from Azure where the earlier run stopped.",
        ),
        "variables_overridden": Entry(
            "Extra variables override those that the role sets itself.", "Omit the named variables."
        ),
        "variable_unknown": Entry(
            "A variable has a prefix of the roles and playbooks, and none of them has a variable of this name.",
            "Correct its name as the message suggests, or give a variable of your own another prefix.",
        ),
        "rollout_nested": Entry(
            "A task file of a rollout uses a role of this collection.",
            "Run that role in a play of its own, before or after the rollout.",
        ),
        "several_hosts": Entry(
            "The play would run the same rollout once for each of its hosts.",
            "Set hosts: localhost in the play, or run_once: true on the task that includes the role.",
        ),
    },
    "Sign-in": {
        "auth_source_unknown": Entry("This auth_source does not exist.", "Choose one of those that the message lists."),
        "credentials_mixed": Entry(
            "Parts of one credential come from different places.", "Give client_id, secret and tenant in one place."
        ),
        "credentials_incomplete": Entry("A part of the credential is not set.", "Set what the message names."),
        "credentials_not_found": Entry(
            "No credentials were found.", "Give client_id, secret and tenant, or sign in with 'az login'."
        ),
        "password_not_supported": Entry(
            "A user name and password cannot be used to sign in.", "Use a service principal."
        ),
        "certificate_not_usable": Entry("The client certificate cannot be read.", "Correct its path or its password."),
        "profile_not_found": Entry(
            "~/.azure/credentials has no such profile.", "Correct the name or write the profile."
        ),
        "subscription_missing": Entry(
            "No subscription is named.",
            "Give subscription_id (rollout_subscription_id in playbooks), or choose one with 'az account set'.",
        ),
        "tenant_not_found": Entry("Microsoft Entra does not know the tenant.", "Correct the tenant, or the cloud."),
        "sign_in_refused": Entry(
            "Microsoft Entra refused the sign-in.", "Look up the AADSTS code that is in error.code."
        ),
        "sign_in_failed": Entry("The sign-in got no answer.", "See the message; retry once the cause is fixed."),
    },
    "Azure": {
        "azure_refused": Entry(
            "Azure refused the request.",
            "See Azure's own code and message in error, and in the module's message.",
        ),
        "azure_conflict": Entry(
            "Another operation on the scale set blocked this one until the timeout.",
            "Wait until it has ended, then retry.",
        ),
        "azure_precondition": Entry(
            "The scale set changed between the read and the write, each time until the timeout.",
            "Find out which client keeps writing, then retry.",
        ),
        "azure_throttled": Entry(
            "Azure throttled the requests until the timeout.", "Retry later, or with fewer scale sets at a time."
        ),
        "azure_denied": Entry(
            "The principal lacks a permission.", "Assign the role that the README lists under Permissions."
        ),
        "azure_not_found": Entry(
            "What was asked for does not exist, or the principal may not see it.",
            "Correct the name, the resource group or the subscription.",
        ),
        "azure_unanswered": Entry(
            "Azure gave no answer that can be read.", "Retry: the state is read again before anything is sent."
        ),
        "azure_failed": Entry(
            "Azure's operation failed, for the reason that Azure gives.",
            "See Azure's own code and message; retry once the cause is fixed.",
        ),
        "certificate_not_trusted": Entry(
            "The server's certificate cannot be verified.", "Name its authority's certificate in REQUESTS_CA_BUNDLE."
        ),
        "cloud_not_usable": Entry("The cloud's endpoint or its metadata cannot be used.", "Correct cloud_environment."),
        "address_not_trusted": Entry(
            "A resource id, or an address in an answer, does not point to an Azure resource.",
            "Correct the id; if you did not give it, check which server answers as Azure.",
        ),
    },
    "Image": {
        "image_invalid": Entry("This names no image.", "Write one of the forms that the message lists."),
        "image_incomplete": Entry(
            "Parts of the image are missing, and the model does not supply them.",
            "Give publisher, offer, sku and version.",
        ),
        "image_type": Entry(
            "Azure does not change the type of a scale set's image.",
            "Create a scale set with the new type, and move the load to it.",
        ),
        "image_not_found": Entry(
            "The image does not exist in the region, or may not be read.",
            "List the images with steady.vmss.image_info.",
        ),
        "image_not_usable": Entry(
            "No version, or not this one, can be used in the region.",
            "Replicate it there, wait until it is ready, or do not exclude it from latest.",
        ),
        "image_without_versions": Entry(
            "A managed image or VHD has no versions.", "Ask for a platform or gallery image."
        ),
        "image_custom": Entry(
            "A custom image gets Azure's own upgrades only from a gallery.",
            "Put the image into a gallery and create a scale set from there.",
        ),
        "image_pinned": Entry(
            "The model pins a version, and Azure's own upgrades need one that follows the newest.",
            "Write the image without a version, or with latest, into the model.",
        ),
        "instances_pinned": Entry(
            "The model follows the newest version, and no instance that Azure may upgrade has that model yet.",
            "Bring an instance to the model with steady.vmss.instance_upgrade and whole_model: true.",
        ),
        "image_support_unknown": Entry(
            "The platform image is not in the known list of images with automatic upgrades.",
            "Compare Microsoft's list of supported images.",
        ),
        "image_not_checked": Entry(
            "The image's versions could not be read.", "Grant the permission, or check them yourself."
        ),
        "image_version_held_back": Entry(
            "A newer version exists and will not be installed.", "See the reason in the message."
        ),
        "image_architecture": Entry(
            "The image has another processor architecture than the one it replaces.",
            "Choose an image of the same architecture.",
        ),
        "image_generation": Entry(
            "The image has another hypervisor generation than the one it replaces.",
            "Choose an image of the same generation.",
        ),
        "image_retired": Entry(
            "The image is deprecated or past its end of life, or will be.", "Choose another image, or a newer version."
        ),
        "previous_image_retired": Entry(
            "The image to go back to is deprecated or past its end of life.", "Name another one with rollback_image."
        ),
        "image_specialized": Entry(
            "The image is specialized, and the model has an osProfile.", "Choose a generalized image."
        ),
        "image_disk_size": Entry(
            "The image's OS disk is larger than the model asks for.", "Raise osDisk.diskSizeGB, or take a smaller one."
        ),
        "image_security_type": Entry(
            "The image and the security type do not go together.",
            "Set rollout_security_type, or choose another image; see the message.",
        ),
        "security_type": Entry(
            "The security type changes with the image; as a refusal: no image would be written with it.",
            "Nothing; of a refusal, choose another image.",
        ),
        "security_type_data_disks": Entry(
            "The model has data disks, and Trusted Launch then comes only with new instances.",
            "Use Azure's rolling upgrade with maxSurge, or create a scale set of that type.",
        ),
        "os_type": Entry(
            "The image has another operating system than the scale set.",
            "Choose an image of the same operating system type.",
        ),
        "purchase_plan": Entry(
            "The image is sold under another plan than the scale set carries.",
            "Create a scale set with that plan, or choose an image under the set's.",
        ),
        "vhd_without_sas": Entry(
            "The VHD is named without a SAS, and the model's has one.", "Give the whole URI, unless the VHD needs none."
        ),
        "previous_image": Entry(
            "The outdated instances run several images.", "Nothing; a rollback goes to the most common one."
        ),
        "rollback_image_unknown": Entry("No trusted source names the image to roll back to.", "Give rollback_image."),
    },
    "Model": {
        "model_missing": Entry(
            "The scale set has no VM profile: its VMs were created one by one.",
            "Give it a VM profile, or replace the VMs one by one.",
        ),
        "model_without_image": Entry("The model names no image.", "Give an image, or write one into the model."),
        "model_not_pinned": Entry(
            "The model follows the newest version, so Azure reports every instance as up to date.",
            "Write an exact version first.",
        ),
        "model_names_another_image": Entry(
            "The model names another image than was asked for.", "Write the model first, with steady.vmss.image."
        ),
        "model_members_lost": Entry(
            "A member of the model is missing or changed since the image was written.",
            "Restore what lost shows, then run the same again.",
        ),
        "image_changed": Entry(
            "Another client wrote another image into the model.", "Find out who, then run the same again."
        ),
        "write_not_stored": Entry(
            "Azure accepted the write but does not show it.", "Do it manually, as the message says, or retry."
        ),
        "write_taken_back": Entry(
            "Azure accepted the write several times, and each time it was cancelled or reverted.",
            "See in the activity log who else writes.",
        ),
        "scale_set_updating": Entry(
            "Another client's write to the scale set did not end in time.", "Wait until it has ended, then retry."
        ),
        "tags_full": Entry("The scale set has no room for the rollout record's tags.", "Remove some of its tags."),
        "extension_incomplete": Entry("A new extension lacks an option that it needs.", "Give what the message names."),
        "protected_settings_unknown": Entry(
            "Nothing shows whether Azure has stored the protected settings.",
            "Run the same again with a force_update_tag.",
        ),
        "expired_sas": Entry("A signed URI in the model has expired.", "Write a new one into the model."),
        "key_vault": Entry(
            "The model refers to key vaults, which were not checked.", "Make sure that Azure can read them."
        ),
        "windows_updates": Entry("Windows Update is on in the model.", "Turn enableAutomaticUpdates off."),
        "patch_mode": Entry(
            "The patch mode excludes automatic OS image upgrades.", "Set the one that the message names."
        ),
    },
    "Upgrade policy": {
        "azure_would_upgrade": Entry(
            "In this upgrade mode Azure applies a new model to the instances itself.",
            "Set the mode to Manual first, or set azure_may_upgrade.",
        ),
        "upgrade_mode": Entry(
            "In this upgrade mode Azure applies a new image itself.", "Set rollout_upgrade_mode: Manual."
        ),
        "automatic_os_upgrade": Entry(
            "Automatic OS image upgrades are on.", "Let Azure upgrade, or turn them off first."
        ),
        "behind": Entry(
            "Instances do not have, or are not proven to have, the newest model.",
            "Bring them to it with steady.vmss.instance_upgrade and whole_model, where the finding is an error.",
        ),
        "batch_above_unhealthy": Entry(
            "A batch is larger than what may be unhealthy.",
            "Raise max_unhealthy_instance_percent, or make batches smaller.",
        ),
        "rollback_flexible": Entry(
            "Azure cannot roll failed instances of a Flexible scale set back.",
            "Keep rollback_failed_instances_on_policy_breach false.",
        ),
        "max_surge_flexible": Entry(
            "On a Flexible scale set automatic upgrades and max surge exclude each other.", "Set max_surge to false."
        ),
        "service_fabric": Entry("Service Fabric manages the scale set.", "Upgrade it through Service Fabric."),
        "service_fabric_mode": Entry("Service Fabric needs upgrade mode Automatic.", "Keep the mode Automatic."),
        "service_fabric_probe": Entry(
            "Azure refuses a load balancer probe on a Service Fabric scale set.", "Remove the probe."
        ),
        "service_fabric_durability": Entry(
            "The durability is too low for Azure's own upgrades.",
            "Raise it to Silver or Gold in cluster and extension.",
        ),
        "service_fabric_version": Entry(
            "The Service Fabric extension is too old.", "Set typeHandlerVersion 1.1 or newer."
        ),
        "service_fabric_mismatch": Entry(
            "The cluster and the extension have different durability levels.", "Make them the same."
        ),
        "service_fabric_not_checked": Entry(
            "The cluster's durability could not be read.", "Grant the permission, or check it yourself."
        ),
        "not_ready": Entry(
            "The scale set lacks what Azure's own upgrades need.", "See each finding and its remedy in findings."
        ),
    },
    "Health source": {
        "no_health_source": Entry("The scale set has no health source.", "Add one with steady.vmss.health_monitor."),
        "health_sources": Entry(
            "The scale set has more than one health source.", "Choose one with steady.vmss.health_monitor and replace."
        ),
        "health_source_taken": Entry(
            "The scale set has another health source, and Azure takes only one.",
            "Set replace: true, or remove the other one first.",
        ),
        "health_source_needed": Entry(
            "A feature of the scale set needs the health source that is to be removed.",
            "Turn off first what the message names.",
        ),
        "health_source_half_replaced": Entry(
            "Of the two writes of a replacement only one has been done.", "Continue as the message says."
        ),
        "probe_flexible": Entry(
            "A Flexible scale set does not support a load balancer probe.", "Use the Application Health extension."
        ),
        "probe_interval": Entry("The probe interval is too long.", "Set intervalInSeconds below 120."),
        "probe_shared": Entry(
            "The probe also decides where traffic goes.", "Use a separate probe for the health of the instances."
        ),
        "probe_not_checked": Entry("The probe could not be read.", "Grant the permission, or check it yourself."),
        "load_balancer_basic": Entry(
            "The probe belongs to a Basic load balancer, which does not serve several placement groups.",
            "Use a Standard load balancer or the Application Health extension.",
        ),
    },
    "Preflight": {
        "preflight_failed": Entry(
            "The preflight check found errors; nothing was written.",
            "See each finding and its remedy in findings.",
        ),
        "managed_elsewhere": Entry(
            "Another service owns the scale set and manages its image.",
            "Upgrade it through that service, or set rollout_managed_elsewhere.",
        ),
        "other_rollout": Entry("The scale set is in another rollout.", "Finish that one, or set rollout_take_over."),
        "rolling_upgrade_running": Entry("A rolling upgrade of Azure's is running.", "Wait for it, or cancel it."),
        "automatic_repairs": Entry(
            "Automatic repairs may replace an instance that is being upgraded.", "Keep rollout_suspend_services on."
        ),
        "canary": Entry("The canary adds a batch.", "Nothing; rollout_canary: 0 turns it off."),
        "too_many_unhealthy": Entry(
            "More instances are unhealthy than max_unhealthy allows.", "Fix them, or raise rollout_max_unhealthy."
        ),
        "unhealthy_on_target": Entry(
            "Instances that run the target image already are not available.",
            "Fix them, or raise rollout_max_unhealthy_upgraded.",
        ),
        "protected": Entry(
            "Outdated instances are protected from the scale set's actions.",
            "Remove the protection, or set rollout_protected: skip.",
        ),
        "newer": Entry("Instances run a newer version than the target.", "Set rollout_downgrade to roll them back."),
        "unproven": Entry(
            "Nothing proves what is on the disks of some instances.",
            "Nothing; rollout_unproven: reimage gives them a new disk.",
        ),
        "unavailable": Entry("Some instances are unavailable already.", "Nothing; those that are outdated go first."),
        "skipped": Entry("Some outdated instances are skipped.", "See the reason of each."),
        "all_down": Entry(
            "All instances may be down at once.", "Scale out first where the load must be served all the time."
        ),
        "half_down": Entry(
            "One of two instances serves alone while the other is upgraded.",
            "Scale out first where one instance cannot serve the load.",
        ),
        "no_instances": Entry("The scale set has no running instances.", "Nothing; only the model changes."),
        "permission_missing": Entry(
            "The principal's roles do not allow an action that the rollout needs, or, as a note, may need.",
            "Assign the role that the message names, or add the action to the custom role.",
        ),
        "permissions_not_checked": Entry(
            "What the principal may do could not be read, or not all of it.",
            "Nothing; Microsoft.Authorization/permissions/read allows this check before anything is written.",
        ),
    },
    "Rollout": {
        "cancelled": Entry(
            "The play that started the work has ended, or asked to cancel it.", "Run the same again to continue."
        ),
        "rollout_changed": Entry(
            "Another controller started a rollout on the scale set at the same time.", "Let one of them finish."
        ),
        "rollout_ended": Entry("Another controller ended this rollout.", "See how it ended, and start again."),
        "instances_failed": Entry(
            "Upgraded instances failed.", "See the reason of each; fix the cause, then run the same again or roll back."
        ),
        "instances_busy": Entry(
            "Instances were still changed by another client or an earlier run when the timeout passed.",
            "Wait until the changes have finished, then run the same again. rollout_busy: skip continues without what "
            "another client changes.",
        ),
        "max_unavailable_reached": Entry(
            "The allowed number of instances was unavailable until the timeout.",
            "Fix them, or raise rollout_max_unavailable.",
        ),
        "work_not_started": Entry(
            "Azure accepted requests but did not start the work until the timeout.", "Run the same again later."
        ),
        "hook_failed": Entry("A task of yours failed.", "Fix what it found, then run the same again."),
        "instances_keep_appearing": Entry(
            "Instances of the old image kept appearing.", "Find out who creates them, then run the same again."
        ),
        "instances_unproven": Entry(
            "The rollout has ended, and nothing proves that some instances run the image.",
            "Run the same again with rollout_unproven: reimage.",
        ),
        "task_failed": Entry(
            "A task ended without a code, for example because the module was killed.",
            "See its message, then run the same again.",
        ),
    },
    "Azure's own upgrades": {
        "upgrade_stopped": Entry(
            "Azure stopped its upgrade.", "See Azure's reason in reason, fix it, and start again."
        ),
        "upgrade_cancelled": Entry("The upgrade was cancelled.", "Start it again if that was not intended."),
        "upgrade_not_started": Entry(
            "Azure did not start an upgrade by itself in time.", "Wait longer, or start it manually."
        ),
        "upgrade_tried_before": Entry(
            "Azure already tried this version automatically and stopped.", "Fix the reason, then start it manually."
        ),
        "upgrade_not_shown": Entry(
            "Azure's operation continues, but Azure shows no upgrade.",
            "See the scale set in the portal, then run the same again.",
        ),
        "upgrade_not_ended": Entry("The upgrade still runs.", "Run the same again to wait further, or cancel it."),
        "upgrade_end_unknown": Entry(
            "Another upgrade has replaced it, and its result is not known.", "See what the instances run."
        ),
        "upgrade_mistaken": Entry(
            "The upgrade had ended, and the cancellation applied to another one.", "Start that one again."
        ),
        "upgrade_of_another_type": Entry(
            "upgrade_started names an upgrade of the other type.",
            "Set that type, or omit upgrade_started.",
        ),
        "upgrade_incomplete": Entry(
            "Azure reports the upgrade as completed, but instances do not run the image or are not available.",
            "See the reason of each instance.",
        ),
        "automatic_upgrades_off": Entry(
            "Automatic OS upgrades were turned off while an upgrade was expected.",
            "Turn them on again, or start one manually.",
        ),
    },
    "Instances": {
        "protection_not_shown": Entry(
            "Azure does not show whether the instance is protected.",
            "Set the protection manually, as the message says.",
        ),
        "service_not_running": Entry("The scale set does not run this service any more.", "Turn the service on first."),
        "event_not_found": Entry(
            "There is no such lifecycle hook event, or none about this instance.",
            "Choose one that the message lists.",
        ),
        "event_closed": Entry("The event was answered already, or has ended.", "Nothing can be changed about it."),
        "event_delay_too_long": Entry(
            "Azure does not wait so long for the event.", "Choose a time up to the one that the message names."
        ),
    },
}
