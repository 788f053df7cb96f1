//! Plans the minting of keys. To mint a key is to create it and to deliver its secret, which the platform shows
//! only once.

use std::collections::BTreeSet;

use super::super::PlanInput;
use super::super::builder::PlanBuilder;
use super::super::resolve::{self, Holder};
use super::super::seal::hash;
use rolecall_model::{
    Action, Address, Cause, Change, Code, Delivery, DesiredKey, Effect, Entity, Expiry, Finding, Key, KeyField,
    LiveKey, Permission, Resources, RoleName,
};

/// The values that the file requests for a key, with resolved ids. A value that is `None` keeps the live one.
pub(super) struct RequestedKey {
    pub roles: Option<BTreeSet<RoleName>>,
    pub permissions: Option<BTreeSet<Permission>>,
    pub resources: Option<Resources>,
    pub expires: Option<Expiry>,
}

impl RequestedKey {
    /// Returns whether this differs from what was requested earlier.
    pub fn differs_from(&self, earlier: &Key) -> bool {
        let Self { roles, permissions, resources, expires } = self;
        (roles.is_some() && *roles != earlier.roles)
            || (permissions.is_some() && *permissions != earlier.permissions)
            || (resources.is_some() && *resources != earlier.resources)
            || (expires.is_some() && *expires != earlier.expires)
    }
}

/// Resolves what the file requests for a key. Returns `None` and adds a finding if a part of it is unknown.
pub(super) fn resolve_key(
    input: &PlanInput<'_>,
    desired: &DesiredKey,
    builder: &mut PlanBuilder<'_>,
) -> Option<RequestedKey> {
    let permissions = desired.permissions.as_ref();
    let permissions =
        permissions.map(|desired| resolve::permissions(input, Holder::Key, desired, &mut builder.findings));
    let resources = desired.resources.as_ref();
    let resources = resources.map(|desired| resolve::resources(input, desired, &mut builder.findings));
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

/// Plans to mint a key. A key can't be changed, so a new value means a new key with the same name; `old` is the
/// key that it replaces. Returns whether the key was planned.
pub(super) fn mint(
    input: &PlanInput<'_>,
    desired: &DesiredKey,
    requested: &RequestedKey,
    old: Option<&LiveKey>,
    builder: &mut PlanBuilder<'_>,
) -> bool {
    let address = Address::key(&desired.name);
    if let Some(reason) = super::incomplete(input) {
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
                format!("The key {} must be created, but its expiry {expires} has passed.", desired.name),
            )
            .hint("Choose a later time, or list the key with `absent: true`."),
        );
    }
    let Some(deliver) = &desired.deliver else {
        builder.findings.push(
            Finding::error(
                Code::NoDelivery,
                desired.place.clone(),
                format!("The key {} must be created, but its secret has no destination.", desired.name),
            )
            .hint("Add `deliver: { file: PATH }` or `deliver: { command: [PROGRAM] }`. The platform shows the secret only once."),
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
    let missing: Vec<&str> = input.rules.capabilities().key_needs.iter().filter_map(lacks).collect();
    if missing.is_empty() {
        return true;
    }
    builder.findings.push(
        Finding::error(
            Code::IncompleteKey,
            desired.place.clone(),
            format!(
                "The key {} doesn't exist yet, and minting it requires {}.",
                desired.name,
                missing.join(" and ")
            ),
        )
        .hint(format!("Add {}.", missing.join(" and "))),
    );
    false
}

/// Returns the program and a hash of its arguments. The hash makes sure that the approved command is the one that
/// runs, without showing the arguments, which may contain secrets.
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
