//! Answers as GraphQL wants them: the engine leaves a field that failed out of its object, where it has to be null,
//! or its object has to be if it can't be.

use async_graphql::parser::types::{BaseType, Directive, ExecutableDocument, Selection, SelectionSet, Type};
use async_graphql::{Positioned, Variables};
use serde_json::{Map, Value};

use super::shape::Shape;

pub struct Completion<'a> {
    pub shape: &'a Shape,
    pub document: &'a ExecutableDocument,
    pub variables: &'a Variables,
    /// The paths of the errors.
    pub failed: Vec<Vec<Value>>,
}

impl Completion<'_> {
    /// The object of this type. None: a field that can't be null is missing.
    pub fn object(&self, on: &str, set: &SelectionSet, path: &mut Vec<Value>, found: &Value) -> Option<Value> {
        let mut completed = Map::new();
        self.add(on, set, path, found, &mut completed)?;
        Some(Value::Object(completed))
    }

    fn add(
        &self,
        on: &str,
        set: &SelectionSet,
        path: &mut Vec<Value>,
        found: &Value,
        completed: &mut Map<String, Value>,
    ) -> Option<()> {
        for selection in &set.items {
            if self.is_skipped(selection.node.directives()) {
                continue;
            }
            match &selection.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.to_string();
                    let value = found.get(&key).unwrap_or(&Value::Null);
                    let known = self.shape.objects.get(on).and_then(|it| it.get(field.node.name.node.as_str()));
                    path.push(Value::String(key.clone()));
                    let value = match known {
                        Some(known) => self.value(&known.kind, &field.node.selection_set.node, path, value),
                        // Introspection, which doesn't fail.
                        None => Some(value.clone()),
                    };
                    path.pop();
                    merge(completed, key, value?);
                }
                Selection::InlineFragment(fragment) => {
                    self.add(on, &fragment.node.selection_set.node, path, found, completed)?;
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.node.fragment_name.node) {
                        self.add(on, &fragment.node.selection_set.node, path, found, completed)?;
                    }
                }
            }
        }
        Some(())
    }

    fn value(&self, kind: &Type, set: &SelectionSet, path: &mut Vec<Value>, found: &Value) -> Option<Value> {
        let completed = match (&kind.base, found) {
            (BaseType::List(inner), Value::Array(items)) => {
                let mut completed = Vec::new();
                for (at, item) in items.iter().enumerate() {
                    path.push(Value::from(at));
                    let item = self.value(inner, set, path, item);
                    path.pop();
                    completed.push(item);
                }
                completed.into_iter().collect::<Option<Vec<_>>>().map(Value::Array)
            }
            // An object of which every field failed is null in the engine's answer.
            (BaseType::Named(_), Value::Null) if !self.failed_below(path) => None,
            (BaseType::Named(name), _) if self.shape.objects.contains_key(name.as_str()) => {
                self.object(name, set, path, found)
            }
            (_, Value::Null) => None,
            _ => Some(found.clone()),
        };
        completed.or_else(|| kind.nullable.then_some(Value::Null))
    }

    fn failed_below(&self, path: &[Value]) -> bool {
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

/// The same key may be asked for more than once.
fn merge(into: &mut Map<String, Value>, key: String, value: Value) {
    match (into.get_mut(&key), value) {
        (Some(Value::Object(there)), Value::Object(more)) => {
            for (key, value) in more {
                merge(there, key, value);
            }
        }
        (Some(Value::Array(there)), Value::Array(more)) => {
            for (there, more) in there.iter_mut().zip(more) {
                if let (Value::Object(there), Value::Object(more)) = (there, more) {
                    for (key, value) in more {
                        merge(there, key, value);
                    }
                }
            }
        }
        (_, value) => {
            into.insert(key, value);
        }
    }
}
