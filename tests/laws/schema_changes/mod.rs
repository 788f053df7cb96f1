//! Whatever a changed API answers, rolecall never writes wrongly.
//!
//! Each law takes the schema of a vendor, changes one thing in it that rolecall uses, and puts a server with the changed
//! schema in front of the sandbox. It refuses what isn't valid any more, as the vendor does, and answers with the values
//! that the changed schema allows: null, another type, a value that no enum had. Then rolecall plans and applies. It may
//! send fewer mutations than without the change, but no other ones, and it says what it has left out.
//!
//! The comparison of schemas has to find each change, and to say the right consequence.

mod change;
mod platforms;
mod usage;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use apollo_compiler::introspection::partial_execute;
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::response::JsonMap;
use apollo_compiler::{ExecutableDocument, Schema};
use change::{Answers, Change, Changes, How};
use rolecall_engine::apply::FinalState;
use rolecall_graphql::{Query, Request};
use rolecall_model::HoldClass;
use rolecall_providers::schema::{Impact, SchemaReport, compare_schema};
use serde_json::{Value, json};
use usage::{Parsed, Usage, calls, fields, operation};
use written::Text;

use crate::lawful::Lawful;
use crate::support::rig::{Admission, Rig, desired, paused};

/// A generation of a vendor's schema, with the documents that rolecall sends to such a server.
pub struct Generation<P: Lawful> {
    /// The file with the parts that rolecall uses.
    file: &'static str,
    sdl: String,
    /// Sets the sandbox to this generation.
    prepare: fn(&mut P::World),
    documents: Vec<&'static str>,
    /// The documents that have others beside them, for servers without a part.
    optional_documents: Vec<&'static str>,
    /// The arguments, the fields of inputs and the mutations that rolecall can do without.
    optional: &'static [&'static str],
    /// The part by which rolecall recognises this generation.
    when: Option<&'static str>,
}

/// A world, and a file.
pub type Scenario<P> = (<P as crate::support::rig::Platform>::World, String);

pub trait Changing: Lawful {
    fn generations() -> Vec<Generation<Self>>
    where
        Self: Sized;
    /// Returns the ids of what a run may create, with a name that doesn't depend on the order of the run.
    fn created(_: &Self::World) -> Vec<(String, String)> {
        Vec::new()
    }
    /// Returns whether a mutation takes access and gives none. If the role for leavers can't be read, they lose what they
    /// can lose without it.
    fn only_takes(_: &str) -> bool {
        false
    }
    /// Returns scenarios that together send every mutation.
    fn scenarios() -> Vec<Scenario<Self>>
    where
        Self: Sized;
}

fn schema_of(sdl: &str) -> Arc<Parsed> {
    Parsed::of(Schema::parse_and_validate(sdl, "schema").unwrap())
}

const NO_SUCH_FIELD: Query = Query::new("Probe", "query Probe { noSuchField }");
const NO_VARIABLE: Query =
    Query::new("Probe", "query Probe($x: Int!) { __typename @skip(if: true) @include(if: $x) }");

/// A server with a changed schema, in front of a sandbox.
struct Changed {
    original: Arc<Parsed>,
    now: Arc<Parsed>,
    answers: Option<Answers>,
    sent: Mutex<Vec<Request>>,
}

impl Changed {
    fn admit(&self, request: &Request) -> Admission {
        self.sent.lock().unwrap().push(request.clone());
        let checked = self.now.check(&request.query);
        let document = match &*checked {
            Ok(document) => document,
            Err(why) => return Admission::Refused(NO_SUCH_FIELD, why.clone()),
        };
        let schema = &self.now.schema;
        let operation = operation(document);
        let variables: JsonMap = serde_json::from_value(request.variables.clone()).unwrap();
        let variables = match coerce_variable_values(schema, operation, &variables) {
            Ok(variables) => variables,
            Err(why) => return Admission::Refused(NO_VARIABLE, why.message().to_string()),
        };
        if operation.root_fields(document).all(|field| field.name.starts_with("__")) {
            let implementers = schema.implementers_map();
            let answer = partial_execute(schema, &implementers, document, operation, &variables).unwrap();
            return Admission::Answered(serde_json::to_value(&answer).unwrap());
        }
        Admission::Passed
    }

    fn change(&self, request: &Request, answer: &mut Value) {
        let Some(answers) = &self.answers else { return };
        let checked = self.original.check(&request.query);
        let document = checked.as_ref().as_ref().unwrap();
        let mut done = 0;
        let set = &operation(document).selection_set;
        visit(document, set, &mut answer["data"], answers, &mut done);
    }
}

