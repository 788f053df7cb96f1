//! The [`Facts`] that the ledger knows and the platform's API doesn't show, as a value for the planner.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Address, Change, Email, Entity, HoldReason, Key, RemoteId, RoleName, Seen, User};

/// Everything that the planner uses from the ledger.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// True if an apply has written to the ledger. Otherwise, the plan says which facts are missing.
    pub ledger_found: bool,
    /// The time of the first line of the ledger.
    pub ledger_since: Option<Timestamp>,
    /// The end of the last apply that finished, with every mutation done and a last read that worked.
    pub last_apply: Option<Timestamp>,
    /// The time of the last drift run that the ledger records.
    pub last_drift: Option<Timestamp>,
    /// The latest invitation of each user.
    pub invitations: BTreeMap<Email, Invitation>,
    /// The users whom a read of an apply has shown, by their id.
    pub members: BTreeMap<RemoteId, KnownMember>,
    /// The latest change of each entity that we sent and that may have had an effect. The addresses have no ids.
    pub applied: BTreeMap<Address, AppliedChange>,
    /// The position in the ledger of the latest mutation of each entity that may have had an effect, first steps
    /// included. The addresses have no ids.
    pub touched: BTreeMap<Address, usize>,
    /// The number of people of each directory at the last apply.
    pub directory_people: BTreeMap<String, usize>,
    /// The last runs that recorded which entities were not as the files ask when they ended, oldest first. Of several in a
    /// row that recorded the same, only the last is here.
    pub finished: Vec<FinishedRun>,
    /// Entities that we removed, disabled or took all access from, and haven't changed since. The addresses have no
    /// ids.
    pub removed: BTreeSet<Address>,
    /// Invitations that we cancelled in order to send a corrected one that may never have been sent. The value is
    /// the intended content.
    pub cancelled_to_correct: BTreeMap<Email, User>,
    /// The value of `enabled` in the latest update of each user that the platform accepted.
    pub enabled_sent: BTreeMap<RemoteId, bool>,
    /// The latest request to disable each user that may have had an effect. It is forgotten when a read shows that
    /// somebody enabled the user again.
    pub disables: BTreeMap<RemoteId, SentDisable>,
    /// True if a read has shown that the platform's list omits a user whom we disabled. Then a listed user can
    /// sign in.
    pub list_omits_disabled: bool,
    /// The latest change of each entity that the platform refused, and the time of the refusal.
    pub refused: BTreeMap<Address, (Timestamp, Change)>,
    /// The latest change of each entity that the platform accepted and a later read didn't show.
    pub not_taken: BTreeMap<Address, NotTaken>,
    /// The first time that an apply saw each key, where the API doesn't tell when it was created.
    pub keys_seen: BTreeMap<RemoteId, Timestamp>,
    /// Keys that we created and whose ids we know.
    pub minted: BTreeMap<RemoteId, MintedKey>,
    /// Creations of keys whose answers were lost.
    pub lost_mints: Vec<LostMint>,
    /// Changes that the platform refuses for a reason that no read shows.
    pub held: BTreeMap<Address, HeldChange>,
    /// The time at which the creation of the organisation was sent, if it may have had an effect.
    pub organization_creation_sent: Option<Timestamp>,
    /// True if an update of a user has cleared values that the update didn't contain.
    pub updates_clear_values: bool,
}

