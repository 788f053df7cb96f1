//! The checks of endpoints and credentials. A file contains the places of credentials, never the credentials
//! themselves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::check::Checker;
use super::endpoint::check_url;
use super::field::Field;
use super::raw::{PathText, RawCredential, RawEndpoint, RawSecretEndpoint, VariableText};
use super::source::Mark;
use rolecall_model::{Code, Credential, Endpoint, Finding, Placed};

impl Checker<'_> {
    pub fn endpoint(&mut self, field: Field<RawEndpoint>) -> Option<Placed<Endpoint>> {
        let mark = field.mark;
        match field.value? {
            RawEndpoint::Env(name) => self.variable(name).map(|name| self.placed(mark, Endpoint::Env(name))),
            RawEndpoint::Url(text) => {
                let place = self.place(mark);
                match check_url(&text) {
                    Ok(_) => Some(Placed { value: Endpoint::Url(text), place }),
                    Err((code, message, hint)) => {
                        let finding = Finding::error(code, place, message).hint(hint);
                        let literal = code == Code::LiteralCredential;
                        self.push(if literal { finding.without_source() } else { finding });
                        None
                    }
                }
            }
        }
    }

    /// Checks an endpoint whose URL is a secret, so that the URL must not be written in the file.
    pub fn secret_endpoint(&mut self, field: Field<RawSecretEndpoint>) -> Option<Placed<Endpoint>> {
        let Field { mark, value } = field;
        match value?.0 {
            named @ RawEndpoint::Env(_) => self.endpoint(Field { mark, value: Some(named) }),
            RawEndpoint::Url(_) => {
                let place = self.place(mark);
                let message = "The endpoint is written in the file, but its path contains a token of the company.";
                self.push(
                    Finding::error(Code::LiteralCredential, place, message)
                        .hint("Put the URL into an environment variable and write `endpoint: { env: NAME }`. Replace the token, because it was written in a file.")
                        .without_source(),
                );
                None
            }
        }
    }

    pub(super) fn variable(&mut self, field: Field<VariableText>) -> Option<String> {
        let VariableText(name) = field.value?;
        let mut letters = name.chars();
        let starts_well = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if starts_well && letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Some(name);
        }
        // The text isn't quoted, because it may be the credential itself.
        let place = self.place(field.mark);
        self.push(
            Finding::error(Code::InvalidValue, place, "This is not the name of an environment variable.")
                .hint("Write the variable's name, never its value. A name consists of letters, digits and underscores.")
                .without_source(),
        );
        None
    }

    pub(super) fn path(&mut self, field: Field<PathText>) -> Option<String> {
        let PathText(path) = field.value?;
        if path.is_empty() || path.contains('\0') {
            let place = self.place(field.mark);
            self.push(
                Finding::error(Code::InvalidValue, place, "This is not a path.")
                    .hint("Write the path of a file.")
                    .without_source(),
            );
            return None;
        }
        Some(path)
    }

    pub(super) fn command(&mut self, mark: Mark, words: Vec<Field<PathText>>) -> Option<Vec<String>> {
        let program = words.first().and_then(|word| word.value.as_ref());
        if words.is_empty() || program.is_some_and(|PathText(program)| program.is_empty()) {
            self.invalid(mark, "The command is empty.".to_owned(), "Name a program: `[PROGRAM, ARGUMENT]`.");
            return None;
        }
        words.into_iter().map(|word| word.value.map(|PathText(word)| word)).collect()
    }

    /// Checks the credentials that are in the file, by name. Returns `None` if one of them is wrong.
    pub fn credentials<const N: usize>(
        &mut self,
        named: [(&'static str, Option<Field<RawCredential>>); N],
    ) -> Option<BTreeMap<&'static str, Placed<Credential>>> {
        let mut credentials = BTreeMap::new();
        let mut complete = true;
        for (name, field) in named {
            let Some(field) = field else { continue };
            match self.credential(field) {
                Some(credential) => {
                    credentials.insert(name, credential);
                }
                None => complete = false,
            }
        }
        complete.then_some(credentials)
    }

    pub fn credential(&mut self, field: Field<RawCredential>) -> Option<Placed<Credential>> {
        let credential = match field.value? {
            RawCredential::Env(name) => self.variable(name).map(Credential::Env),
            RawCredential::File(path) => self.path(path).map(|path| Credential::File(PathBuf::from(path))),
            RawCredential::Command(words) => self.command(field.mark, words).map(Credential::Command),
        };
        credential.map(|credential| self.placed(field.mark, credential))
    }
}
