//! The part of jq that the scripts use.

use std::path::Path;

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data, unwrap_valr};
use jaq_json::{Val, read};
use serde_json::Value;

use super::stub::{Answer, Call};

/// Applies a filter to a value. Returns a line for each result; texts have no quotes.
pub fn jq(filter: &str, input: &Value) -> String {
    results(filter, &[], input).into_iter().map(|result| plain(result) + "\n").collect()
}

/// Answers a call of `jq`, with its input on stdin.
pub fn program(call: &Call) -> Answer {
    let mut vars = Vec::new();
    let (mut raw, mut slurp, mut null, mut filter) = (false, false, false, None);
    let mut args = call.args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        let mut next = || args.next().unwrap().to_owned();
        match arg {
            "--raw-output" => raw = true,
            "--slurp" => slurp = true,
            "--null-input" => null = true,
            "--arg" => vars.push((next(), Value::String(next()))),
            "--argjson" => vars.push((next(), serde_json::from_str(&next()).unwrap())),
            "--rawfile" => {
                let (name, file) = (next(), Path::new(&call.folder).join(next()));
                vars.push((name, Value::String(std::fs::read_to_string(file).unwrap())));
            }
            it => assert!(!it.starts_with('-') && filter.replace(it).is_none(), "jq {it} isn't known here"),
        }
    }
    let inputs: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&call.stdin).into_iter().collect();
    let Ok(mut inputs) = inputs else { return (2, String::new()) };
    if null {
        inputs = vec![Value::Null];
    } else if slurp {
        inputs = vec![Value::Array(inputs)];
    }
    let found = inputs.iter().flat_map(|input| results(filter.unwrap(), &vars, input));
    let line = |result: Value| (if raw { plain(result) } else { result.to_string() }) + "\n";
    (0, found.map(line).collect())
}

fn plain(result: Value) -> String {
    match result {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn results(filter: &str, vars: &[(String, Value)], input: &Value) -> Vec<Value> {
    let value = |value: &Value| read::parse_single(value.to_string().as_bytes()).unwrap();
    let names: Vec<String> = vars.iter().map(|(name, _)| format!("${name}")).collect();
    let input = value(input);
    let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let arena = Arena::default();
    let modules = Loader::new(defs).load(&arena, File { code: filter, path: () });
    let modules = modules.unwrap_or_else(|why| panic!("{filter}: {why:?}"));
    let compiler = Compiler::default().with_funs(funs).with_global_vars(names.iter().map(String::as_str));
    let compiled = compiler.compile(modules);
    let compiled = compiled.unwrap_or_else(|why| panic!("{filter}: {why:?}"));
    let vars = Vars::new(vars.iter().map(|(_, it)| value(it)));
    let context = Ctx::<data::JustLut<Val>>::new(&compiled.lut, vars);
    let found = compiled.id.run((context, input)).map(unwrap_valr);
    let found = found.map(|result| result.unwrap_or_else(|why| panic!("{filter}: {why}")).to_string());
    found.map(|text| serde_json::from_str(&text).unwrap()).collect()
}
