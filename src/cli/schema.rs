//! `rolecall schema`

use clap::{Args, ValueEnum};
use schemars::{Schema, SchemaGenerator};

use super::exit::Exit;
use super::out::Out;
use crate::report::{
    self, AccessReport, DoctorReport, Findings, KeysReport, Notice, Outcomes, PersonReport, PullReport,
};
use rolecall_engine::ledger::Record;
use rolecall_model::{Plan, ProviderName};

/// Print the JSON Schema of a file format.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall schema > rolecall.schema.json
  rolecall schema plan")]
pub(super) struct SchemaArgs {
    /// The format whose schema is printed.
    #[arg(value_enum, default_value = "file", value_name = "FORMAT")]
    of: SchemaName,
}

/// The formats that have a schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SchemaName {
    /// The YAML files, for editors.
    File,
    /// Plans, which `plan --out` and `--format json` write.
    Plan,
    /// One line of a ledger.
    Ledger,
    /// Findings, which `validate --format json` writes, and other verbs if files have errors.
    Findings,
    /// Outcomes of an apply, which `apply --format json` writes.
    Outcomes,
    /// The message that `drift --notify` posts.
    Notice,
    /// Who has what, which `access --format json` writes.
    Access,
    /// The keys, which `keys --format json` writes.
    Keys,
    /// The changes of the files, which `pull --format json` writes.
    Pull,
    /// Checks of what plan and apply can do here, which `doctor --format json` writes.
    Doctor,
    /// One person everywhere, which `offboard --format json` and `onboard --format json` write.
    Person,
}

/// Every schema, and the file in `schemas/` that holds it.
pub const SCHEMAS: &[(SchemaName, &str)] = &[
    (SchemaName::File, "rolecall.schema.json"),
    (SchemaName::Plan, "plan.schema.json"),
    (SchemaName::Ledger, "ledger.schema.json"),
    (SchemaName::Findings, "findings.schema.json"),
    (SchemaName::Outcomes, "outcomes.schema.json"),
    (SchemaName::Notice, "notice.schema.json"),
    (SchemaName::Access, "access.schema.json"),
    (SchemaName::Keys, "keys.schema.json"),
    (SchemaName::Pull, "pull.schema.json"),
    (SchemaName::Doctor, "doctor.schema.json"),
    (SchemaName::Person, "person.schema.json"),
];

/// Returns the text of a schema, as the file in `schemas/` has it.
pub fn schema_text(name: SchemaName) -> String {
    let schema: Schema = match name {
        SchemaName::File => {
            rolecall_config::schema(ProviderName::ALL.iter().map(|name| rolecall_providers::format(*name)))
        }
        SchemaName::Plan => SchemaGenerator::default().into_root_schema_for::<Plan>(),
        SchemaName::Ledger => SchemaGenerator::default().into_root_schema_for::<Record>(),
        SchemaName::Findings => SchemaGenerator::default().into_root_schema_for::<Findings<'_>>(),
        SchemaName::Outcomes => SchemaGenerator::default().into_root_schema_for::<Outcomes>(),
        SchemaName::Notice => SchemaGenerator::default().into_root_schema_for::<Notice<'_>>(),
        SchemaName::Access => SchemaGenerator::default().into_root_schema_for::<AccessReport>(),
        SchemaName::Keys => SchemaGenerator::default().into_root_schema_for::<KeysReport>(),
        SchemaName::Pull => SchemaGenerator::default().into_root_schema_for::<PullReport>(),
        SchemaName::Doctor => SchemaGenerator::default().into_root_schema_for::<DoctorReport>(),
        SchemaName::Person => SchemaGenerator::default().into_root_schema_for::<PersonReport>(),
    };
    report::json(&schema)
}

pub(super) fn schema(args: &SchemaArgs, out: &mut Out) -> Exit {
    out.result(&schema_text(args.of));
    Exit::Done
}
