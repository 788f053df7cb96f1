//! Draws what a plan changes as a graph: who has which role on what. Only those whom a change touches are drawn, and
//! those who hold a role that changes.
//!
//! A role is one node for everybody who has it on the same parts, and another node for others. For example, Alice is a
//! `Developer` on `shop` and Bob is one on `web`. One node for both would lead from Alice to `web`.

mod dot;
mod mermaid;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::fields::{fields, in_use};
use super::outline::{Outline, name, outline};
use super::style::{called, clean, first, plural};
pub(super) use dot::dot;
pub(super) use mermaid::{fold, mermaid};
use rolecall_model::{
    Action, Address, Change, Effect, Entity, Kind, Memberships, OrganizationPlan, Plan, Resources,
};

/// The changes of some organisations as a graph.
pub(super) struct Graph(Vec<Cluster>);

/// The part of the graph that belongs to one organisation.
#[derive(Default)]
struct Cluster {
    title: String,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    /// The index of each role and each part that is drawn already.
    roles: BTreeMap<Held, usize>,
    parts: BTreeMap<String, usize>,
}

struct Node {
    shape: Shape,
    mark: Mark,
    lines: Vec<String>,
}

struct Edge {
    from: usize,
    to: usize,
    mark: Mark,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Holder,
    Role,
    Part,
}

/// The effect of the plan on a node or an edge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Stays,
    New,
    Changed,
    Removed,
}

/// A role, and the parts on which somebody has it.
type Held = (String, Vec<(Mark, String)>);

/// More holders or parts than this that are alike are one node, which counts them.
const LISTED: usize = 5;

/// A name longer than this is cut, in characters.
const LONGEST: usize = 60;

impl Mark {
    /// Returns the label of an edge. `None` if it stays as it is.
    fn label(self) -> Option<&'static str> {
        match self {
            Self::Stays => None,
            Self::New => Some("new"),
            Self::Changed => Some("changed"),
            Self::Removed => Some("removed"),
        }
    }

    fn of(action: Action) -> Self {
        match action {
            Action::Invite | Action::Create | Action::Enable => Self::New,
            Action::Update => Self::Changed,
            Action::Disable | Action::RemoveAccess | Action::Cancel | Action::Remove | Action::Delete => {
                Self::Removed
            }
        }
    }

    /// Returns the mark of something that is there before, after, or both.
    fn between(before: bool, after: bool) -> Self {
        match (before, after) {
            (false, true) => Self::New,
            (true, false) => Self::Removed,
            (true, true) | (false, false) => Self::Stays,
        }
    }
}

impl Graph {
    pub fn of(plan: &Plan) -> Self {
        let unread = plan.unread.iter().map(|unread| Cluster {
            title: called(unread.provider, &unread.organization),
            nodes: vec![Node::of(Shape::Part, Mark::Stays, [format!("not planned: {}", cut(&unread.why))])],
            ..Cluster::default()
        });
        Self(plan.organizations.iter().map(Cluster::of).chain(unread).collect())
    }

    /// Returns the number of nodes.
    fn len(&self) -> usize {
        self.0.iter().map(|cluster| cluster.nodes.len()).sum()
    }
}

impl Node {
    fn of(shape: Shape, mark: Mark, lines: impl IntoIterator<Item = String>) -> Self {
        let mut lines: Vec<String> = lines.into_iter().map(clean).collect();
        // A node without any text is an error to Mermaid.
        for line in lines.iter_mut().filter(|line| line.trim().is_empty()) {
            "(no name)".clone_into(line);
        }
        Self { shape, mark, lines }
    }
}

/// Cuts a name that is too long to be drawn.
fn cut(name: impl Display) -> String {
    let name = clean(name);
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name,
    }
}

/// Names several holders, parts or permissions in the lines of one node.
fn listed<T: Display>(all: impl ExactSizeIterator<Item = T>) -> String {
    let shown = if all.len() > LISTED { 3 } else { LISTED };
    first(all, shown, cut)
}

