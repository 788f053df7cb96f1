//! Converts ids for arguments: the same id is a text for one operation and a number for another (introspection of
//! January 2023).

use serde_json::Value;

use rolecall_model::RemoteId;

/// Returns an id as a number if it is one, or else as a text.
pub(super) fn number(id: &RemoteId) -> Value {
    id.as_str().parse::<i64>().map_or_else(|_| Value::String(id.to_string()), Value::from)
}

/// Returns the id in a variable of either form.
pub(super) fn id_in(value: &Value) -> Option<RemoteId> {
    match value {
        Value::String(text) => Some(RemoteId::seen(text.as_str())),
        Value::Number(number) => Some(RemoteId::seen(number.to_string())),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
