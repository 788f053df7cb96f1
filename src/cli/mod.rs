//! The command line: the only place that prints, reads the environment and knows what time it is.

mod applied;
mod apply;
mod approval;
mod cache;
mod completions;
mod confirm;
mod connect;
mod connection_pool;
mod credential;
mod drift;
#[cfg(feature = "sandbox")]
mod embedded;
mod exit;
mod files;
mod interrupt;
mod man;
mod notify;
mod organization;
mod out;
mod plan;
mod planfile;
mod progress;
mod reports;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schema;
mod selection;
mod session;
mod show;
mod undo;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

pub use exit::Exit;
use exit::Failure;
use out::Out;
use rolecall_model::{Address, Limit};
pub use schema::{SCHEMAS, SchemaName, schema_text};

const EXIT_CODES: &str = "\
Exit codes:
    0  done, or in sync (`plan` without --detailed-exitcode also with changes)
    1  error: usage, files, declined, a broken list where it matters, an answer not understood
    2  differences: `plan --detailed-exitcode` with mutations; `drift` with mutations or blocked holds
    3  refused by a guardrail, or a deletion that wasn't confirmed; nothing sent. `validate --trusted`: to be approved
    4  the approved plan no longer stands; nothing sent
    5  partly applied, unsure, or not taken
    6  platform unreachable, or credential refused
  130  interrupted before anything was sent
Of several organisations the one that most needs a person is told: 5, 4, 3, 6, 1, 130, 2, 0.";

/// Access as code for SaaS organisations.
///
/// A YAML file says who should have which role and which keys. rolecall reads what is live over the platform's
/// GraphQL API, plans the mutations that close the difference, and applies exactly the plan that was reviewed.
#[derive(Debug, Parser)]
#[command(name = "rolecall", version, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    /// Say what is sent and how it was answered, on stderr; twice for more. Never bodies, never secrets.
    #[arg(short, long, action = ArgAction::Count, global = true)]
    verbose: u8,
    /// When to colour. NO_COLOR is honoured by `auto`.
    #[arg(long, value_enum, default_value = "auto", global = true)]
    color: Color,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Validate(validate::ValidateArgs),
    Plan(plan::PlanArgs),
    Apply(apply::ApplyArgs),
    Drift(drift::DriftArgs),
    Show(show::ShowArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::SandboxArgs),
}

/// Files and folders.
#[derive(Clone, Debug, Args)]
pub(crate) struct Paths {
    /// Files, or folders: their *.yaml and *.yml that have a `provider` field, not deeper.
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
}

/// What every verb that talks to a platform takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Connection {
    /// Run against the embedded sandbox: no account, no credentials, no network.
    #[arg(long)]
    sandbox: bool,
    /// Start the sandbox's world anew, with its ledger and deliveries.
    #[arg(long, requires = "sandbox")]
    reset: bool,
    /// The ledger, instead of .rolecall/ledger/PROVIDER-ORGANISATION.jsonl.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Let the file's `command` credentials and deliveries run.
    #[arg(long)]
    allow_commands: bool,
    /// Trust these certificate authorities too (PEM).
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How long one request may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Send what the file says of this user even if nothing is seen to differ, invite them again, or send again
    /// what awaits approval; such as `user/jane@acme.example`. May be repeated.
    #[arg(long = "assert", value_name = "ADDRESS")]
    asserted: Vec<Address>,
    /// Never leave fewer admins than that. The file's own `min_admins` holds too.
    #[arg(long, value_name = "NUMBER")]
    min_admins: Option<usize>,
    /// Take no more of any collection than that, such as 10% or 3. The file's own `max_removals` holds too.
    #[arg(long, value_name = "LIMIT")]
    max_removals: Option<Limit>,
}

impl Connection {
    fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; usage is 1, as every other error that sent nothing.
            let exit = if error.use_stderr() { Exit::Error } else { Exit::Done };
            let _ = error.print();
            return exit.into();
        }
    };
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    trace(cli.verbose);
    let mut out = Out::default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => {
            out.failure(&Failure::error(format!("the runtime can't be started: {why}")));
            return Exit::Error.into();
        }
    };
    let exit = runtime.block_on(run(cli.verb, &mut out)).unwrap_or_else(|failure| {
        out.failure(&failure);
        failure.exit
    });
    out.finish(exit).into()
}

async fn run(verb: Verb, out: &mut Out) -> Result<Exit, Failure> {
    match verb {
        Verb::Validate(args) => validate::validate(&args, out),
        Verb::Plan(args) => plan::plan(&args, out).await,
        Verb::Apply(args) => apply::apply(&args, out).await,
        Verb::Drift(args) => drift::drift(&args, out).await,
        Verb::Show(args) => show::show(&args, out),
        Verb::Schema(args) => Ok(schema::schema(&args, out)),
        Verb::Completions(args) => Ok(completions::completions(&args, out)),
        Verb::Man(args) => man::man(&args, out),
        #[cfg(feature = "sandbox")]
        Verb::Sandbox(args) => sandbox::sandbox(&args, out).await,
    }
}

/// Only our own events: those of HTTP libraries could show headers.
fn trace(verbose: u8) {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let level = match verbose {
        0 => return,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let colour = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .without_time()
        .with_target(false);
    tracing_subscriber::registry().with(Targets::new().with_target("rolecall", level)).with(lines).init();
}
