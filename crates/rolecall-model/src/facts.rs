//! What the ledger knows and live can't show, as a value for the planner.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Address, Change, Email, Entity, HoldReason, Key, RemoteId, Seen, User};

/// Everything that the planner may take from the ledger.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Was there a ledger at all? Without one, the plan says what it can't know.
    pub ledger_found: bool,
    /// The latest invitation of each person.
    pub invitations: BTreeMap<Email, Invitation>,
    /// Invitations that were taken back to be made anew, and may not have been: what the new ones were to say.
    pub taken_back: BTreeMap<Email, User>,
    /// What we last sent as a user's `enabled`, where the platform took it.
    pub enabled_sent: BTreeMap<RemoteId, bool>,
    /// The latest disabling of each user that may have had an effect, until they are seen to be in again.
    pub disables: BTreeMap<RemoteId, SentDisable>,
    /// Has anybody been seen to be gone after the platform had disabled them for us? Then whoever is listed is in.
    pub disabled_vanish: bool,
    /// What the platform itself refused, the latest of each entity, and when.
    pub refused: BTreeMap<Address, (Timestamp, Change)>,
    /// Changes that were answered and then not seen, the latest of each entity.
    pub not_taken: Vec<NotTaken>,
    /// Keys that we minted and know the id of.
    pub minted: BTreeMap<RemoteId, MintedKey>,
    /// Mints whose answer never came.
    pub lost_mints: Vec<LostMint>,
    /// Entities that the platform won't have changed, for a reason that no read shows.
    pub held: BTreeMap<Address, HeldChange>,
    /// When the making of the organisation was sent, and perhaps had an effect.
    pub organization_made: Option<Timestamp>,
    /// Has an update of a user been seen to clear what it doesn't carry?
    pub updates_lose: bool,
}

impl Facts {
    /// A read shows somebody whom we invited, perhaps as a member.
    pub fn see_invited(&mut self, email: &Email, accepted: bool) {
        if let Some(invitation) = self.invitations.get_mut(email) {
            invitation.seen = true;
            invitation.accepted |= accepted;
            // A lost answer is settled by seeing the person.
            invitation.state = InvitationState::Sent;
        }
    }

    /// What had not been taken is in effect after all.
    pub fn settle(&mut self, address: &Address) {
        let Some(index) = self.not_taken.iter().position(|earlier| earlier.change.address == *address) else {
            return;
        };
        let settled = self.not_taken.remove(index);
        if let Some(Entity::User(User { id: Some(id), enabled: Seen::Known(enabled), .. })) = settled.change.after
        {
            self.enabled_sent.insert(id, enabled);
        }
    }

    /// A read doesn't show somebody whom we disabled.
    pub fn miss_disabled(&mut self, id: &RemoteId) {
        if let Some(sent) = self.disables.get_mut(id) {
            sent.gone = true;
            self.disabled_vanish |= sent.answer == DisableAnswer::Done;
        }
    }

    /// A read shows somebody whom we disabled, after one that didn't: another hand has let them in.
    pub fn see_readmitted(&mut self, id: &RemoteId) {
        if self.disables.get(id).is_some_and(|sent| sent.gone) {
            self.disables.remove(id);
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Invitation {
    pub at: Timestamp,
    pub state: InvitationState,
    /// Has a read shown the person since?
    pub seen: bool,
    /// Has a read shown them as a member, where that can be told from being invited?
    pub accepted: bool,
    /// Did the read right after the invitation not show them? Then the platform hides invitees, and whoever it
    /// shows later has accepted.
    pub hidden_at_first: bool,
}

impl Invitation {
    /// Is somebody whom the list shows known to have accepted?
    pub fn accepted_if_live(&self) -> bool {
        self.hidden_at_first
    }
}

/// Somebody whom we disabled, or may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentDisable {
    pub at: Timestamp,
    pub email: Email,
    pub answer: DisableAnswer,
    /// Has a read shown that they are no longer listed? Whoever is listed after that was let in by another hand.
    pub gone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisableAnswer {
    Done,
    /// Whether it had an effect is unknown.
    Lost,
    /// Done, and a read listed them as before.
    NotSeen,
    /// Refused when it was sent once more.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationState {
    Sent,
    /// The answer was lost, or the process died before it came.
    Unsure,
}

/// A change that the platform won't make.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldChange {
    pub change: Change,
    pub reason: HoldReason,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NotTaken {
    pub at: Timestamp,
    pub change: Change,
    /// How the entity stood after it.
    pub left_as: Option<Entity>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintedKey {
    /// Did the secret arrive where the file wants it?
    pub delivered: bool,
    /// What was asked for, and when.
    pub asked: Key,
    pub at: Timestamp,
    /// The keys that it takes the place of.
    pub supersedes: BTreeSet<RemoteId>,
}

/// A key that we asked for and may or may not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostMint {
    pub asked: Key,
    /// Ids of the namesakes that were there before we asked.
    pub known: BTreeSet<RemoteId>,
    /// Where a later mint of the name has arrived: the namesakes that were there before that one.
    pub among: Option<BTreeSet<RemoteId>>,
}