fn visit(
    document: &ExecutableDocument,
    set: &apollo_compiler::executable::SelectionSet,
    data: &mut Value,
    answers: &Answers,
    done: &mut usize,
) {
    match data {
        Value::Array(items) => items.iter_mut().for_each(|item| visit(document, set, item, answers, done)),
        Value::Object(object) => {
            for field in fields(document, set) {
                let Some(value) = object.get_mut(field.response_key().as_str()) else { continue };
                visit(document, &field.selection_set, value, answers, done);
                if set.ty == answers.on.as_str() && field.name == answers.field.as_str() {
                    if answers.only.is_none_or(|place| place == *done) {
                        replace(value, &answers.how);
                    }
                    *done += 1;
                }
            }
        }
        _ => {}
    }
}

fn replace(value: &mut Value, how: &How) {
    let old = value.take();
    *value = match (how, old) {
        (How::List, old) => json!([old]),
        (How::First, Value::Array(items)) => items.into_iter().next().unwrap_or_default(),
        (How::Null, _) | (_, Value::Null) => Value::Null,
        // A list of texts.
        (how, Value::Array(mut items)) => {
            for item in &mut items {
                replace(item, how);
            }
            Value::Array(items)
        }
        (How::Text, old) => Value::String(old.to_string()),
        // The same id may be a text or a number.
        (How::Number, old) => json!(old.as_str().and_then(|text| text.parse().ok()).unwrap_or(7_u64)),
        (How::Value(text), _) => json!(text),
        (How::First, old) => old,
    };
}

/// The result of a plan and its apply.
struct Run {
    /// The mutations that were sent, with their arguments.
    sent: BTreeSet<(String, String)>,
    access: BTreeMap<String, BTreeSet<String>>,
    /// What the plan says besides its changes.
    signs: BTreeSet<String>,
    /// What went wrong, if something did.
    trouble: Option<String>,
    requests: Vec<Request>,
}

fn run<P: Changing>((world, file): Scenario<P>, prepare: fn(&mut P::World), server: Changed) -> Run {
    let mut world = world;
    prepare(&mut world);
    let old: BTreeSet<String> = P::created(&world).into_iter().map(|(id, _)| id).collect();
    let mut rig = Rig::<P>::new(world, "");
    rig.desired = desired(&file);
    let server = stand_before(&rig, server);
    let mut run = Run {
        sent: BTreeSet::new(),
        access: BTreeMap::new(),
        signs: BTreeSet::new(),
        trouble: None,
        requests: Vec::new(),
    };
    run.trouble = match rig.read() {
        Err(error) => Some(error.to_string()),
        Ok(live) => match rig.planned(&live, &BTreeSet::new(), None) {
            Err(findings) => Some(format!("{findings:?}")),
            Ok(planned) => {
                let plan = planned.plan;
                let needs_attention = plan.sealed.holds.iter().filter(|hold| hold.class != HoldClass::Ignored);
                run.signs.extend(needs_attention.map(|hold| format!("{} {}", hold.address, hold.reason)));
                run.signs.extend(plan.gaps.iter().map(|gap| format!("{gap:?}")));
                let broken = plan.completeness.iter().filter(|(_, it)| it.is_incomplete());
                run.signs.extend(broken.map(|(list, why)| format!("{list} {why:?}")));
                run.signs.extend(planned.findings.iter().map(|finding| finding.message.clone()));
                if plan.refusals.is_empty() {
                    let report = rig.apply_plan(&plan).unwrap();
                    let in_sync = matches!(report.final_state, FinalState::InSync { .. });
                    (!report.all_done() || !in_sync).then(|| format!("{:?}", report.final_state))
                } else {
                    Some(format!("{:?}", plan.refusals))
                }
            }
        },
    };
    run.access = P::access(&rig.world());
    let mut created = P::created(&rig.world());
    created.retain(|(id, _)| !old.contains(id));
    run.requests.clone_from(&server.sent.lock().unwrap());
    for request in run.requests.iter().filter(|request| request.query.trim_start().starts_with("mutation")) {
        let mut by_root: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for call in calls(&server.original, request).into_iter().filter(|call| !call.path.contains('.')) {
            let argument = format!("{}: {}", call.argument.unwrap_or_default(), call.value);
            by_root.entry(call.path).or_default().push(argument);
        }
        if request.operation_name == "Batch" {
            let batched = calls(&server.original, request).into_iter().filter(|call| !call.path.contains('.'));
            run.sent
                .extend(batched.map(|it| (it.path, format!("{}: {}", it.argument.unwrap_or_default(), it.value))));
        } else {
            run.sent.extend(by_root.into_iter().map(|(root, arguments)| (root, arguments.join(", "))));
        }
    }
    let by_name = |text: String| created.iter().fold(text, |text, (id, name)| text.replace(id, name));
    run.sent = run.sent.into_iter().map(|(field, arguments)| (field, by_name(arguments))).collect();
    run
}

