//! Assigned resources, in three forms: as sent, as stored and as shown.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::world::{ProjectKind, World, WorldProject};

/// All resources of a kind, or a list of them in the order sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope<T> {
    All,
    Granular(Vec<T>),
}

pub type Assignment = Scope<AssignedProject>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignedProject {
    pub id: String,
    pub targets: Scope<AssignedTarget>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignedTarget {
    pub id: String,
    pub services: Scope<String>,
    pub app_deployments: Scope<String>,
}

impl Assignment {
    pub(super) fn reaches(&self, project: &str) -> bool {
        match self {
            Self::All => true,
            Self::Granular(projects) => projects.iter().any(|assigned| assigned.id == project),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Mode {
    All,
    Granular,
}

/// A list of resources as sent, at each of the four levels. Each level has a name of its own for the list.
#[derive(Deserialize)]
pub struct Sent<T> {
    mode: Mode,
    #[serde(
        default = "Option::default",
        alias = "projects",
        alias = "targets",
        alias = "services",
        alias = "appDeployments"
    )]
    list: Option<Vec<T>>,
}

pub type SentAssignment = Sent<SentProject>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SentProject {
    project_id: String,
    targets: Sent<SentTarget>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentTarget {
    target_id: String,
    services: Sent<SentService>,
    app_deployments: Sent<SentAppDeployment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentService {
    service_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentAppDeployment {
    app_deployment: String,
}

impl<T> Sent<T> {
    /// Converts a list to its stored form. Items for which `store` returns `None` are left out. A missing list is
    /// empty.
    fn stored<S>(self, store: impl FnMut(T) -> Option<S>) -> Scope<S> {
        match self.mode {
            Mode::All => Scope::All,
            Mode::Granular => Scope::Granular(self.list.into_iter().flatten().filter_map(store).collect()),
        }
    }
}

impl World {
    /// Converts an assignment to its stored form. Nothing is refused: unknown projects and targets are left out.
    pub(super) fn stored_assignment(&self, sent: SentAssignment) -> Assignment {
        // Measured on Hive 8.1.2: a granular assignment without a list of projects reaches everything.
        if sent.list.is_none() {
            return Scope::All;
        }
        sent.stored(|SentProject { project_id, targets }| {
            let project = self.projects.iter().find(|project| project.id == project_id)?;
            let targets = targets.stored(|target| self.stored_target(project, target));
            Some(AssignedProject { id: project_id, targets })
        })
    }

    fn stored_target(&self, project: &WorldProject, sent: SentTarget) -> Option<AssignedTarget> {
        let target = project.targets.iter().find(|target| target.id == sent.target_id)?;
        let services = if project.kind == ProjectKind::Single {
            Scope::All
        } else {
            sent.services.stored(|sent| Some(sent.service_name))
        };
        let app_deployments = sent.app_deployments.stored(|SentAppDeployment { app_deployment: name }| {
            (self.switches.app_deployments_kept && is_app_deployment_name(&name)).then_some(name)
        });
        Some(AssignedTarget { id: target.id.clone(), services, app_deployments })
    }

    /// Converts a stored assignment to the form that is shown, without deleted projects and targets.
    pub(super) fn shown_assignment(&self, assignment: &Assignment) -> Value {
        shown("projects", assignment, |assigned| {
            let project = self.projects.iter().find(|project| project.id == assigned.id)?;
            let targets = shown("targets", &assigned.targets, |assigned| {
                let target = project.targets.iter().find(|target| target.id == assigned.id)?;
                Some(json!({
                    "targetId": target.id,
                    "target": target.shown(),
                    "services": shown("services", &assigned.services, |name| Some(json!(name))),
                    "appDeployments": shown("appDeployments", &assigned.app_deployments, |name| Some(json!(name))),
                }))
            });
            Some(json!({ "projectId": project.id, "project": project.shown(), "targets": targets }))
        })
    }
}

/// Shows a list of resources: its mode, and its items as `list`. Items for which `show` returns `None` are left out.
fn shown<T>(list: &str, scope: &Scope<T>, show: impl FnMut(&T) -> Option<Value>) -> Value {
    match scope {
        Scope::All => json!({ "mode": "ALL", list: null }),
        Scope::Granular(items) => {
            let items: Vec<Value> = items.iter().filter_map(show).collect();
            json!({ "mode": "GRANULAR", list: items })
        }
    }
}

fn is_app_deployment_name(name: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    (1..=64).contains(&name.len()) && name.chars().all(allowed)
}