impl Facts {
    /// Returns when a read first showed members with these addresses whom we haven't removed.
    pub fn members_since<'a>(&self, emails: &BTreeSet<&'a Email>) -> BTreeMap<&'a Email, Timestamp> {
        let mut since: BTreeMap<&Email, Timestamp> = BTreeMap::new();
        for known in self.members.values() {
            if let Some(email) = emails.get(&known.email)
                && !self.removed.contains(&Address::user(email))
            {
                since.entry(email).and_modify(|at| *at = known.since.min(*at)).or_insert(known.since);
            }
        }
        since
    }

    /// Records that a read shows a user whom we invited. `accepted`: the read shows that they are a member.
    pub fn record_seen(&mut self, email: &Email, accepted: bool) {
        if let Some(invitation) = self.invitations.get_mut(email) {
            invitation.shown = invitation.shown.max(if accepted { Shown::AsMember } else { Shown::AsInvited });
            // The invitation arrived, even if its answer was lost.
            invitation.state = InvitationState::Sent;
        }
    }

    /// Records that a change in `not_taken` is in effect after all.
    pub fn record_in_effect(&mut self, address: &Address) {
        let Some(settled) = self.not_taken.remove(address) else { return };
        if let Some(Entity::User(User { id: Some(id), enabled: Seen::Known(enabled), .. })) = settled.change.after
        {
            self.enabled_sent.insert(id, enabled);
        }
    }

    /// Records that a read no longer lists a user whom we disabled.
    pub fn record_unlisted(&mut self, id: &RemoteId) {
        if let Some(sent) = self.disables.get_mut(id) {
            sent.unlisted = true;
            self.list_omits_disabled |= sent.answer == DisableAnswer::Done;
        }
    }

    /// Records that a read lists a user again whom an earlier read didn't list after we disabled them: somebody
    /// has enabled them.
    pub fn record_readmitted(&mut self, id: &RemoteId) {
        if self.disables.get(id).is_some_and(|sent| sent.unlisted) {
            self.disables.remove(id);
        }
    }
}

/// A change that we sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedChange {
    pub at: Timestamp,
    /// The id of the run that sent it.
    pub run: String,
    /// The id of the created entity, if the answer had it.
    pub id: Option<RemoteId>,
    /// The value that we wrote.
    pub after: Option<Entity>,
    /// The position of the change in the ledger.
    pub position: usize,
    /// True if the change was done, so that the entity had this value. An invitation gives nobody the value yet.
    pub done: bool,
}

/// The end of a run that read live: which entities were not as the files asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedRun {
    pub at: Timestamp,
    pub run: String,
    /// The position of the record in the ledger.
    pub position: usize,
    /// The hash of what the files asked for.
    pub desired: String,
    /// The entities that were not so. `kind/*` stands for all of a kind.
    pub differing: BTreeSet<Address>,
}

/// A change that runs of one approved plan have sent, with at least one mutation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentChange {
    /// True if the mutation that completes the change was done.
    pub done: bool,
    /// The id of the created entity.
    pub id: Option<RemoteId>,
}

/// An invitation that we sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Invitation {
    pub at: Timestamp,
    /// The roles that it gives.
    pub roles: BTreeSet<RoleName>,
    pub state: InvitationState,
    /// The status that later reads have shown.
    pub shown: Shown,
    /// True if the answer to the invitation was lost or was an error. Then its mail may not have been sent, even if
    /// the platform lists the invitation.
    pub mail_unproven: bool,
    /// True if the read right after the invitation didn't show the user. Then the platform hides invited users,
    /// and a user whom it shows later has accepted.
    pub hidden_at_first: bool,
    /// The content of the invitation, if it could not contain everything and no later update has given the rest.
    pub incomplete: Option<User>,
}

/// The status of a user that reads have shown since the invitation was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    NotYet,
    /// As invited, or as a user on platforms that don't distinguish invited users from members.
    AsInvited,
    AsMember,
}

/// A user whom a read has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownMember {
    pub email: Email,
    /// The time of the first read that showed the user.
    pub since: Timestamp,
}

impl Invitation {
    /// Returns whether a later read has shown the user, as a member or as invited.
    pub fn was_shown(&self) -> bool {
        self.shown != Shown::NotYet
    }

    /// Returns whether a later read has shown the user as a member.
    pub fn was_accepted(&self) -> bool {
        self.shown == Shown::AsMember
    }

    /// Returns whether the user must have accepted if a read lists them now.
    pub fn accepted_if_live(&self) -> bool {
        self.hidden_at_first
    }
}