fn stand_before<P: Changing>(rig: &Rig<P>, server: Changed) -> Arc<Changed> {
    let server = Arc::new(server);
    let (front, back) = (Arc::clone(&server), Arc::clone(&server));
    rig.wire.set_front(Arc::new(move |request| front.admit(request)));
    rig.wire.forge_answer_to(Arc::new(move |request, answer| back.change(request, answer)));
    server
}

fn unchanged(schema: &Arc<Parsed>) -> Changed {
    Changed { original: Arc::clone(schema), now: Arc::clone(schema), answers: None, sent: Mutex::default() }
}

/// Returns the comparison of a server with the schema that rolecall was built for.
fn compared<P: Changing>(generation: &Generation<P>, server: Changed) -> SchemaReport {
    let (mut world, file) = P::scenarios().remove(0);
    (generation.prepare)(&mut world);
    let mut rig = Rig::<P>::new(world, "");
    rig.desired = desired(&file);
    stand_before(&rig, server);
    paused(async { compare_schema(&rig.reader(), rolecall_providers::of(P::NAME)).await }).unwrap()
}

/// The text of each generation is up to date, and the scenarios send every mutation.
fn the_text_is_what_is_used<P: Changing>() {
    let mut sent = BTreeSet::new();
    for generation in P::generations() {
        let schema = schema_of(&generation.sdl);
        let mut text = Text::of(&schema.schema, generation.optional);
        for scenario in P::scenarios() {
            let run = run::<P>(scenario, generation.prepare, unchanged(&schema));
            run.requests.iter().for_each(|request| text.observe(&schema, request));
            sent.extend(run.sent.into_iter().map(|(field, _)| field));
        }
        generation.documents.iter().for_each(|document| text.add(document, true));
        generation.optional_documents.iter().for_each(|document| text.add(document, false));
        let written = text.written(generation.when);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/rolecall-providers/src");
        let file = folder.join(P::NAME.to_string()).join(generation.file);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, &written).unwrap();
        }
        assert_eq!(written, std::fs::read_to_string(&file).unwrap(), "run again with BLESS=1");
    }
    let all: BTreeSet<String> =
        rolecall_providers::of(P::NAME).mutations().iter().map(|(field, _)| (*field).to_owned()).collect();
    assert_eq!(sent, all);
}

fn usage_of<P: Changing>(generation: &Generation<P>, parsed: &Parsed, runs: &[&Run]) -> Usage {
    let schema = &parsed.schema;
    let mut usage = Usage::default();
    generation.documents.iter().for_each(|document| usage.add(schema, document, false));
    generation.optional_documents.iter().for_each(|document| usage.add(schema, document, true));
    runs.iter().flat_map(|run| &run.requests).for_each(|request| usage.observe(parsed, request));
    usage
}

/// Returns the number of changes that are tried for each of so many generations. `SCHEMA_CHANGES=5000` tries all.
fn most(generations: usize) -> usize {
    let all = std::env::var("SCHEMA_CHANGES").ok().and_then(|most| most.parse().ok());
    all.unwrap_or(60_usize.div_ceil(generations))
}

