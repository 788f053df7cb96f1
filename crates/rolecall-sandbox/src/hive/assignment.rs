//! Assigned resources, in three forms: as sent, as stored and as shown.

use async_graphql::{Enum, ID, InputObject, SimpleObject};
use serde::{Deserialize, Serialize};

use super::nodes::{Project, Target};
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

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "ResourceAssignmentModeType")]
pub enum Mode {
    All,
    Granular,
}

#[derive(InputObject)]
pub struct ResourceAssignmentInput {
    mode: Mode,
    projects: Option<Vec<ProjectResourceAssignmentInput>>,
}

#[derive(InputObject)]
struct ProjectResourceAssignmentInput {
    project_id: ID,
    targets: ProjectTargetsResourceAssignmentInput,
}

#[derive(InputObject)]
struct ProjectTargetsResourceAssignmentInput {
    mode: Mode,
    targets: Option<Vec<TargetResourceAssignmentInput>>,
}

#[derive(InputObject)]
struct TargetResourceAssignmentInput {
    target_id: ID,
    services: TargetServicesResourceAssignmentInput,
    app_deployments: TargetAppDeploymentsResourceAssignmentInput,
}

#[derive(InputObject)]
struct TargetServicesResourceAssignmentInput {
    mode: Mode,
    services: Option<Vec<ServiceResourceAssignmentInput>>,
}

#[derive(InputObject)]
struct ServiceResourceAssignmentInput {
    service_name: String,
}

#[derive(InputObject)]
struct TargetAppDeploymentsResourceAssignmentInput {
    mode: Mode,
    app_deployments: Option<Vec<AppDeploymentResourceAssignmentInput>>,
}

#[derive(InputObject)]
struct AppDeploymentResourceAssignmentInput {
    app_deployment: String,
}

impl World {
    /// Converts an assignment to its stored form. Nothing is refused: unknown projects and targets are left out.
    pub(super) fn stored_assignment(&self, sent: ResourceAssignmentInput) -> Assignment {
        // Measured on Hive 8.1.2: a granular assignment without a list of projects reaches everything.
        let (Mode::Granular, Some(sent)) = (sent.mode, sent.projects) else {
            return Scope::All;
        };
        let store_project = |sent: ProjectResourceAssignmentInput| {
            let project = self.projects.iter().find(|project| project.id == *sent.project_id)?;
            let targets = self.stored_targets(project, sent.targets);
            Some(AssignedProject { id: project.id.clone(), targets })
        };
        Scope::Granular(sent.into_iter().filter_map(store_project).collect())
    }

    /// Converts the targets of a project. Unlike above, a missing list of targets means that none are assigned.
    fn stored_targets(
        &self,
        project: &WorldProject,
        sent: ProjectTargetsResourceAssignmentInput,
    ) -> Scope<AssignedTarget> {
        if sent.mode == Mode::All {
            return Scope::All;
        }
        let store_target = |sent: TargetResourceAssignmentInput| {
            let target = project.targets.iter().find(|target| target.id == *sent.target_id)?;
            let services = match sent.services.mode {
                Mode::Granular if project.kind != ProjectKind::Single => Scope::Granular(
                    sent.services.services.into_iter().flatten().map(|sent| sent.service_name).collect(),
                ),
                Mode::All | Mode::Granular => Scope::All,
            };
            let kept = |name: &String| self.switches.app_deployments_kept && is_app_deployment_name(name);
            let app_deployments = match sent.app_deployments.mode {
                Mode::All => Scope::All,
                Mode::Granular => Scope::Granular(
                    sent.app_deployments
                        .app_deployments
                        .into_iter()
                        .flatten()
                        .map(|sent| sent.app_deployment)
                        .filter(kept)
                        .collect(),
                ),
            };
            Some(AssignedTarget { id: target.id.clone(), services, app_deployments })
        };
        Scope::Granular(sent.targets.into_iter().flatten().filter_map(store_target).collect())
    }

    /// Converts a stored assignment to the form that is shown, without deleted projects and targets.
    pub(super) fn shown_assignment(&self, assignment: &Assignment) -> ResourceAssignment {
        let projects = match assignment {
            Scope::All => None,
            Scope::Granular(assigned) => Some(assigned.iter().filter_map(|it| self.shown_project(it)).collect()),
        };
        ResourceAssignment { mode: mode(assignment), projects }
    }

    fn shown_project(&self, assigned: &AssignedProject) -> Option<ProjectResourceAssignment> {
        let project = self.projects.iter().find(|project| project.id == assigned.id)?;
        let targets = match &assigned.targets {
            Scope::All => None,
            Scope::Granular(assigned) => {
                Some(assigned.iter().filter_map(|it| shown_target(project, it)).collect())
            }
        };
        Some(ProjectResourceAssignment {
            project_id: project.id.clone().into(),
            project: Project(project.clone()),
            targets: ProjectTargetsResourceAssignment { mode: mode(&assigned.targets), targets },
        })
    }
}

fn shown_target(project: &WorldProject, assigned: &AssignedTarget) -> Option<TargetResourceAssignment> {
    let target = project.targets.iter().find(|target| target.id == assigned.id)?;
    Some(TargetResourceAssignment {
        target_id: target.id.clone().into(),
        target: Target::of(target),
        services: TargetServicesResourceAssignment {
            mode: mode(&assigned.services),
            services: names(&assigned.services),
        },
        app_deployments: TargetAppDeploymentsResourceAssignment {
            mode: mode(&assigned.app_deployments),
            app_deployments: names(&assigned.app_deployments),
        },
    })
}

fn mode<T>(scope: &Scope<T>) -> Mode {
    match scope {
        Scope::All => Mode::All,
        Scope::Granular(_) => Mode::Granular,
    }
}

fn names(scope: &Scope<String>) -> Option<Vec<String>> {
    match scope {
        Scope::All => None,
        Scope::Granular(names) => Some(names.clone()),
    }
}

fn is_app_deployment_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

#[derive(SimpleObject)]
pub struct ResourceAssignment {
    mode: Mode,
    projects: Option<Vec<ProjectResourceAssignment>>,
}

#[derive(SimpleObject)]
struct ProjectResourceAssignment {
    project_id: ID,
    project: Project,
    targets: ProjectTargetsResourceAssignment,
}

#[derive(SimpleObject)]
struct ProjectTargetsResourceAssignment {
    mode: Mode,
    targets: Option<Vec<TargetResourceAssignment>>,
}

/// A target of an assignment. The platform misspells the name of this type.
#[derive(SimpleObject)]
#[graphql(name = "TargetResouceAssignment")]
struct TargetResourceAssignment {
    target_id: ID,
    target: Target,
    services: TargetServicesResourceAssignment,
    app_deployments: TargetAppDeploymentsResourceAssignment,
}

#[derive(SimpleObject)]
struct TargetServicesResourceAssignment {
    mode: Mode,
    services: Option<Vec<String>>,
}

#[derive(SimpleObject)]
struct TargetAppDeploymentsResourceAssignment {
    mode: Mode,
    app_deployments: Option<Vec<String>>,
}
