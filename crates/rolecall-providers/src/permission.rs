//! The permissions that a credential needs for mutations, and whether it has them.

use rolecall_graphql::CallError;
use rolecall_model::{Desired, Kind, Scope};

/// A permission that the platform asks of a credential before it accepts certain mutations.
#[derive(Debug)]
pub struct Permission {
    /// Its name at the platform, with its kind, such as "the permission `member:modify`".
    pub name: &'static str,
    /// The mutations that need it.
    pub operations: &'static [&'static str],
    /// Whether an apply of a file may need one of these mutations, now or after a change of live.
    pub is_needed: fn(&Desired) -> bool,
    /// Advice for a credential that lacks it: a full sentence that says what to grant and where.
    pub grant: &'static str,
}

/// Tells whether a credential has a permission. Each reason is a clause that goes on after "because".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permitted {
    Yes(String),
    No(String),
    /// The platform doesn't tell, or couldn't be asked.
    Unknown(String),
}

/// A permission, and whether the credential has it.
pub type Answered = (&'static Permission, Permitted);

impl Permitted {
    /// Reads the answer to a probe: a mutation that names nothing that exists. A platform checks the credential first, so
    /// every error but a refusal of the credential shows that it got past that check.
    pub(crate) fn of_probe(answer: &Result<serde_json::Value, CallError>) -> Self {
        const WORDS: &[&str] =
            &["permission", "capabilit", "forbidden", "not allowed", "unauthori", "not authori", "access denied"];
        match answer {
            Ok(data) if is_null(data) => Self::Unknown(
                "the platform answered a harmless mutation with null, which can mean both".to_owned(),
            ),
            Ok(_) => Self::Yes("the platform accepted a mutation that names nobody".to_owned()),
            Err(CallError::CredentialRefused(why)) => {
                Self::No(format!("the platform refused a mutation that names nobody ({why})"))
            }
            Err(error @ (CallError::GraphQl(_) | CallError::Partial(_))) => {
                let told = error.to_string();
                let lower = told.to_lowercase();
                if WORDS.iter().any(|word| lower.contains(word)) {
                    Self::No(format!("the platform refused a mutation that names nobody: {told}"))
                } else if error.effect() == rolecall_graphql::PossibleEffect::None {
                    Self::Yes(
                        "the platform looked for the person that a harmless mutation names, and found nobody"
                            .to_owned(),
                    )
                } else {
                    Self::Unknown(told)
                }
            }
            Err(error) => Self::Unknown(error.to_string()),
        }
    }
}

/// Returns whether all root fields of some data are null.
fn is_null(data: &serde_json::Value) -> bool {
    data.as_object().is_none_or(|fields| fields.values().all(serde_json::Value::is_null))
}

/// Returns whether an apply of this file may change entities of this kind.
pub(crate) fn changes(desired: &Desired, kind: Kind) -> bool {
    let (listed, scope) = match kind {
        Kind::Organization => (desired.organization_entity.is_some(), Scope::Listed),
        Kind::Team => (!desired.teams.is_empty(), desired.manage.teams),
        Kind::Role => (!desired.roles.is_empty(), desired.manage.roles),
        Kind::User | Kind::Invitation => (!desired.users.is_empty(), desired.manage.users),
        Kind::Key => (!desired.keys.is_empty(), desired.manage.keys),
    };
    listed || scope == Scope::All
}

#[cfg(test)]
mod tests {
    use super::*;
    use rolecall_graphql::{Redactor, Response, parse};

    #[test]
    fn an_answer_to_a_probe_says_what_it_shows() {
        for (status, body, told) in [
            (200, r#"{"data":{"disableUser":{"ok":true}}}"#, "yes"),
            (200, r#"{"data":{"disableUser":{"ok":false}}}"#, "yes"),
            (200, r#"{"data":null,"errors":[{"message":"no user has this uid","path":["disableUser"]}]}"#, "yes"),
            (200, r#"{"data":null,"errors":[{"message":"this API key lacks the capability"}]}"#, "no"),
            (200, r#"{"data":null,"errors":[{"message":"no","extensions":{"code":"FORBIDDEN"}}]}"#, "no"),
            (401, "", "no"),
            (403, r#"{"message":"no"}"#, "no"),
            (200, r#"{"data":{"disableUser":null}}"#, "unknown"),
            (200, r#"{"data":null,"errors":[{"message":"internal server error"}]}"#, "unknown"),
            (502, "", "unknown"),
            (200, "<html>", "unknown"),
        ] {
            let response = Response::new(status, body.as_bytes().to_vec());
            let permitted = Permitted::of_probe(&parse(&response, &Redactor::default()));
            let answer = match permitted {
                Permitted::Yes(_) => "yes",
                Permitted::No(_) => "no",
                Permitted::Unknown(_) => "unknown",
            };
            assert_eq!(answer, told, "{status} {body}");
        }
    }
}
