//! Null propagation in answers. async-graphql leaves a failed field out of its object. GraphQL wants null there,
//! or, if the field can't be null, null in place of the object.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{BaseType, Directive, ExecutableDocument, Selection, SelectionSet, Type};
use async_graphql::{Name, Positioned, Value, Variables};
use serde_json::Value as Json;

use super::shape::Shape;

pub struct Completion<'a> {
    pub shape: &'a Shape,
    pub document: &'a ExecutableDocument,
    pub variables: &'a Variables,
    /// The paths of the errors.
    pub failed: Vec<Vec<Json>>,
}

impl Completion<'_> {
    /// Completes an object of type `on`. Returns `None` if a field is missing that can't be null.
    pub fn object(&self, on: &str, set: &SelectionSet, path: &mut Vec<Json>, resolved: &Value) -> Option<Value> {
        let mut completed = IndexMap::new();
        self.add_fields(on, set, path, resolved, &mut completed)?;
        Some(Value::Object(completed))
    }

    fn add_fields(
        &self,
        on: &str,
        set: &SelectionSet,
        path: &mut Vec<Json>,
        resolved: &Value,
        completed: &mut IndexMap<Name, Value>,
    ) -> Option<()> {
        for selection in &set.items {
            if self.is_skipped(selection.node.directives()) {
                continue;
            }
            match &selection.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.clone();
                    let value = if let Value::Object(fields) = resolved { fields.get(&key) } else { None };
                    let value = value.unwrap_or(&Value::Null);
                    let known = self.shape.objects.get(on).and_then(|it| it.get(field.node.name.node.as_str()));
                    path.push(Json::from(key.as_str()));
                    let value = match known {
                        Some(known) => self.value(&known.kind, &field.node.selection_set.node, path, value),
                        // An introspection field, which never fails.
                        None => Some(value.clone()),
                    };
                    path.pop();
                    merge(completed, key, value?);
                }
                Selection::InlineFragment(fragment) => {
                    self.add_fields(on, &fragment.node.selection_set.node, path, resolved, completed)?;
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.node.fragment_name.node) {
                        self.add_fields(on, &fragment.node.selection_set.node, path, resolved, completed)?;
                    }
                }
            }
        }
        Some(())
    }

    fn value(&self, kind: &Type, set: &SelectionSet, path: &mut Vec<Json>, resolved: &Value) -> Option<Value> {
        let completed = match (&kind.base, resolved) {
            (BaseType::List(inner), Value::List(items)) => {
                let mut completed = Vec::new();
                for (at, item) in items.iter().enumerate() {
                    path.push(Json::from(at));
                    let item = self.value(inner, set, path, item);
                    path.pop();
                    completed.push(item);
                }
                completed.into_iter().collect::<Option<Vec<_>>>().map(Value::List)
            }
            // async-graphql answers null for an object whose fields all failed, so only an object without errors
            // below it is really null.
            (BaseType::Named(_), Value::Null) if !self.failed_below(path) => None,
            (BaseType::Named(name), _) if self.shape.objects.contains_key(name.as_str()) => {
                self.object(name, set, path, resolved)
            }
            (_, Value::Null) => None,
            _ => Some(resolved.clone()),
        };
        completed.or_else(|| kind.nullable.then_some(Value::Null))
    }

    fn failed_below(&self, path: &[Json]) -> bool {
        self.failed.iter().any(|failed| failed.len() > path.len() && failed.starts_with(path))
    }

    fn is_skipped(&self, directives: &[Positioned<Directive>]) -> bool {
        directives.iter().any(|directive| {
            let skipping = match directive.node.name.node.as_str() {
                "skip" => true,
                "include" => false,
                _ => return false,
            };
            let condition = directive.node.get_argument("if").and_then(|argument| {
                let value = argument.node.clone();
                value.into_const_with(|name| self.variables.get(&name).cloned().ok_or(())).ok()
            });
            condition == Some(skipping.into())
        })
    }
}

/// Merges the values of a response key that is selected more than once.
fn merge(into: &mut IndexMap<Name, Value>, key: Name, value: Value) {
    match (into.get_mut(&key), value) {
        (Some(Value::Object(existing)), Value::Object(added)) => {
            for (key, value) in added {
                merge(existing, key, value);
            }
        }
        (Some(Value::List(existing)), Value::List(added)) => {
            for (existing, added) in existing.iter_mut().zip(added) {
                if let (Value::Object(existing), Value::Object(added)) = (existing, added) {
                    for (key, value) in added {
                        merge(existing, key, value);
                    }
                }
            }
        }
        (_, value) => {
            into.insert(key, value);
        }
    }
}
