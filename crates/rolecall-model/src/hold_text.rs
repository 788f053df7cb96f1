//! The sentences of a [`HoldReason`], as people read them in reports after the address and the class of a hold.

use std::fmt;

use jiff::Timestamp;

use super::{Address, HoldReason, Known, RoleName, list_of};

impl fmt::Display for HoldReason {
    #[expect(clippy::too_many_lines, reason = "a sentence for each")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |since: &Timestamp| since.strftime("%Y-%m-%d").to_string();
        let on =
            |since: &Option<Timestamp>| since.as_ref().map(|at| format!(" on {}", day(at))).unwrap_or_default();
        match self {
            Self::Tolerated { roles, until, reason } => {
                let roles: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
                let roles = list_of(&roles, "and");
                write!(f, "Given by hand and tolerated until {until}: {roles}. Reason: {}.", reason.trim_end_matches('.'))
            }
            Self::Unmanaged { privileged: false, .. } => f.write_str("Not in the file."),
            Self::Unmanaged { privileged: true, known: None } => f.write_str(
                "Not in the file, and gives privileged access. Add it to the file, with `absent: true` if it must not exist. If it is right as it is, name it under `acknowledged`.",
            ),
            Self::Unmanaged { privileged: true, known: Some(Known::Acknowledged) } => {
                f.write_str("Not in the file, and gives privileged access. The file acknowledges it.")
            }
            Self::Unmanaged { privileged: true, known: Some(Known::Own) } => f.write_str(
                "Not in the file, and gives privileged access. rolecall signs in with a credential of this user.",
            ),
            Self::PrivilegeNotWritten { field, live } => write!(
                f,
                "The file doesn't say `{field}`, and the live value `{live}` gives privileged access. Write `{field}`. If it is right as it is, name the address under `acknowledged`."
            ),
            Self::DisabledAndAbsent => f.write_str(
                "The user doesn't exist, and the file says that they are disabled. rolecall doesn't invite a user to disable them.",
            ),
            Self::InvitationPending { since } => {
                write!(f, "Invited{}. The user has not accepted yet.", on(since))
            }
            Self::InvitationExpired { wanted: true, step } => write!(
                f,
                "The invitation has expired. Set `reinvite_expired: true` in the file to send another, or send it manually: {}.",
                open(step)
            ),
            Self::InvitationExpired { wanted: false, .. } => f.write_str(
                "The file doesn't ask for this invitation. It has expired and gives no access, so nothing needs to be done.",
            ),
            Self::InvitationGivesEnded { since, ended, until, step } => {
                let named = ended.iter().map(|Address { kind, name, .. }| format!("the {} `{name}`", kind.as_str()));
                let ended: Vec<String> = named.collect();
                write!(f, "Invited{} with {}, which ended on {until}. ", on(since), ended.join(", "))?;
                match step {
                    Some(step) => write!(f, "The API can't change the invitation. Cancel it manually: {}.", open(step))?,
                    None => f.write_str(
                        "An invitation needs a team. Add one to the entry, or write `absent: true` to cancel the invitation.",
                    )?,
                }
                f.write_str(" If the user accepts first, the next apply takes what has ended.")
            }
            Self::InvitationNotCancellable { since, ended: Some(until), step } => write!(
                f,
                "The access of this user ended on {until}. They were invited{}, and the API can't cancel the invitation. Cancel it manually: {}. If the user accepts first, the next apply removes them.",
                on(since),
                open(step)
            ),
            Self::InvitationNotCancellable { since, ended: None, step } => write!(
                f,
                "The user must be removed and was invited{}, and the API can't cancel the invitation. Cancel it manually: {}. If the user accepts first, the next apply removes them.",
                on(since),
                open(step)
            ),
            Self::InvitationNotListed { since, step } => write!(
                f,
                "The invitation of {} is no longer listed. Either it was cancelled, or the user accepted and was disabled later. If they were disabled, enable them manually: {}. Use `--assert` to send another invitation.",
                day(since),
                open(step)
            ),
            Self::Incomplete { missing, step } => write!(
                f,
                "The user doesn't exist, and an invitation also needs: {missing}. Add it to the file. If the user was disabled, enable them manually: {}.",
                open(step)
            ),
            Self::OwnUser => f.write_str(
                "This is rolecall's own user. rolecall's credential may stop working if the user loses access. Use another user's credential first.",
            ),
            Self::MemberInvited { role, harmless: true, .. } => write!(
                f,
                "The user is already a member. An invitation with the role `{role}` is still listed, but it gives no more access."
            ),
            Self::MemberInvited { role, harmless: false, step } => write!(
                f,
                "The user is already a member, but an invitation with the role `{role}` is still open, and the API can't cancel it. Anyone who accepts it may get that role. Cancel it manually: {}.",
                open(step)
            ),
            Self::NotListed { step } => write!(
                f,
                "No listed user has the id in the file. The user may be disabled. If so, enable them manually: {}.",
                open(step)
            ),
            Self::Disabled { since, step } => write!(
                f,
                "rolecall disabled the user on {}, and the API can't enable users. Enable them manually: {}.",
                day(since),
                open(step)
            ),
            Self::DisableNotSeen { since, refused, step } => write!(
                f,
                "The user must be removed. rolecall sent a request to disable them on {}. {} Check whether they are disabled: {}. If they aren't, use `--assert` to send the request again.",
                day(since),
                if *refused {
                    "Its answer was lost, and the platform refused the request when it was sent again."
                } else {
                    "The platform still lists them as before."
                },
                open(step)
            ),
            Self::MaybeDisabled { since, step } => write!(
                f,
                "rolecall sent a request to disable the user on {}. The user may be disabled, although the platform lists them. Check whether they are: {}. Or use `--assert`: it writes their role again, and the platform's answer settles the question.",
                day(since),
                open(step)
            ),
            Self::KeysUnsupported { step } => {
                write!(f, "The API has no operations for keys. Manage keys manually: {}.", open(step))
            }
            Self::InvitationVanished { since } => write!(
                f,
                "The invitation of {} has disappeared and was not accepted. Set `reinvite_expired: true` in the file to send another.",
                day(since)
            ),
            Self::InvitationEnded { since, newcomers } => {
                write!(
                    f,
                    "The invitation of {} is no longer listed, and it can't have expired yet. Either it was cancelled, or somebody with another address used its link.",
                    day(since)
                )?;
                if !newcomers.is_empty() {
                    write!(f, " These members are new since then: {}.", names(newcomers))?;
                }
                f.write_str(" Look for the reason, then use `--assert` to send another.")
            }
            Self::InvitationMailUnproven { since, step } => write!(
                f,
                "Invited{}, but it isn't certain that the mail was sent. Ask the user. {}.",
                on(since),
                step.as_ref().map_or_else(
                    || "Use `--assert` to send another".to_owned(),
                    |step| format!("Or send another manually: {}", open(step))
                )
            ),
            Self::InvitationUnsure { since } => write!(
                f,
                "The answer to the invitation of {} was lost, so the mail may have been sent. Ask the user, or use `--assert` to send another.",
                day(since)
            ),
            Self::InvitationCannotBeCancelled { since, ended } => {
                if let Some(until) = ended {
                    write!(f, "The access of this user ended on {until}. ")?;
                }
                write!(
                    f,
                    "Invited on {}, but the platform doesn't list the user, so rolecall can't change them. Cancel the invitation in the web app.",
                    day(since)
                )
            }
            Self::AwaitingApproval { since } => write!(
                f,
                "rolecall sent this change on {}, but a later read doesn't show it. It may be waiting for approval. Use `--assert` to send it again.",
                day(since)
            ),
            Self::Overlap { until, not_to } if not_to.is_empty() => {
                write!(f, "Its successor is delivered, and both work until {until}. A later plan then retires this key.")
            }
            Self::Overlap { until, not_to } => write!(
                f,
                "Both this key and its successor work until {until}. The secret of the successor wasn't delivered to {}. Bring it there before then. Only a reviewed apply retires this key.",
                not_to.join(" and ")
            ),
            Self::PredecessorWorks { predecessor, until } => {
                let until = until.map_or_else(String::new, |until| format!(" until {until}"));
                write!(
                    f,
                    "The file asks for other values, and the predecessor {predecessor} of this key still works{until}. A plan after its end creates the new key. To go on now, list {predecessor} with its `id` and `absent: true` beside the entry, and apply twice."
                )
            }
            Self::OwnKeySuperseded { until, step } => {
                let until = until.map_or_else(String::new, |until| format!(" Both work until {until}."));
                write!(
                    f,
                    "The successor of this key is delivered.{until} {step} A later run that signs in with the successor retires this key."
                )
            }
            Self::OwnKeyDue { maybe: true, .. } => f.write_str(
                "The key is due for rotation, and rolecall may sign in with it, because nothing tells which key signs in. If the file can have `own`, name rolecall's own key there.",
            ),
            Self::OwnKeyDue { maybe: false, overdue } => {
                let overdue = overdue.map_or_else(String::new, |since| format!(", and overdue since {since}"));
                write!(
                    f,
                    "The key is due for rotation{overdue}, and rolecall signs in with it. Add `rotate_own: true` to the entry, or replace the key manually: create another one, and store it where `credentials` points."
                )
            }
            Self::KeyAgeUnknown => f.write_str(
                "The API doesn't tell how old this key is. For `max_age`, its age counts from the next apply.",
            ),
            Self::Superseded { overlap, expires } => {
                f.write_str("This key works until its successor is delivered")?;
                if let Some(overlap) = overlap {
                    write!(f, ", and for {overlap} after that")?;
                }
                if let Some(expires) = expires {
                    write!(f, ", but not after its expiry on {expires}")?;
                }
                f.write_str(". A later plan then disables or deletes it.")
            }
            Self::WouldLose { fields } => write!(
                f,
                "An earlier update cleared values that it didn't contain, so this update would clear the {fields}. Change the user manually, or use `--assert` to accept the loss."
            ),
            Self::OwnAccess => f.write_str(
                "rolecall signs in with a key that belongs here, so this change would lock rolecall out. Use another credential first.",
            ),
            Self::MaybeOwnAccess => f.write_str(
                "rolecall may sign in with this key, and its credential doesn't show which key it is. If the file can have `own`, name rolecall's own key there.",
            ),
            Self::Protected { .. } => {
                f.write_str("The file's guardrails protect this entity, so rolecall doesn't change it.")
            }
            Self::ManualStep { field, live, desired, step } => {
                let live = live.as_ref().map_or_else(|| "empty".to_owned(), |live| format!("`{live}`"));
                write!(f, "The file says `{desired}`, but {field} is {live}. Manual step: {}.", open(step))
            }
            Self::Unplannable { why, .. } => write!(f, "This entry is skipped, and the others are planned. {why}"),
            Self::Unreadable { list, why } => write!(
                f,
                "The list of {list} is incomplete: {}. rolecall makes no change that depends on a missing entry.",
                open(why)
            ),
            Self::UnreadableRow { why, covered: false } => {
                write!(f, "The platform lists it in a form that can't be read: {why}.")
            }
            Self::UnreadableRow { why, covered: true } => write!(
                f,
                "The platform lists it in a form that can't be read: {why}. rolecall leaves it as it is, so check it in the web app."
            ),
            Self::Locked => f.write_str("This role is built in, and rolecall never changes it."),
            Self::Owner { must_be_removed: false } => f.write_str(
                "This user is the owner and can do everything, whatever their role. rolecall never changes the owner.",
            ),
            Self::Owner { must_be_removed: true } => f.write_str(
                "The user must be removed, but is the owner, and the API can't remove an owner. Transfer the ownership in the web app first.",
            ),
            Self::OwnKey => f.write_str("rolecall signs in with this key, and the file doesn't list it."),
            Self::NoLongerMember { since, step } => {
                write!(
                    f,
                    "The user accepted the invitation of {} and is no longer a member. Somebody may have removed them for a reason, so rolecall sends another only with `--assert`.",
                    day(since)
                )?;
                step.as_ref().map_or(Ok(()), |step| {
                    write!(f, " If the user was disabled, enable them manually: {}.", open(step))
                })
            }
            Self::WasMember { since, step } => {
                write!(
                    f,
                    "The user was a member on {} and no longer is. Somebody may have removed them for a reason, so rolecall invites them only with `--assert`.",
                    day(since)
                )?;
                step.as_ref().map_or(Ok(()), |step| {
                    write!(f, " If the user was disabled, enable them manually: {}.", open(step))
                })
            }
            Self::Renamed { now } => write!(
                f,
                "The account that had this address is {now} now. If it is the same person, write that address in the file. To invite another person, use `--assert`."
            ),
            Self::RenamedFrom { before } => write!(
                f,
                "This account had the address of {before} before, and the file lists it under that address. If it is the same person, write the new address in the file."
            ),
            Self::PreviousName { of } => write!(
                f,
                "The file says that this is a previous name of {of}, and both are live, or several of its previous names are. rolecall renames and deletes neither. Look which one is meant, then remove this name from `previously`."
            ),
            Self::RoleSkipped { role } => write!(
                f,
                "The role `{role}` can't be given, because the change that the file asks for that role is skipped."
            ),
            Self::ProtectsHolders { holders, .. } => write!(
                f,
                "This change would also change the access of {}, and the file's guardrails protect them.",
                names(holders)
            ),
            Self::HoldersStay { holders, .. } => write!(
                f,
                "The role would gain permissions, and rolecall can't read or can't move {}. They have the role or may have it, and the file doesn't keep them in it, so they would get more than it grants. Their own lines say what to mend. If they may have the role, name them under `acknowledged`.",
                names(holders)
            ),
            Self::NoMutation => f.write_str("The API has no mutation for this change. Make it in the web app."),
            Self::AccessNotRemoved { role, step } => write!(
                f,
                "The user must be removed but keeps all access, because the role `{role}` can't be used to take it away. Remove the user manually: {}.",
                open(step)
            ),
            Self::RoleKept { role, step } => write!(
                f,
                "The user must be removed, and the API can't remove them. They lose all resources, but keep what the role `{role}` allows in the organisation itself, because no role without permissions can be used. Remove them manually: {}.",
                open(step)
            ),
            Self::RoleInUse { by } => write!(
                f,
                "The role can't be deleted. This plan gives no other role to its users: {}.",
                names(by)
            ),
            Self::RoleNotListed { role, must_be_removed } => write!(
                f,
                "The platform's list of roles is incomplete and doesn't contain the role `{role}`, which may exist. {} the role in the web app, or delete roles that nobody needs.",
                if *must_be_removed { "Delete" } else { "Look for" }
            ),
            Self::RoleExistsUnlisted => f.write_str(
                "The platform has a role of this name, but the last read didn't list it. Perhaps somebody has just created it: plan again. If it is still not listed, the platform lists too few roles: delete roles that nobody needs, or manage this one in the web app.",
            ),
            Self::NotTaken { since, why } => write!(
                f,
                "rolecall sent this change on {} and the platform accepted it, but no later read shows it. Possible reason: {}. Use `--assert` to send it again.",
                day(since),
                open(why.as_deref().unwrap_or("the platform drops a part of the change"))
            ),
            Self::InvitedWithoutAccess { since } => write!(
                f,
                "Invited{} without access, because this server's invitations can't limit it. Role and resources follow after the user accepts.",
                on(since)
            ),
            Self::RolesFollow { since } => write!(
                f,
                "Invited{}. The roles that an invitation can't contain follow after the user accepts.",
                on(since)
            ),
            Self::NoSeat { taken, seats, missing } => write!(
                f,
                "{taken} of {seats} seats are taken, and this plan needs {missing} more. Raise `seats` in `settings`, or remove users or invitations."
            ),
            Self::TooFewSeats { seats, needed } => write!(
                f,
                "The file says `seats: {seats}`, and {needed} are needed after this plan. Write at least {needed}, or remove users or invitations."
            ),
            Self::OnlyAdminElsewhere { organizations } => write!(
                f,
                "The user is the only admin of the organisation {}. Make somebody else an admin there first.",
                organizations.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
            Self::MaybeOnlyAdmin => f.write_str(
                "The platform doesn't show whether the user is the only admin of an organisation. Look it up, then use `--assert` to send this change.",
            ),
            Self::AwaitsOrganization => f.write_str("This change follows after the organisation is created."),
            Self::OrganizationUnsure { since } => write!(
                f,
                "rolecall sent the creation of the organisation on {}, but the platform doesn't list it. Check whether it exists under another slug. Use `--assert` to create it again, which may be billed again.",
                day(since)
            ),
            Self::LastTeam { default: true } => f.write_str(
                "This team was created with the organisation. Set `allow: [default-team-deletion]` in the file to delete it.",
            ),
            Self::LastTeam { default: false } => f.write_str(
                "This is the last team of the organisation. Set `allow: [default-team-deletion]` in the file to delete it.",
            ),
            Self::TeamSkipped { team } => write!(
                f,
                "The user can't be added to the team `{team}`, because the change that the file asks for that team is skipped."
            ),
            Self::Unapproved { step } => write!(
                f,
                "The user waits until an administrator of the platform approves them: {}.",
                open(step)
            ),
            Self::Suspended { step } => write!(
                f,
                "Somebody else deactivated the user in this organisation, and the API can't undo that. Activate them manually: {}.",
                open(step)
            ),
            Self::MustNotBeChanged => f.write_str("The platform says that this account must not be changed."),
            Self::Platform { code: _, class: _, text } => f.write_str(text),
            Self::CannotBeRemoved { step } => write!(
                f,
                "The user must be removed, and the API can't remove them. Remove them manually: {}.",
                open(step)
            ),
        }
    }
}

/// Returns a phrase without its final period, so that it can be put into a sentence.
fn open(phrase: &str) -> &str {
    phrase.trim_end_matches('.')
}

/// Lists the first five addresses, and the number of the others.
fn names(addresses: &[Address]) -> String {
    const SHOWN: usize = 5;
    let names: Vec<String> = addresses.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = addresses.len().saturating_sub(SHOWN);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}