/// Tries many changes.
#[expect(clippy::print_stdout, reason = "docs/check-a-credential.md has these numbers")]
fn changes_never_lead_to_wrong_mutations<P: Changing>(least: usize) {
    let generations = P::generations();
    let schemas: Vec<Arc<Parsed>> = generations.iter().map(|it| schema_of(&it.sdl)).collect();
    // A server may look like one of another generation.
    let everything = |scenario: &dyn Fn() -> Scenario<P>| {
        let runs = generations.iter().zip(&schemas);
        runs.map(|(it, schema)| run::<P>(scenario(), it.prepare, unchanged(schema))).collect::<Vec<Run>>()
    };
    let count_of_scenarios = P::scenarios().len();
    let baselines: Vec<Vec<Run>> =
        (0..count_of_scenarios).map(|index| everything(&|| P::scenarios().swap_remove(index))).collect();
    let changes_of = |place: usize| {
        let (generation, schema) = (&generations[place], &schemas[place]);
        let own: Vec<&Run> = baselines.iter().map(|runs| &runs[place]).collect();
        let usage = usage_of(generation, schema, &own);
        Changes::of(&schema.schema, &usage, generation.optional, most(generations.len()))
    };
    let changes: Vec<Vec<Change>> = (0..generations.len()).map(changes_of).collect();
    let mut tried: BTreeMap<&str, usize> = BTreeMap::new();
    for change in changes.iter().flatten() {
        *tried.entry(change.impact.as_ref().map_or("same", Impact::as_str)).or_insert(0) += 1;
    }
    let count: usize = tried.values().sum();
    println!("{count} changes at {}: {tried:?}", P::NAME);
    assert!(count >= least, "only {count} changes were tried");
    let mut wrong = Vec::new();
    for (place, (generation, changes)) in generations.iter().zip(&changes).enumerate() {
        let schema = &schemas[place];
        for (number, change) in changes.iter().enumerate() {
            let changed = Parsed::of(change.schema.clone());
            let server = || Changed {
                original: Arc::clone(schema),
                now: Arc::clone(&changed),
                answers: change.answers.clone(),
                sent: Mutex::default(),
            };
            let report = compared(generation, server());
            if let Some(why) = misjudged(change, &report) {
                wrong.push(format!("{} {}: {why}", generation.file, change.name));
            }
            for (index, scenario) in P::scenarios().into_iter().enumerate() {
                let (baseline, all) = (&baselines[index][place], &baselines[index]);
                let concerns = match &change.impact {
                    Some(Impact::Mutations(fields)) => {
                        baseline.sent.iter().any(|(field, _)| fields.contains(field))
                    }
                    _ => index == 0 || index == 1 + number % (count_of_scenarios - 1),
                };
                if !concerns {
                    continue;
                }
                let world = P::access(&{
                    let mut world = scenario.0.clone();
                    (generation.prepare)(&mut world);
                    world
                });
                let run = run::<P>(scenario, generation.prepare, server());
                if let Some(why) = breach::<P>(change, &run, baseline, all, &world) {
                    wrong.push(format!("{} {} ({index}): {why}", generation.file, change.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Returns why the comparison is wrong about a change, if it is.
fn misjudged(change: &Change, report: &SchemaReport) -> Option<String> {
    let SchemaReport::Compared(differences) = report else { return Some("the schema isn't shown".to_owned()) };
    let (found, expected) = (report.worst().map(Impact::as_str), change.impact.as_ref().map(Impact::as_str));
    let broken = |impact: &Impact| match impact {
        Impact::Mutations(mutations) => mutations.clone(),
        _ => BTreeSet::new(),
    };
    let mutations: BTreeSet<String> = differences.iter().flat_map(|it| broken(&it.impact)).collect();
    let same = found == expected
        && (found != Some("breaks-mutations") || change.impact.as_ref().map(broken) == Some(mutations));
    (!same).then(|| format!("expected {:?}, found {differences:?}", change.impact))
}

/// Returns the law that a run breaks, if it breaks one.
fn breach<P: Changing>(
    change: &Change,
    run: &Run,
    baseline: &Run,
    all: &[Run],
    before: &BTreeMap<String, BTreeSet<String>>,
) -> Option<String> {
    let allowed: BTreeSet<_> = all.iter().flat_map(|run| run.sent.iter().cloned()).collect();
    let mut others = run.sent.difference(&allowed);
    if let Some((field, arguments)) = others.find(|(_, arguments)| !P::only_takes(arguments)) {
        let instead: Vec<&String> =
            allowed.iter().filter(|(it, _)| it == field).map(|(_, arguments)| arguments).collect();
        return Some(format!("sends {field}({arguments}) instead of {instead:?}"));
    }
    // Whoever is new has an id that depends on what was created before.
    let of = |access: &BTreeMap<String, BTreeSet<String>>, who: &str| -> BTreeSet<String> {
        let is_new = !before.contains_key(who);
        let same =
            access.iter().filter(|(other, _)| if is_new { !before.contains_key(*other) } else { *other == who });
        same.flat_map(|(_, has)| has.clone()).collect()
    };
    for (who, has) in &run.access {
        let mut may = of(before, who);
        may.extend(all.iter().flat_map(|run| of(&run.access, who)));
        // An admin is in every team, also in those that weren't deleted.
        let is_admin = may.contains("administrate");
        if let Some(more) = has.difference(&may).next().filter(|_| !is_admin) {
            return Some(format!("{who} gets {more}"));
        }
    }
    let left_out: Vec<_> = baseline.sent.difference(&run.sent).map(|(field, _)| field).collect();
    let says = run.trouble != baseline.trouble || !run.signs.is_subset(&baseline.signs);
    if !left_out.is_empty() && !change.fallback && !says {
        return Some(format!("silently leaves out {left_out:?}"));
    }
    let harmless = change.answers.is_none() && matches!(change.impact, None | Some(Impact::Harmless));
    if harmless && !change.fallback && (run.sent != baseline.sent || run.trouble != baseline.trouble) {
        return Some(format!("is harmless, and leaves out {left_out:?}: {:?}", run.trouble));
    }
    None
}

/// An update that replaces the whole record isn't sent if the platform has an input that rolecall doesn't know. Whoever
/// must have no access loses it all the same.
fn a_new_input_holds_updates<P: Changing>(scenario: usize, input: &str, held: &str, sent: &str) {
    let generation = P::generations().pop().unwrap();
    let original = schema_of(&generation.sdl);
    let changed = schema_of(
        &generation.sdl.replace(&format!("input {input} {{"), &format!("input {input} {{ another: String")),
    );
    let server = Changed { original, now: changed, answers: None, sent: Mutex::default() };
    let run = run::<P>(P::scenarios().swap_remove(scenario), generation.prepare, server);
    let says = |sign: &String| sign.starts_with(held) && sign.contains("has `another`, which this version");
    assert!(run.signs.iter().any(says), "{:#?}", run.signs);
    assert!(run.sent.iter().any(|(field, _)| field == sent), "{:?}", run.sent);
}

#[test]
fn updates_are_held_where_a_new_input_might_be_cleared() {
    use crate::support::{bitpanda::Custody, hive::Console, rapidapi::Hub};
    a_new_input_holds_updates::<Console>(0, "AssignMemberRoleInput", "user/jane@x.example ", "assignMemberRole");
    a_new_input_holds_updates::<Console>(0, "UpdateMemberRoleInput", "role/Developer ", "assignMemberRole");
    a_new_input_holds_updates::<Hub>(
        0,
        "EntityRoleInput",
        "user/moves@x.example ",
        "removeTeamUserFromAllOrgTeams",
    );
    // Only the list with pages makes a read ask for the schema.
    a_new_input_holds_updates::<Custody>(1, "UpdateUserInput", "user/jane@x.example ", "updateUser");
}

/// A server of Hive that has everything new but one mutation is one of another generation in that alone: the earlier
/// mutation does the same, and what is new besides is used.
#[test]
fn a_server_between_two_generations_is_understood() {
    use crate::support::hive::Console;
    let generation = Console::generations().pop().unwrap();
    let line = generation.sdl.lines().find(|line| line.contains(" deleteAccessToken(")).unwrap();
    let changed = schema_of(&generation.sdl.replace(line, ""));
    let original = schema_of(&generation.sdl);
    let server = || Changed {
        original: Arc::clone(&original),
        now: Arc::clone(&changed),
        answers: None,
        sent: Mutex::default(),
    };
    let report = compared(&generation, server());
    assert!(report.worst().is_none_or(|worst| *worst == Impact::Harmless), "{report:?}");
    let run = |server| run::<Console>(Console::scenarios().swap_remove(0), generation.prepare, server);
    let (before, now) = (run(unchanged(&original)), run(server()));
    assert_eq!((before.trouble, before.signs, before.access), (now.trouble, now.signs, now.access));
    assert!(now.sent.iter().any(|(field, _)| field == "deleteOrganizationAccessToken"), "{:?}", now.sent);
}

macro_rules! laws {
    ($($module:ident: $platform:ty, $least:literal;)*) => {$(
        mod $module {
            #[test]
            fn what_is_used_is_written_down() {
                super::the_text_is_what_is_used::<$platform>();
            }

            #[test]
            fn a_changed_api_never_leads_to_a_wrong_mutation() {
                super::changes_never_lead_to_wrong_mutations::<$platform>($least);
            }
        }
    )*};
}

laws! {
    bitpanda: crate::support::bitpanda::Custody, 50;
    hive: crate::support::hive::Console, 50;
    paradime: crate::support::paradime::Workspace, 50;
    rapidapi: crate::support::rapidapi::Hub, 50;
}
