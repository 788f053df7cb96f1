//! Words that shells offer as values of options. They don't restrict what people may type.

use std::ffi::OsStr;
use std::marker::PhantomData;
use std::str::FromStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, CommandFactory, Error, ValueEnum};

use super::Cli;
use crate::report::Format;
use rolecall_model::Kind;

/// A parser that reads a value with [`FromStr`] and offers words to the completion of shells.
#[derive(Clone)]
pub(super) struct Offer<T> {
    words: fn() -> Vec<PossibleValue>,
    parsed: PhantomData<fn() -> T>,
}

impl<T> Offer<T> {
    pub const fn new(words: fn() -> Vec<PossibleValue>) -> Self {
        Self { words, parsed: PhantomData }
    }
}

impl<T> TypedValueParser for Offer<T>
where
    T: FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        T::from_str.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.words)().into_iter()))
    }
}

/// Returns the beginnings of addresses: `user/`, `role/` and so on.
pub(super) fn addresses() -> Vec<PossibleValue> {
    let beginning = |kind: &Kind| match kind {
        Kind::Organization => kind.as_str().to_owned(),
        Kind::Team | Kind::Role | Kind::User | Kind::Invitation | Kind::Key => format!("{}/", kind.as_str()),
    };
    Kind::ALL.iter().map(|kind| PossibleValue::new(beginning(kind))).collect()
}

/// Returns the beginnings of reports in files: `markdown=` and so on.
pub(super) fn reports() -> Vec<PossibleValue> {
    let beginning = |format: &Format| {
        let about = format.to_possible_value().and_then(|value| value.get_help().cloned());
        PossibleValue::new(format!("{}=", format.as_str())).help(about.unwrap_or_default())
    };
    Format::value_variants().iter().map(beginning).collect()
}

/// Returns the names of the verbs.
pub(super) fn verbs() -> Vec<PossibleValue> {
    let command = Cli::command();
    command.get_subcommands().map(|verb| PossibleValue::new(verb.get_name().to_owned())).collect()
}
