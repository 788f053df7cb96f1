//! Keys that have to be made.

use std::collections::BTreeSet;

use super::super::PlanInput;
use super::super::builder::PlanBuilder;
use super::super::resolve::{self, Holder};
use super::super::seal::hash;
use rolecall_model::{
    Action, Address, Cause, Change, Code, Delivery, DesiredKey, Effect, Entity, Expiry, Finding, Key, KeyField,
    LiveKey, Permission, Resources, RoleName,
};

/// What the file asks of a key, with ids. What is `None` keeps what is live.
pub(super) struct RequestedKey {
    pub roles: Option<BTreeSet<RoleName>>,
    pub permissions: Option<BTreeSet<Permission>>,
    pub resources: Option<Resources>,
    pub expires: Option<Expiry>,
}

impl RequestedKey {
    /// Is it something else than what was asked for another time?
    pub fn changes(&self, earlier: &Key) -> bool {
        let Self { roles, permissions, resources, expires } = self;
        (roles.is_some() && *roles != earlier.roles)
            || (permissions.is_some() && *permissions != earlier.permissions)
            || (resources.is_some() && *resources != earlier.resources)
            || (expires.is_some() && *expires != earlier.expires)
    }
}

/// None: something of it doesn't resolve, which was said.
pub(super) fn resolve_key(
    input: &PlanInput<'_>,
    desired: &DesiredKey,
    builder: &mut PlanBuilder<'_>,
) -> Option<RequestedKey> {
    let permissions = desired.permissions.as_ref();
    let permissions =
        permissions.map(|wished| resolve::permissions(input, Holder::Key, wished, &mut builder.findings));
    let resources = desired.resources.as_ref();
    let resources = resources.map(|wished| resolve::resources(input, wished, &mut builder.findings));
    let (permissions, resources) = match (permissions, resources) {
        (Some(None), _) | (_, Some(None)) => return None,
        (permissions, resources) => (permissions.flatten(), resources.flatten()),
    };
    Some(RequestedKey {
        roles: desired.roles.clone(),
        permissions,
        resources,
        expires: desired.expires.as_deref().copied(),
    })
}

/// A key can't be changed, so another value means another key of the same name. Says whether one is planned.
pub(super) fn mint(
    input: &PlanInput<'_>,
    desired: &DesiredKey,
    requested: &RequestedKey,
    old: Option<&LiveKey>,
    builder: &mut PlanBuilder<'_>,
) -> bool {
    let address = Address::key(&desired.name);
    if let Some(reason) = input.live.keys.as_ref().and_then(|list| list.completeness.unreadable("keys")) {
        builder.hold(address, reason);
        return false;
    }
    let after = Key {
        id: None,
        name: desired.name.clone(),
        description: desired.description.clone().or_else(|| old.and_then(|key| key.description.clone())),
        roles: requested.roles.clone().or_else(|| old.and_then(|key| key.roles.clone())),
        permissions: requested.permissions.clone().or_else(|| old.and_then(|key| key.permissions.clone())),
        resources: requested.resources.clone().or_else(|| old.and_then(|key| key.resources.clone())),
        expires: requested.expires.or_else(|| old.and_then(|key| key.expires)),
        enabled: true,
    };
    let complete = is_complete(input, desired, &after, builder);
    if let Some(expires) = after.expires.filter(|expires| expires.is_past(input.now)) {
        let place = desired.expires.as_ref().map_or(&desired.place, |expires| &expires.place);
        builder.findings.push(
            Finding::error(
                Code::ExpiryInPast,
                place.clone(),
                format!("the key {} would have to be minted, and {expires} has passed", desired.name),
            )
            .hint("choose a later instant, or list the key with `absent: true`"),
        );
    }
    let Some(deliver) = &desired.deliver else {
        builder.findings.push(
            Finding::error(
                Code::NoDelivery,
                desired.place.clone(),
                format!("the key {} has to be minted, and its secret has nowhere to go", desired.name),
            )
            .hint("add `deliver: { file: PATH }` or `deliver: { command: [PROGRAM] }`: it is shown once and never again"),
        );
        return false;
    };
    if !complete {
        return false;
    }
    let target = match deliver {
        Delivery::File(path) => path.display().to_string(),
        Delivery::Command(words) => format!("the command {}", shown_command(words)),
    };
    let change = Change {
        address,
        action: Action::Create,
        before: old.map(|key| Entity::Key(key.entity())),
        after: Some(Entity::Key(after)),
        cause: Cause::Declared,
        effects: vec![Effect::SecretTo { target }],
    };
    builder.change(change, Some(&desired.place))
}

fn is_complete(input: &PlanInput<'_>, desired: &DesiredKey, key: &Key, builder: &mut PlanBuilder<'_>) -> bool {
    let lacks = |field: &KeyField| match field {
        KeyField::Roles => key.roles.is_none().then_some("`roles`"),
        KeyField::Expires => key.expires.is_none().then_some("`expires`"),
        KeyField::Permissions => key.permissions.is_none().then_some("`permissions`"),
        KeyField::Resources => key.resources.is_none().then_some("`resources` (`all`, or a tree)"),
    };
    let missing: Vec<&str> = input.rules.key_needs().iter().filter_map(lacks).collect();
    if missing.is_empty() {
        return true;
    }
    builder.findings.push(
        Finding::error(
            Code::IncompleteKey,
            desired.place.clone(),
            format!("the key {} isn't there yet, and minting it needs {}", desired.name, missing.join(" and ")),
        )
        .hint(format!("add {}", missing.join(" and "))),
    );
    false
}

/// The program, and a hash of its arguments: what is approved is what runs, and nobody is shown what an argument holds.
fn shown_command(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [program] => program.clone(),
        [program, arguments @ ..] => {
            let digest = hash(&arguments.into());
            let digest = digest.trim_start_matches("sha256:").get(..12).unwrap_or_default();
            format!("{program} with the arguments {digest}")
        }
    }
}