/// Returns one text for each of these, or one for all if there are many.
fn together(all: &[String]) -> Vec<String> {
    if all.len() > LISTED { vec![listed(all.iter())] } else { all.iter().map(cut).collect() }
}

impl Cluster {
    fn of(plan: &OrganizationPlan) -> Self {
        let refused = if plan.refusals.is_empty() { "" } else { "Refused. " };
        let title = format!("{}: {refused}{}", cut(name(plan)), plural(plan.sealed.changes.len(), "change"));
        let mut cluster = Self { title, ..Self::default() };
        cluster.add_changed_parts(plan);
        cluster.add_holders(plan);
        cluster.add_changed_roles(plan);
        if cluster.nodes.is_empty() {
            cluster.add(Node::of(Shape::Part, Mark::Stays, ["no changes".to_owned()]));
        }
        cluster
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Adds the teams and the organisation, where they change themselves.
    fn add_changed_parts(&mut self, plan: &OrganizationPlan) {
        let is_part = |change: &&Change| matches!(change.address.kind, Kind::Team | Kind::Organization);
        for change in plan.sealed.changes.iter().filter(is_part) {
            let name = change.address.to_string();
            let lines = [name.clone(), outline(change, plan).verb].into_iter().chain(renamed(change));
            let node = self.add(Node::of(Shape::Part, Mark::of(change.action), lines));
            self.parts.insert(name, node);
        }
    }

    /// Adds the users, invitations and keys that change. Many that change in the same way are one node, but for the
    /// privileged ones.
    fn add_holders(&mut self, plan: &OrganizationPlan) {
        let mut alike: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for change in &plan.sealed.changes {
            let (Kind::User | Kind::Invitation | Kind::Key) = change.address.kind else { continue };
            let Outline { verb, privileged, .. } = outline(change, plan);
            let address = change.address.to_string();
            let alone = privileged.map(|privilege| (privilege.as_str(), address.clone()));
            let key = (alone, change.address.kind, Mark::of(change.action), verb, held(change));
            alike.entry(key).or_default().push(address);
        }
        // Privileged ones are drawn first.
        let (others, privileged): (Vec<_>, Vec<_>) = alike.into_iter().partition(|(key, _)| key.0.is_none());
        for ((alone, _, mark, verb, held), addresses) in privileged.into_iter().chain(others) {
            let verb = alone.map_or(verb.clone(), |(privilege, _)| format!("{verb}; {privilege}"));
            for names in together(&addresses) {
                let from = self.add(Node::of(Shape::Holder, mark, [names, verb.clone()]));
                for (mark, role) in &held {
                    let to = self.role(role, plan);
                    self.edges.push(Edge { from, to, mark: *mark });
                }
            }
        }
    }

    /// Adds the roles that change themselves, and the others who hold them.
    fn add_changed_roles(&mut self, plan: &OrganizationPlan) {
        for change in plan.sealed.changes.iter().filter(|change| change.address.kind == Kind::Role) {
            let is_other = |address: &&Address| plan.change(address).is_none();
            let holders = change.effects.iter().filter_map(|effect| match effect {
                Effect::Affects { holders } => Some(holders),
                _ => None,
            });
            let others: Vec<String> = holders.flatten().filter(is_other).map(ToString::to_string).collect();
            let mut drawn = self.roles.range((change.address.name.to_string(), Vec::new())..);
            let is_drawn = drawn.next().is_some_and(|((role, _), _)| *role == change.address.name);
            if is_drawn && others.is_empty() {
                continue;
            }
            let to = self.role(&(change.address.name.to_string(), Vec::new()), plan);
            for names in together(&others) {
                let from = self.add(Node::of(Shape::Holder, Mark::Stays, [names, "holds the role".to_owned()]));
                self.edges.push(Edge { from, to, mark: Mark::Stays });
            }
        }
    }

    /// Returns the node of a role on some parts. Adds it and its parts if they aren't drawn yet.
    fn role(&mut self, held: &Held, plan: &OrganizationPlan) -> usize {
        if let Some(node) = self.roles.get(held) {
            return *node;
        }
        let (role, parts) = held;
        let address = Address { kind: Kind::Role, name: role.into(), id: None };
        let change = plan.change(&address);
        let lines = change.map(|change| changes_of(change, plan)).unwrap_or_default();
        let mark = change.map_or(Mark::Stays, |change| Mark::of(change.action));
        let from = self.add(Node::of(Shape::Role, mark, [cut(role)].into_iter().chain(lines)));
        self.roles.insert(held.clone(), from);
        for (mark, part) in parts {
            let to = match self.parts.get(part) {
                Some(node) => *node,
                None => self.add(Node::of(Shape::Part, Mark::Stays, [part.clone()])),
            };
            self.parts.insert(part.clone(), to);
            self.edges.push(Edge { from, to, mark: *mark });
        }
        from
    }
}

/// Returns the words for a change of a role: its action, and the permissions that it gains and loses.
fn changes_of(change: &Change, plan: &OrganizationPlan) -> Vec<String> {
    let mut lines = vec![outline(change, plan).verb];
    lines.extend(renamed(change));
    for field in fields(change).iter().filter(|field| field.name == "permissions") {
        for (word, parts) in [("gains", &field.gained), ("loses", &field.lost)] {
            if !parts.is_empty() {
                lines.push(format!("{word} {}", listed(parts.iter())));
            }
        }
    }
    lines
}

/// Returns the words for a change that gives a role or a team another name.
fn renamed(change: &Change) -> Option<String> {
    let before = change.renamed_from()?;
    Some(format!("was {}", cut(before.name)))
}

/// Returns the roles that somebody has before or after a change, each with its mark and the marks of its parts.
fn held(change: &Change) -> Vec<(Mark, Held)> {
    let (before, after) = in_use(change);
    let (had, has) = (before.map(roles_of).unwrap_or_default(), after.map(roles_of).unwrap_or_default());
    let roles: BTreeSet<&String> = had.keys().chain(has.keys()).collect();
    let none = BTreeSet::new();
    let marked = roles.into_iter().map(|role| {
        let (before, after) = (had.get(role).unwrap_or(&none), has.get(role).unwrap_or(&none));
        let mut by_mark: BTreeMap<Mark, Vec<String>> = BTreeMap::new();
        for part in before.union(after) {
            let mark = Mark::between(before.contains(part), after.contains(part));
            by_mark.entry(mark).or_default().push(part.clone());
        }
        let parts = by_mark
            .into_iter()
            .flat_map(|(mark, parts)| together(&parts).into_iter().map(move |part| (mark, part)));
        (Mark::between(had.contains_key(role), has.contains_key(role)), (role.clone(), parts.collect()))
    });
    marked.collect()
}

/// Returns the roles of a user or a key, each with its parts. The permissions of a key without roles count as one role.
fn roles_of(entity: &Entity) -> BTreeMap<String, BTreeSet<String>> {
    let paths = |resources: &Option<Resources>| -> BTreeSet<String> {
        resources.iter().flat_map(Resources::paths).collect()
    };
    match entity {
        Entity::User(user) => {
            let parts = paths(&user.resources);
            let mut roles: BTreeMap<_, _> =
                user.roles.iter().map(|role| (role.to_string(), parts.clone())).collect();
            for (team, role) in user.teams.iter().flat_map(Memberships::iter) {
                let role = role.as_ref().map_or("member".to_owned(), ToString::to_string);
                let part = Address::team(team).to_string();
                roles.entry(format!("{role}, in a team")).or_default().insert(part);
            }
            roles
        }
        Entity::Key(key) => {
            let parts = paths(&key.resources);
            let roles = key.roles.iter().flatten().map(ToString::to_string);
            let permissions = key.permissions.iter().filter(|permissions| !permissions.is_empty());
            let permissions = permissions.map(|set| listed(set.iter()));
            roles.chain(permissions).map(|role| (role, parts.clone())).collect()
        }
        Entity::Organization(_) | Entity::Team(_) | Entity::Role(_) => BTreeMap::new(),
    }
}
