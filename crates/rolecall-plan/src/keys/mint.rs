//! Plans the minting of keys. To mint a key is to create it and to deliver its secret, which the platform shows
//! only once.

use std::collections::BTreeSet;

use super::super::PlanInput;
use super::super::decision::{Decision, Lookup};
use super::super::resolve::{self, Holder};
use super::super::seal::hash;
use super::rotation;
use rolecall_model::{
    Action, Address, Cause, Change, Code, Delivery, DesiredKey, Effect, Entity, Expiry, Finding, HoldReason, Key,
    KeyField, Lifetime, LiveKey, Permission, Resources, RoleName,
};

/// The values that the file requests for a key, with resolved ids. A value that is `None` keeps the live one.
pub(super) struct RequestedKey {
    pub roles: Option<BTreeSet<RoleName>>,
    pub permissions: Option<BTreeSet<Permission>>,
    pub resources: Option<Resources>,
    pub expires: Option<Expiry>,
    /// The lifetime of a new key, instead of an expiry. A live key may expire at any time.
    pub lifetime: Option<Lifetime>,
}

impl RequestedKey {
    /// Returns whether this differs from what was requested earlier.
    pub fn differs_from(&self, earlier: &Key) -> bool {
        let Self { roles, permissions, resources, expires, lifetime: _ } = self;
        (roles.is_some() && *roles != earlier.roles)
            || (permissions.is_some() && *permissions != earlier.permissions)
            || (resources.is_some() && *resources != earlier.resources)
            || (expires.is_some() && *expires != earlier.expires)
    }
}

/// Resolves what the file requests for a key. An unknown part of it is an error.
pub(super) fn resolve_key(input: &PlanInput<'_>, desired: &DesiredKey) -> Lookup<RequestedKey> {
    let mut decisions = Vec::new();
    let permissions = desired.permissions.as_ref();
    let permissions =
        permissions.map(|permissions| resolve::permissions(input, Holder::Key, permissions).note(&mut decisions));
    let resources = desired.resources.as_ref();
    let resources = resources.map(|resources| resolve::resources(input, resources).note(&mut decisions));
    let value = match (permissions, resources) {
        (Some(None), _) | (_, Some(None)) => None,
        (permissions, resources) => Some(RequestedKey {
            roles: desired.roles.clone(),
            permissions: permissions.flatten(),
            resources: resources.flatten(),
            expires: desired.expires.as_deref().copied(),
            lifetime: rotation::rule(input.desired, desired).and_then(|rule| rule.lifetime),
        }),
    };
    Lookup { value, decisions }
}

/// Decides to mint a key. A key can't be changed, so a new value means a new key with the same name; `old` is the
/// key that it replaces, and works until the new one is delivered.
pub(super) fn mint(
    input: &PlanInput<'_>,
    desired: &DesiredKey,
    requested: &RequestedKey,
    old: Option<&LiveKey>,
    cause: Cause,
) -> Vec<Decision> {
    let address = Address::key(&desired.name);
    if let Some(reason) = super::incomplete(input) {
        return vec![Decision::Hold(address, reason)];
    }
    let after = Key {
        id: None,
        name: desired.name.clone(),
        description: desired.description.clone().or_else(|| old.and_then(|key| key.description.clone())),
        roles: requested.roles.clone().or_else(|| old.and_then(|key| key.roles.clone())),
        permissions: requested.permissions.clone().or_else(|| old.and_then(|key| key.permissions.clone())),
        resources: requested.resources.clone().or_else(|| old.and_then(|key| key.resources.clone())),
        expires: requested.expires.or_else(|| old.filter(|_| requested.lifetime.is_none())?.expires),
        lifetime: requested.lifetime,
        enabled: true,
    };
    let problems = [
        incomplete_key(input, desired, &after),
        expiry_in_past(input, desired, &after),
        desired.deliver.is_empty().then(|| no_delivery(desired)),
    ];
    let problems: Vec<Decision> = problems.into_iter().flatten().map(Decision::Finding).collect();
    if !problems.is_empty() {
        return problems;
    }
    let change = Change {
        address,
        action: Action::Create,
        before: old.map(|key| Entity::Key(key.entity())),
        after: Some(Entity::Key(after)),
        cause,
        effects: desired
            .deliver
            .iter()
            .map(|delivery| Effect::SecretTo { target: secret_target(delivery) })
            .collect(),
    };
    let overlap = rotation::rule(input.desired, desired).map(|rule| rule.overlap).filter(|it| !it.is_zero());
    let superseded = old.map(|key| {
        let reason = HoldReason::Superseded { overlap: overlap.map(Lifetime::new), expires: key.expires };
        Decision::Hold(Address::key(&key.name).with_id(&key.id), reason)
    });
    vec![Decision::change_and(change, Some(&desired.place), superseded.into_iter().collect())]
}

