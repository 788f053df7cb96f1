//! What people do in the web app, or with a link: the public API has no mutations for it.

use jiff::Timestamp;

use super::assignment::Assignment;
use super::world::{AuthProvider, World, WorldInvitation, WorldMember, WorldRole};
use crate::switch::Switch;

/// The events of this sandbox, which are written like the settings of switches.
pub const EVENTS: &[Switch] = &[
    Switch {
        name: "accept",
        values: &["EMAIL", "EMAIL,ACCOUNT"],
        about: "The invitation of EMAIL is accepted, by the account with the address ACCOUNT.",
    },
    Switch { name: "expire", values: &["EMAIL"], about: "The invitation of EMAIL expires." },
    Switch { name: "remove", values: &["EMAIL"], about: "The member is removed from the organisation." },
    Switch { name: "owner", values: &["EMAIL"], about: "The member becomes the owner, with the role Admin." },
    Switch {
        name: "foreign-role",
        values: &["EMAIL,ROLE"],
        about: "The member or invitation has a role of another organisation, as Hive 8.1.2 allows.",
    },
    Switch {
        name: "rename-target",
        values: &["PROJECT/TARGET,SLUG"],
        about: "The target has another slug. Projects can be renamed with the public API.",
    },
];

impl World {
    /// Lets an event happen. Returns `None` if there is no event of this name.
    pub(super) fn happen(&mut self, event: &str, value: &str, now: Timestamp) -> Option<Result<(), String>> {
        let (first, second) = value.split_once(',').map_or((value, None), |(first, second)| (first, Some(second)));
        Some(match (event, second) {
            ("accept", account) => self.accept_as(first, account.unwrap_or(first), now),
            ("expire", None) => self.expire(first, now),
            ("remove", None) => self.remove(first),
            ("owner", None) => self.transfer(first),
            ("foreign-role", Some(role)) => self.give_foreign_role(first, role),
            ("rename-target", Some(slug)) => self.rename_target(first, slug),
            (name, _) => {
                let event = EVENTS.iter().find(|known| known.name == name)?;
                Err(format!("`{name}={value}` has another form. Write {}: {}", event.syntax(), event.about))
            }
        })
    }

    fn open_invitation(&self, email: &str, now: Timestamp) -> Result<usize, String> {
        let open = |invitation: &WorldInvitation| invitation.email == email && invitation.expires_at > now;
        self.invitations.iter().position(open).ok_or_else(|| format!("`{email}` has no open invitation"))
    }

    fn member_at(&self, email: &str) -> Result<usize, String> {
        let found = self.members.iter().position(|member| member.email.eq_ignore_ascii_case(email));
        found.ok_or_else(|| format!("`{email}` is no member"))
    }

    /// The account of a link that somebody else uses may have the address of a member, who then has two accounts.
    fn accept_as(&mut self, email: &str, account: &str, now: Timestamp) -> Result<(), String> {
        let at = self.open_invitation(email, now)?;
        let invitation = self.invitations.remove(at);
        self.join(invitation, account);
        Ok(())
    }

    /// Adds the member who accepts an invitation.
    pub(super) fn join(&mut self, invitation: WorldInvitation, account: &str) {
        let WorldInvitation { role_id, resources, created_at, .. } = invitation;
        let has_account = self.member_at(account).is_ok();
        let user_id = self.next_id();
        self.members.push(WorldMember {
            user_id,
            display_name: account.split('@').next().unwrap_or_default().to_owned(),
            email: account.to_owned(),
            provider: if has_account { AuthProvider::Google } else { AuthProvider::UsernamePassword },
            role_id,
            resources,
            created_at,
            provisioned: false,
        });
    }

    fn expire(&mut self, email: &str, now: Timestamp) -> Result<(), String> {
        let at = self.open_invitation(email, now)?;
        self.invitations[at].expires_at = now;
        Ok(())
    }

    fn remove(&mut self, email: &str) -> Result<(), String> {
        let at = self.member_at(email)?;
        if self.members[at].user_id == self.owner {
            return Err("Cannot remove the owner from the organization".to_owned());
        }
        self.members.remove(at);
        Ok(())
    }

    fn transfer(&mut self, email: &str) -> Result<(), String> {
        let at = self.member_at(email)?;
        let admin = self.role("Admin").ok_or("the organisation has no role Admin")?.id.clone();
        let member = &mut self.members[at];
        member.role_id = admin;
        member.resources = Assignment::All;
        self.owner.clone_from(&member.user_id);
        Ok(())
    }

    fn give_foreign_role(&mut self, email: &str, name: &str) -> Result<(), String> {
        let known = self.foreign_roles.iter().find(|role| role.name == name).map(|role| role.id.clone());
        let role_id = known.unwrap_or_else(|| {
            let id = self.next_id();
            self.foreign_roles.push(WorldRole {
                id: id.clone(),
                name: name.to_owned(),
                description: "A role of another organization".to_owned(),
                locked: false,
                permissions: vec!["project:describe".to_owned()],
            });
            id
        });
        if let Ok(at) = self.member_at(email) {
            self.members[at].role_id = role_id;
            return Ok(());
        }
        let found = self.invitations.iter_mut().find(|invitation| invitation.email == email);
        found.ok_or_else(|| format!("`{email}` is no member and has no invitation"))?.role_id = role_id;
        Ok(())
    }

    fn rename_target(&mut self, path: &str, slug: &str) -> Result<(), String> {
        let unknown = || format!("there is no target `{path}`");
        let (project, target) = path.split_once('/').ok_or_else(unknown)?;
        let project = self.projects.iter_mut().find(|it| it.slug == project).ok_or_else(unknown)?;
        if project.targets.iter().any(|target| target.slug == slug) {
            return Err(format!("the project has a target `{slug}` already"));
        }
        let target = project.targets.iter_mut().find(|it| it.slug == target).ok_or_else(unknown)?;
        slug.clone_into(&mut target.slug);
        Ok(())
    }
}
