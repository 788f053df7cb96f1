//! Decides whom a pull is about: the changes of a plan, and the holds that are differences.

use std::collections::{BTreeMap, BTreeSet};

use super::PullInput;
use rolecall_model::{
    Address, Cause, Change, Desired, Hold, HoldClass, HoldReason, Kind, OrganizationPlan, Pattern,
};

/// A difference between the file and live, by the address of its entry.
#[derive(Clone, Debug, Default)]
pub(super) struct Difference<'p> {
    pub change: Option<&'p Change>,
    /// Fields to write from live, although the entry doesn't have them or the plan can't change them.
    pub fields: BTreeSet<&'static str>,
    /// The address that the account has now.
    pub renamed: Option<&'p Address>,
}

/// Returns the differences that a pull is about, by the addresses of their entries, and those that no file can say, each
/// with the reason.
pub(super) fn differences<'p>(
    input: &PullInput<'_>,
    desired: &Desired,
    plan: &'p OrganizationPlan,
) -> (BTreeMap<Address, Difference<'p>>, BTreeMap<Address, String>) {
    let mut found = Found::default();
    for change in plan.sealed.changes.iter().filter(|change| !change.is_leftover()) {
        found.of_change(change);
    }
    for Hold { address, class, reason } in &plan.sealed.holds {
        found.of_hold(input, desired, (address, *class, reason));
    }
    let Found { mut differences, mut said } = found;
    // The new address of an account belongs to the entry with the old one.
    let renamed: Vec<Address> =
        differences.values().filter_map(|difference| difference.renamed.cloned()).collect();
    let covers = |patterns: &[Pattern], address: &Address| patterns.iter().any(|pattern| pattern.covers(address));
    let is_chosen = |address: &Address| {
        let chosen = input.options.targets.is_empty() || covers(&input.options.targets, address);
        chosen && !covers(&input.options.excluded, address) && !renamed.iter().any(|now| now.covers(address))
    };
    differences.retain(|address, _| is_chosen(address));
    said.retain(|address, _| is_chosen(address) && !differences.contains_key(address));
    (differences, said)
}

#[derive(Default)]
struct Found<'p> {
    differences: BTreeMap<Address, Difference<'p>>,
    said: BTreeMap<Address, String>,
}

/// Returns the address of the entry that is about this entity. That of an invitation is the user's.
fn entry_address(address: &Address) -> Address {
    match address.kind {
        Kind::Invitation => Address { kind: Kind::User, id: None, ..address.clone() },
        _ => address.clone(),
    }
}

impl<'p> Found<'p> {
    fn difference(&mut self, address: &Address) -> &mut Difference<'p> {
        self.differences.entry(entry_address(address)).or_default()
    }

    fn say(&mut self, address: &Address, why: impl Into<String>) {
        self.said.insert(entry_address(address), why.into());
    }

    fn of_change(&mut self, change: &'p Change) {
        match change.cause {
            Cause::NeededByAnother | Cause::Asserted => {}
            Cause::AlreadyMember => {
                let why =
                    "A member also has an open invitation, which no file can say. The next apply cancels it.";
                self.say(&change.address, why);
            }
            // The entry says what is live, and the key gets a successor all the same.
            Cause::DueForRotation { .. } => {
                let why = "The key is due for rotation, and an apply creates its successor.";
                self.say(&change.address, why);
            }
            Cause::InvitationVanished | Cause::InvitationExpired => {
                let why =
                    "The invitation has ended, and the file asks for another one with `reinvite_expired: true`.";
                self.say(&change.address, why);
            }
            Cause::Declared
            | Cause::DeclaredAbsent
            | Cause::NotListed
            | Cause::Superseded { .. }
            | Cause::SecretLost
            | Cause::DeliveryUnknown
            | Cause::Ended { .. }
            | Cause::LeftDirectory
            | Cause::CompletesInvitation => {
                let difference = self.difference(&change.address);
                // An update says more than the cancellation of an invitation beside it.
                if difference.change.is_none() || change.address.kind != Kind::Invitation {
                    difference.change = Some(change);
                }
            }
        }
    }

    fn of_hold(
        &mut self,
        input: &PullInput<'_>,
        desired: &Desired,
        (address, class, reason): (&'p Address, HoldClass, &'p HoldReason),
    ) {
        let options = input.options;
        match reason {
            HoldReason::Unmanaged { privileged, known } => {
                let is_named = options.targets.iter().any(|pattern| pattern.covers(&entry_address(address)));
                if (*privileged && known.is_none()) || options.unlisted || is_named {
                    self.difference(address);
                }
            }
            HoldReason::PrivilegeNotWritten { field, .. } => {
                let field = if field == "permissions" { "permissions" } else { "roles" };
                self.difference(address).fields.insert(field);
            }
            HoldReason::ManualStep { field, .. } => {
                let fields = ["first_name", "last_name", "phone", "description"];
                match fields.iter().find(|known| field == *known) {
                    Some(known) => drop(self.difference(address).fields.insert(known)),
                    None if field == "the role of the invitation" => drop(self.difference(address)),
                    None => self.say(address, reason.to_string()),
                }
            }
            HoldReason::Protected { change: Some(change) }
            | HoldReason::ProtectsHolders { change: Some(change), .. }
            | HoldReason::HoldersStay { change: Some(change), .. } => self.of_change(change),
            HoldReason::Renamed { now } => self.difference(address).renamed = Some(now),
            // The user isn't there any more, or the entry asks for something that isn't there.
            HoldReason::Incomplete { .. }
            | HoldReason::NoLongerMember { .. }
            | HoldReason::WasMember { .. }
            | HoldReason::Unplannable { .. }
            | HoldReason::OwnUser
            | HoldReason::OwnAccess
            | HoldReason::TooFewSeats { .. } => drop(self.difference(address)),
            // The account with the new address of an entry: see `Renamed`.
            HoldReason::RenamedFrom { .. } => {}
            // The user has no access, as the file says.
            HoldReason::CannotBeRemoved { .. }
                if desired.users.iter().any(|user| Address::user(&user.email).covers(address)) => {}
            _ if class == HoldClass::Blocked => self.say(address, reason.to_string()),
            _ => {}
        }
    }
}
