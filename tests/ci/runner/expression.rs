//! The part of GitHub's expressions that our workflows use
//! (<https://docs.github.com/actions/reference/evaluate-expressions-in-workflows-and-actions>). Anything else
//! panics.

use serde_json::Value;

/// The result of the earlier jobs or steps, which status functions test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    Success,
    Failure,
}

/// Evaluates the `${{ … }}` parts of a text.
pub fn text(template: &str, contexts: &Value, status: Status) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${{") {
        let (expression, after) = after.split_once("}}").unwrap();
        out.push_str(before);
        out.push_str(&shown(&evaluate(expression, contexts, status)));
        rest = after;
    }
    out + rest
}

/// Evaluates a condition, with or without `${{ }}`. A condition without a status function also requires success.
pub fn condition(template: Option<&str>, contexts: &Value, status: Status) -> bool {
    let expression = template.unwrap_or("success()").trim();
    let expression = expression.strip_prefix("${{").map_or(expression, |rest| rest.strip_suffix("}}").unwrap());
    let asks = ["always()", "cancelled()", "failure()", "success()"].iter().any(|it| expression.contains(it));
    (asks || status == Status::Success) && truthy(&evaluate(expression, contexts, status))
}

fn evaluate(expression: &str, contexts: &Value, status: Status) -> Value {
    let mut parser = Parser { tokens: tokens(expression), at: 0, contexts, status };
    let value = parser.or();
    assert_eq!(parser.at, parser.tokens.len(), "understood only a part of {expression}");
    value
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn truthy(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && value != "" && value != 0
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first == '\'' {
            rest[1..].find('\'').unwrap() + 2
        } else if let Some(operator) =
            ["&&", "||", "==", "!=", "(", ")", "!"].iter().find(|it| rest.starts_with(**it))
        {
            operator.len()
        } else {
            let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
            rest.find(|c| !word(c)).unwrap_or(rest.len())
        };
        assert!(length > 0, "{rest}");
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

struct Parser<'a> {
    tokens: Vec<String>,
    at: usize,
    contexts: &'a Value,
    status: Status,
}

impl Parser<'_> {
    fn accepts(&mut self, token: &str) -> bool {
        let is_it = self.tokens.get(self.at).is_some_and(|it| it == token);
        self.at += usize::from(is_it);
        is_it
    }

    fn or(&mut self) -> Value {
        let mut value = self.and();
        while self.accepts("||") {
            let other = self.and();
            value = if truthy(&value) { value } else { other };
        }
        value
    }

    fn and(&mut self) -> Value {
        let mut value = self.equal();
        while self.accepts("&&") {
            let other = self.equal();
            value = if truthy(&value) { other } else { value };
        }
        value
    }

    fn equal(&mut self) -> Value {
        let value = self.unary();
        if self.accepts("==") {
            return Value::Bool(value == self.unary());
        }
        if self.accepts("!=") {
            return Value::Bool(value != self.unary());
        }
        value
    }

    fn unary(&mut self) -> Value {
        if self.accepts("!") {
            return Value::Bool(!truthy(&self.unary()));
        }
        if self.accepts("(") {
            let value = self.or();
            assert!(self.accepts(")"));
            return value;
        }
        let token = self.tokens[self.at].clone();
        self.at += 1;
        if self.accepts("(") {
            assert!(self.accepts(")"));
            return Value::Bool(match &*token {
                "always" => true,
                "cancelled" => false,
                "success" => self.status == Status::Success,
                "failure" => self.status == Status::Failure,
                other => panic!("no function {other}"),
            });
        }
        if let Some(text) = token.strip_prefix('\'') {
            return Value::String(text.trim_end_matches('\'').to_owned());
        }
        let mut parts = token.split('.');
        let context = parts.next().unwrap();
        let root = self.contexts.get(context).unwrap_or_else(|| panic!("no context {context}"));
        parts.fold(root.clone(), |value, part| value.get(part).cloned().unwrap_or(Value::Null))
    }
}
