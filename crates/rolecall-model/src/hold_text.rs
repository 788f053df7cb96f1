//! Why a difference is left alone, as people read it.

use std::fmt;

use jiff::Timestamp;

use super::{Address, HoldReason};

/// The sentence that people read.
impl fmt::Display for HoldReason {
    #[expect(clippy::too_many_lines, reason = "a sentence for each")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |since: &Timestamp| since.strftime("%Y-%m-%d").to_string();
        let on =
            |since: &Option<Timestamp>| since.as_ref().map(|at| format!(" on {}", day(at))).unwrap_or_default();
        match self {
            Self::Unmanaged { privileged: false } => f.write_str("not in the file"),
            Self::Unmanaged { privileged: true } => f.write_str("not in the file, and privileged"),
            Self::DisabledAndAbsent => f.write_str("declared disabled and not there; nobody is invited for that"),
            Self::InvitationPending { since } => {
                write!(f, "invited{} and not a member yet; accepting it is up to them", on(since))
            }
            Self::InvitationExpired { wanted: true, step } => write!(
                f,
                "invited, and the invitation has run out; `reinvite_expired: true` in the file sends another, or do it {step}"
            ),
            Self::InvitationExpired { wanted: false, .. } => {
                f.write_str("not wanted; the invitation has run out, so that it lets nobody in")
            }
            Self::InvitationStands { since, step } => write!(
                f,
                "has to go, and is invited{}, which no call takes back; look {step}. Whoever accepts is taken out by the next apply",
                on(since)
            ),
            Self::InvitationGone { since, step } => write!(
                f,
                "the invitation of {} is no longer listed: taken back, or accepted and the person disabled since, whom a person can enable {step}; another is sent only with `--assert`",
                day(since)
            ),
            Self::Incomplete { missing, step } => write!(
                f,
                "isn't there, and can't be invited without {missing}; if they were disabled, enable them {step}"
            ),
            Self::OwnUser => {
                f.write_str("what rolecall calls with is theirs, and may end with what they may do")
            }
            Self::InvitationBesideMember { role, harmless: true, .. } => {
                write!(f, "is in already, and an invitation as `{role}` is listed besides, which gives nothing more")
            }
            Self::InvitationBesideMember { role, harmless: false, step } => write!(
                f,
                "is in already, and an invitation as `{role}` is open besides, which no call takes back; whoever follows it may get that role. Look {step}"
            ),
            Self::NotListed { step } => {
                write!(f, "nobody who is listed has this id; perhaps they were disabled. Enable them {step}")
            }
            Self::Disabled { since, step } => {
                write!(f, "disabled by rolecall on {}, and no call enables; do it {step}", day(since))
            }
            Self::StillListed { since, refused, step } => write!(
                f,
                "has to go; disabling was sent on {}, {}. Look {step}: whoever isn't there is still in, and `--assert` sends it again",
                day(since),
                if *refused {
                    "its answer was lost, and the platform refused it when it was sent again"
                } else {
                    "and the platform lists them as before"
                }
            ),
            Self::PerhapsDisabled { since, step } => write!(
                f,
                "disabling was sent on {} and may have had an effect, although the platform lists them. Look {step}; `--assert` has their role written anew, which settles it",
                day(since)
            ),
            Self::KeysByHand { step } => write!(f, "no call knows of keys; see to them {step}"),
            Self::InvitationVanished { since } => write!(
                f,
                "the invitation of {} is gone and wasn't accepted; `reinvite_expired: true` in the file sends another",
                day(since)
            ),
            Self::InvitationUnsure { since } => write!(
                f,
                "the answer to the invitation of {} was lost, so the mail may be out; ask them, or send another with `--assert`",
                day(since)
            ),
            Self::InvitationCannotBeCancelled { since } => write!(
                f,
                "invited on {} and not in the list, so out of reach; cancel the invitation in the web app",
                day(since)
            ),
            Self::AwaitingApproval { since } => write!(
                f,
                "sent on {} and not seen in effect; perhaps it awaits approval. It isn't sent again unless asked with `--assert`",
                day(since)
            ),
            Self::Superseded => {
                f.write_str("keeps working until its successor is delivered; a later plan retires it")
            }
            Self::WouldLose { fields } => write!(
                f,
                "an earlier update cleared what it doesn't carry, so this one would clear the {fields}; change it by hand, or accept that with `--assert`"
            ),
            Self::OwnAccess => f.write_str("rolecall itself calls with this, and would lock itself out"),
            Self::PerhapsOwnAccess => f.write_str(
                "rolecall may itself be calling with this key, since its credential doesn't tell; where the file has `own`, name the one it uses there",
            ),
            Self::Protected => f.write_str("protected by the file's guardrails"),
            Self::ByHand { field, live, desired, step } => match live {
                Some(live) => write!(f, "{field} is `{live}`, wished `{desired}`: {step}"),
                None => write!(f, "{field} is empty, wished `{desired}`: {step}"),
            },
            Self::Unreadable { list, why } => write!(f, "the list of {list} is incomplete: {why}"),
            Self::Locked => f.write_str("built in, and never touched"),
            Self::Owner { must_go: false } => {
                f.write_str("the owner, who may do everything whatever their role; never touched")
            }
            Self::Owner { must_go: true } => {
                f.write_str("the owner, whom no call can remove: transfer the ownership in the web app first")
            }
            Self::ExternallyManaged { must_go: false } => f.write_str(
                "provisioned by another system (SCIM), which alone may change them; `--assert` asks again",
            ),
            Self::ExternallyManaged { must_go: true } => f.write_str(
                "has to go, and is provisioned by another system (SCIM), which alone may change them: deactivate them in the identity provider",
            ),
            Self::OwnKey => f.write_str("what rolecall itself calls with"),
            Self::LeftAgain { since, step } => {
                write!(
                    f,
                    "accepted the invitation of {} and is no member any more; whoever took them out may have had a reason, so another is sent only with `--assert`",
                    day(since)
                )?;
                step.as_ref().map_or(Ok(()), |step| write!(f, "; or enable them {step}"))
            }
            Self::RoleHeld { role } => {
                write!(f, "the role `{role}` can't be given, since what the file desired_users of it is held itself")
            }
            Self::ProtectsHolders { holders } => {
                write!(f, "would change what {} may do, whom the file's guardrails protect", names(holders))
            }
            Self::NoCall => write!(f, "no call of the platform makes this change; it is for a person"),
            Self::NotContained { role, step } => write!(
                f,
                "has to go and keeps everything, since the role `{role}` can't be had as it has to be; {step}"
            ),
            Self::RoleInUse { by } => {
                write!(f, "still held by {}, whom this plan gives no other role", names(by))
            }
            Self::RoleOutOfSight { role } => write!(
                f,
                "the role `{role}` isn't among those that the platform lists, which are not all; give it in the web app, or delete roles that nobody needs"
            ),
            Self::RoleExistsUnlisted => f.write_str(
                "the platform has a role of this name and doesn't list it, as it lists 50 at most; delete roles that nobody needs, or manage this one in the web app",
            ),
            Self::MemberUnlisted => f.write_str(
                "the platform says that they are a member already, and its list of members doesn't show them; look in the web app, and report the platform's paging",
            ),
            Self::NotTaken { since, why } => write!(
                f,
                "sent on {}, answered, and not seen in effect since: {}. It isn't sent again unless asked with `--assert`",
                day(since),
                why.as_deref().unwrap_or("the platform drops a part of it")
            ),
            Self::InvitedWithoutAccess { since } => write!(
                f,
                "invited{} without access, which this server's invitations can't limit; role and resources follow once it is accepted",
                on(since)
            ),
            Self::RolesFollow { since } => write!(
                f,
                "invited{}; the roles that an invitation can't carry follow once it is accepted",
                on(since)
            ),
            Self::OnlyAdminElsewhere { organizations } => write!(
                f,
                "nobody else administrates the organisation {}; make somebody else an admin there first",
                organizations.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
            Self::PerhapsOnlyAdmin => f.write_str(
                "the platform doesn't tell which organisations nobody else administrates; look it up, then send this with `--assert`",
            ),
            Self::AwaitsOrganization => f.write_str("follows once the organisation is there"),
            Self::OrganizationUnsure { since } => write!(
                f,
                "its making was sent on {}, and it isn't listed; look whether it is there under another slug. `--assert` has it made once more, which may cost once more",
                day(since)
            ),
            Self::LastTeam { default: true } => f.write_str(
                "the team that came with the organisation; `allow: [default-team-deletion]` in the file lets it be deleted",
            ),
            Self::LastTeam { default: false } => f.write_str(
                "the last team of the organisation; `allow: [default-team-deletion]` in the file lets it be deleted",
            ),
            Self::TeamHeld { team } => {
                write!(f, "nobody can be put into the team `{team}`, since what the file desired_users of it is held itself")
            }
            Self::Unapproved { step } => {
                write!(f, "waits until an administrator of the platform lets them in: {step}")
            }
            Self::Suspended { step } => {
                write!(f, "deactivated in this organisation by another hand, and no call of rolecall's undoes it: {step}")
            }
            Self::Shielded => f.write_str("the platform says that this account isn't to be touched"),
            Self::Contained { step } => write!(f, "has to go, and no call removes them: {step}"),
        }
    }
}

/// The first few, and how many more.
fn names(addresses: &[Address]) -> String {
    const SHOWN: usize = 5;
    let names: Vec<String> = addresses.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = addresses.len().saturating_sub(SHOWN);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}