/// A request to disable a user that had an effect, or may have had one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentDisable {
    pub at: Timestamp,
    pub email: Email,
    pub answer: DisableAnswer,
    /// True if a later read didn't list the user. If a read lists them again after that, somebody has enabled
    /// them.
    pub unlisted: bool,
}

/// The platform's answer to a request to disable a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisableAnswer {
    /// The platform accepted the request.
    Done,
    /// The answer was lost, so the effect is unknown.
    Lost,
    /// The platform accepted the request, but a later read listed the user as before.
    NotSeen,
    /// The platform refused the request when it was sent again.
    Refused,
}

/// Tells whether an invitation was sent for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationState {
    Sent,
    /// The answer was lost, or the process died before the answer came.
    Unsure,
}

/// A change that the platform refuses, and the reason.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldChange {
    pub change: Change,
    pub reason: HoldReason,
}

/// A change that the platform accepted and a later read didn't show.
#[derive(Clone, Debug, PartialEq)]
pub struct NotTaken {
    pub at: Timestamp,
    pub change: Change,
    /// The entity's live value after the change.
    pub left_as: Option<Entity>,
}

/// A key that we created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintedKey {
    /// True if the secret was delivered to the target in the file.
    pub delivered: bool,
    /// The key as we requested it.
    pub requested: Key,
    /// The time at which we requested it.
    pub at: Timestamp,
    /// The ids of the keys that it replaces.
    pub supersedes: BTreeSet<RemoteId>,
    /// The record of the delivery of its secret. `None` if the run was killed before it.
    pub receipt: Option<Receipt>,
    /// True if a target may have the secret, although the ledger knows of none: the run was killed while it delivered.
    pub doubtful: bool,
}

/// The record of the delivery of a key's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub at: Timestamp,
    /// The targets that got the secret, in words. Earlier versions of rolecall recorded none.
    pub to: Vec<String>,
    /// The targets that didn't get it.
    pub not_to: Vec<String>,
    /// The fingerprint of the secret. Earlier versions of rolecall recorded none.
    pub fingerprint: Option<String>,
    /// The fingerprints of the encrypted files that were about to be written, by target.
    pub encrypted: BTreeMap<String, String>,
}

impl MintedKey {
    fn fingerprint(&self) -> Option<&str> {
        self.receipt.as_ref()?.fingerprint.as_deref()
    }
}

/// The key that rolecall signs in with, as far as its credential tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignIn {
    /// The id of the key, if the credential contains it.
    pub id: Option<RemoteId>,
    /// The fingerprints of the credentials. The ledger has those of the keys that rolecall created.
    pub fingerprints: BTreeSet<String>,
}

impl SignIn {
    /// Returns the id of the key, from the credential or from the ledger.
    pub fn key<'a>(&'a self, facts: &'a Facts) -> Option<&'a RemoteId> {
        let is_it = |minted: &MintedKey| minted.fingerprint().is_some_and(|it| self.fingerprints.contains(it));
        let created = || facts.minted.iter().find(|(_, minted)| is_it(minted)).map(|(id, _)| id);
        self.id.as_ref().or_else(created)
    }

    /// Returns whether the ledger shows that the credential is not that of this key.
    pub fn is_another(&self, id: &RemoteId, facts: &Facts) -> bool {
        let known = facts.minted.get(id).and_then(MintedKey::fingerprint);
        known.is_some_and(|known| !self.fingerprints.contains(known))
    }
}

/// A key whose creation was sent, but whose answer was lost: the key may or may not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostMint {
    /// The key, as if it had been created and not delivered.
    pub minted: MintedKey,
    /// The ids of keys with the same name that existed before the request.
    pub existed_before: BTreeSet<RemoteId>,
    /// The ids of keys with the same name that existed before a later request for that name, if that one was
    /// answered. The lost key can only be among these.
    pub candidates: Option<BTreeSet<RemoteId>>,
}
