//! Describes the switches of the sandboxes, as data for help texts, completions and errors.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Definition, definition};
use rolecall_model::{ProviderName, list_of};

/// A switch of a sandbox, which `rolecall sandbox --set NAME=VALUE` sets.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    pub name: &'static str,
    /// The values that the switch takes. A word in capital letters stands for a value of that kind.
    pub values: &'static [&'static str],
    /// One sentence that says what the switch does.
    pub about: &'static str,
}

/// The values of a switch that is on or off.
pub(super) const ON_OFF: &[&str] = &["true", "false"];

/// The values of a switch that takes an integer.
pub(super) const NUMBER: &[&str] = &["NUMBER"];

/// The values of a switch that takes any text.
pub(super) const TEXT: &[&str] = &["TEXT"];

impl Switch {
    /// Returns what people type to set the switch, such as `paging=broken|fixed`.
    pub fn syntax(&self) -> String {
        format!("{}={}", self.name, self.values.join("|"))
    }
}

/// Sets `name=value` in the switches of a world, through their JSON. Errors name the switches that exist, or the
/// values that the switch takes.
pub(super) fn set<T: Serialize + DeserializeOwned>(
    settings: &mut T,
    provider: ProviderName,
    assignment: &str,
) -> Result<(), String> {
    let switches = definition(provider).switches;
    let (name, text) = assignment
        .split_once('=')
        .ok_or_else(|| format!("`{assignment}` doesn't set a switch: write NAME=VALUE"))?;
    let Some(switch) = switches.iter().find(|switch| switch.name == name) else {
        let known: Vec<String> = switches
            .iter()
            .chain(definition(provider).events)
            .map(|switch| format!("{} ({})", switch.syntax(), switch.about))
            .collect();
        let has = |other: &&ProviderName| {
            let Definition { switches, events, .. } = definition(**other);
            switches.iter().chain(*events).any(|it| it.name == name)
        };
        let others = ProviderName::ALL.iter().filter(has);
        let others: Vec<String> = others.map(|other| format!("--provider {other}")).collect();
        let elsewhere = if others.is_empty() {
            String::new()
        } else {
            format!(" The switch belongs to {}.", list_of(&others, "and"))
        };
        return Err(format!(
            "the sandbox of {provider} has no switch `{name}`.{elsewhere} It has {}",
            known.join("; ")
        ));
    };
    let mut value = serde_json::to_value(&*settings).map_err(|why| why.to_string())?;
    let fields = value.as_object_mut().ok_or("these settings have no names")?;
    let parsed = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    fields.insert(name.to_owned(), parsed);
    *settings = serde_json::from_value(value).map_err(|_| {
        format!("the switch `{name}` can't be `{text}`. Write {}: {}", switch.syntax(), switch.about)
    })?;
    Ok(())
}
