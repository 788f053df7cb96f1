//! References to things, and the platform's rules for texts.

use rolecall_model::is_plain_address;
use serde::Deserialize;

use super::access::{no_access, unexpected};
use super::world::World;
use crate::engine::FieldError;

/// A reference to something that has no name.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    pub by_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum OrganizationReference {
    ById(String),
    BySelector { organization_slug: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ProjectReference {
    ById(String),
    BySelector { organization_slug: String, project_slug: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum TargetReference {
    ById(String),
    BySelector { organization_slug: String, project_slug: String, target_slug: String },
}

impl OrganizationReference {
    /// Checks that this is the world's organisation. If it isn't, the error is the same as for a missing
    /// `permission`.
    pub fn find(&self, world: &World, permission: &str) -> Result<(), FieldError> {
        let found = match self {
            Self::BySelector { organization_slug } => *organization_slug == world.organization.slug,
            Self::ById(id) => *id == world.organization.id,
        };
        if found { Ok(()) } else { Err(no_access(permission)) }
    }
}

/// Checks that an id is a UUID. Measured on Hive 8.1.2: other ids fail in the database with an unexpected error.
pub fn uuid(id: &str) -> Result<&str, FieldError> {
    let fits = |(at, letter): (usize, u8)| match at {
        8 | 13 | 18 | 23 => letter == b'-',
        _ => letter.is_ascii_hexdigit(),
    };
    if id.len() == 36 && id.bytes().enumerate().all(fits) { Ok(id) } else { Err(unexpected()) }
}

/// The first error in each of two fields: a name or title, and a description.
pub type FieldErrors = (Option<String>, Option<String>);

pub fn trimmed(text: &str) -> &str {
    // JavaScript trims U+FEFF but not U+0085.
    text.trim_matches(|letter: char| letter == '\u{feff}' || (letter.is_whitespace() && letter != '\u{85}'))
}

/// Returns the length in UTF-16 units, as JavaScript counts.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

fn first_broken(rules: &[(bool, &str)]) -> Option<String> {
    rules.iter().find(|(broken, _)| *broken).map(|(_, message)| (*message).to_owned())
}

/// Checks a role's name and description.
pub fn role_input_errors(name: &str, description: &str) -> FieldErrors {
    let (name, description) = (trimmed(name), length(trimmed(description)));
    // JavaScript looks at one UTF-16 unit. Half of a surrogate pair equals its own upper case.
    let lower = name.chars().next().is_some_and(|c| c.len_utf16() == 1 && !c.to_uppercase().eq([c]));
    let name = first_broken(&[
        (length(name) < 2, "Role name must be at least 2 characters long"),
        (length(name) > 64, "Role name must be at most 64 characters long"),
        (lower, "Must start with a capital letter"),
        (matches!(name, "Viewer" | "Admin"), "Viewer and Admin are reserved"),
    ]);
    let description = first_broken(&[
        (description < 2, "Role description must be at least 2 characters long"),
        (description > 256, "Role description must be at most 256 characters long"),
    ]);
    (name, description)
}

/// Checks a token's title and description.
pub fn token_input_errors(title: &str, description: Option<&str>) -> FieldErrors {
    let title = trimmed(title);
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, ' ' | '_' | '-');
    let strange = title.is_empty() || !title.chars().all(allowed);
    let title = first_broken(&[
        (strange, r#"Can only contain letters, numbers, " ", "_", and "-"."#),
        (length(title) < 2, "Minimum length is 2 characters."),
        (length(title) > 100, "Maximum length is 100 characters."),
    ]);
    let long = description.is_some_and(|description| length(trimmed(description)) > 248);
    (title, first_broken(&[(long, "Maximum length is 248 characters.")]))
}

/// Checks an email address.
pub fn email_error(email: &str) -> Option<String> {
    first_broken(&[
        (!is_plain_address(email), "Invalid email"),
        (length(email) > 128, "Email must be at most 128 characters long"),
    ])
}
