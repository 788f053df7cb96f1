//! Converts resource assignments between the model and the API.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::wire::{AssignedProject, AssignedTarget, Mode, WireResources};
use rolecall_model::{ProjectReach, Reach, RemoteId, Resources, Slug, TargetReach};

/// Converts an assignment that was read. Order and duplicates mean nothing. With the mode `ALL` lists are null.
pub(super) fn from_wire(wire: WireResources) -> Resources {
    if wire.mode == Mode::All {
        return Reach::All;
    }
    let mut resources = Resources::none();
    for AssignedProject { project_id, project, targets } in wire.projects.unwrap_or_default() {
        let targets = match targets.mode {
            Mode::All => Reach::All,
            Mode::Granular => {
                let mut reach = Reach::Only(BTreeMap::new());
                for target in targets.targets.unwrap_or_default() {
                    let AssignedTarget { target_id, target, services, app_deployments } = target;
                    let target_reach = TargetReach {
                        id: RemoteId::seen(target_id),
                        services: names(services.mode, services.services),
                        app_deployments: names(app_deployments.mode, app_deployments.app_deployments),
                    };
                    reach.add(Slug::seen(target.slug), target_reach);
                }
                reach
            }
        };
        resources.add(Slug::seen(project.slug), ProjectReach { id: RemoteId::seen(project_id), targets });
    }
    resources
}

fn names(mode: Mode, names: Option<Vec<String>>) -> Reach<BTreeSet<String>> {
    match mode {
        Mode::All => Reach::All,
        Mode::Granular => Reach::Only(names.unwrap_or_default().into_iter().collect()),
    }
}

/// Converts an assignment to be sent. It writes every list, even an empty one: the server stores `GRANULAR`
/// without `projects` as `ALL`, which would give access to everything (measured on Hive 8.1.2).
pub(super) fn to_wire(resources: &Resources) -> Value {
    let Reach::Only(projects) = resources else { return json!({ "mode": "ALL" }) };
    let projects: Vec<Value> = projects
        .values()
        .map(|ProjectReach { id, targets }| json!({ "projectId": id, "targets": targets_to_wire(targets) }))
        .collect();
    json!({ "mode": "GRANULAR", "projects": projects })
}

fn targets_to_wire(targets: &Reach<BTreeMap<Slug, TargetReach>>) -> Value {
    let Reach::Only(targets) = targets else { return json!({ "mode": "ALL" }) };
    let targets: Vec<Value> = targets
        .values()
        .map(|TargetReach { id, services, app_deployments }| {
            json!({
                "targetId": id,
                "services": names_to_wire(services, "services", "serviceName"),
                "appDeployments": names_to_wire(app_deployments, "appDeployments", "appDeployment"),
            })
        })
        .collect();
    json!({ "mode": "GRANULAR", "targets": targets })
}

fn names_to_wire(names: &Reach<BTreeSet<String>>, list: &str, field: &str) -> Value {
    let Reach::Only(names) = names else { return json!({ "mode": "ALL" }) };
    let names: Vec<Value> = names.iter().map(|name| json!({ field: name })).collect();
    json!({ "mode": "GRANULAR", list: names })
}