/// Returns the finding that the file lacks what a new key requires, if it does.
fn incomplete_key(input: &PlanInput<'_>, desired: &DesiredKey, key: &Key) -> Option<Finding> {
    let lacks = |field: &KeyField| match field {
        KeyField::Roles => key.roles.is_none().then_some("`roles`"),
        KeyField::Expires => {
            (key.expires.is_none() && key.lifetime.is_none()).then_some("`lifetime` (or `expires`)")
        }
        KeyField::Permissions => key.permissions.is_none().then_some("`permissions`"),
        KeyField::Resources => key.resources.is_none().then_some("`resources` (`all`, or a tree)"),
    };
    let missing: Vec<&str> = input.rules.capabilities().key_needs.iter().filter_map(lacks).collect();
    let missing = (!missing.is_empty()).then(|| missing.join(" and "))?;
    let message = format!("The key {} doesn't exist yet, and minting it requires {missing}.", desired.name);
    let finding = Finding::error(Code::IncompleteKey, desired.place.clone(), message);
    Some(finding.hint(format!("Add {missing}.")))
}

fn expiry_in_past(input: &PlanInput<'_>, desired: &DesiredKey, key: &Key) -> Option<Finding> {
    let expires = key.expires.filter(|expires| expires.is_past(input.now))?;
    let place = desired.expires.as_ref().map_or(&desired.place, |expires| &expires.place);
    let message = format!("The key {} must be created, but its expiry {expires} has passed.", desired.name);
    let finding = Finding::error(Code::ExpiryInPast, place.clone(), message);
    Some(finding.hint("Choose a later time, or list the key with `absent: true`."))
}

fn no_delivery(desired: &DesiredKey) -> Finding {
    let message = format!("The key {} must be created, but its secret has no destination.", desired.name);
    Finding::error(Code::NoDelivery, desired.place.clone(), message)
        .hint("Add `deliver`, such as `deliver: { file: PATH }`. The platform shows the secret only once.")
}

/// Returns where a delivery brings a secret, in words that tell it from any other delivery.
pub fn secret_target(delivery: &Delivery) -> String {
    match delivery {
        Delivery::File(path) => path.display().to_string(),
        Delivery::Command(words) => format!("the command {}", shown_command(words)),
        Delivery::EnvFile { file, name } => format!("the variable {name} in {}", file.display()),
        Delivery::Age { recipients, file } => {
            let shown: Vec<String> = recipients.iter().map(|recipient| shown_recipient(recipient)).collect();
            format!("{}, encrypted to {}", file.display(), shown.join(" and "))
        }
    }
}

/// Returns a public key, or its type and its hash if it is too long to be compared by eye.
fn shown_recipient(recipient: &str) -> String {
    match recipient.split_once(' ') {
        Some((kind, _)) if recipient.len() > 120 => format!("{kind} {}", hash(&recipient.into())),
        _ => recipient.to_owned(),
    }
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
