//! jq, for what scripts filter with it.

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data, unwrap_valr};
use jaq_json::{Val, read};
use serde_json::Value;

/// What a filter makes of a value, a line for each result, texts as they are.
pub fn jq(filter: &str, input: &Value) -> String {
    let input = read::parse_single(input.to_string().as_bytes()).unwrap();
    let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let arena = Arena::default();
    let modules = Loader::new(defs).load(&arena, File { code: filter, path: () });
    let modules = modules.unwrap_or_else(|why| panic!("{filter}: {why:?}"));
    let compiled = Compiler::default().with_funs(funs).compile(modules);
    let compiled = compiled.unwrap_or_else(|why| panic!("{filter}: {why:?}"));
    let context = Ctx::<data::JustLut<Val>>::new(&compiled.lut, Vars::new([]));
    let mut text = String::new();
    for result in compiled.id.run((context, input)).map(unwrap_valr) {
        let result = result.unwrap_or_else(|why| panic!("{filter}: {why}")).to_string();
        match serde_json::from_str(&result) {
            Ok(Value::String(plain)) => text.push_str(&plain),
            _ => text.push_str(&result),
        }
        text.push('\n');
    }
    text
}
