//! The command line. Only this module prints, reads the environment and reads the clock.

mod about;
mod access;
mod applied;
mod apply;
mod approval;
mod base;
mod ci;
mod command;
mod completions;
mod confirm;
mod connect;
mod connection_pool;
mod credential;
mod doctor;
mod drift;
#[cfg(feature = "sandbox")]
mod embedded;
mod exit;
mod exit_codes;
mod files;
mod fleet;
mod head;
mod import;
mod import_people;
mod init;
mod interrupt;
mod job;
mod keys;
mod ledger;
mod man;
mod merge;
mod notify;
mod offboard;
mod offer;
mod onboard;
mod organization;
mod out;
mod person;
mod plan;
mod planfile;
mod progress;
mod pull;
mod render;
mod reports;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schema;
mod selection;
mod session;
mod show;
mod silence;
mod tips;
mod traces;
mod undo;
mod validate;
mod versions;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{PathBufValueParser, TypedValueParser as _};
use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum, ValueHint};
use jiff::{SignedDuration, Timestamp};
use tracing::Instrument as _;

use command::Commands;
pub use exit::Exit;
use exit::Failure;
use ledger::LedgerPlace;
use offer::Offer;
use out::Out;
use rolecall_config::{Loaded, Recheck, load_heads};
use rolecall_model::{Address, Desired, Limit, length_of_time};
pub use schema::{SCHEMAS, SchemaName, schema_text};

/// The headings of options in help. Every verb lists the options that it shares with others under the same
/// headings, in this order. Only `apply` and `validate` have options under [`APPROVAL`], only `init`, `import`,
/// `pull` and `onboard` under [`WHAT_TO_WRITE`], only `access` under [`WHICH_ACCESS`], and only `drift` under [`NOTIFICATION`].
const WHICH_ORGANIZATIONS: &str = "Which organisations";
const APPROVAL: &str = "Approval";
const WHAT_TO_WRITE: &str = "What to write";
const WHICH_CHANGES: &str = "Which changes";
const WHICH_ACCESS: &str = "Which access";
const GUARDRAILS: &str = "Guardrails";
const NOTIFICATION: &str = "Notification";
const CI: &str = "CI";
const OUTPUT: &str = "Output";
const CONNECTION: &str = "Connection";
const SANDBOX: &str = "Sandbox";
const GLOBAL: &str = "Global";

/// Plan, review and apply who has access to your SaaS organisations.
#[derive(Debug, Parser)]
#[command(
    name = "rolecall",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "`rolecall exit-codes` lists exit codes, `rolecall man` the manual, `rolecall help VERB` examples.",
    max_term_width = 110
)]
pub struct Cli {
    /// Log requests and their answers to stderr, without bodies; -vv logs more.
    #[arg(short, long, action = ArgAction::Count, global = true, help_heading = GLOBAL)]
    verbose: u8,
    /// Colour the output: always, never or auto (honours NO_COLOR).
    #[arg(
        long,
        value_enum,
        default_value = "auto",
        value_name = "WHEN",
        hide_possible_values = true,
        global = true,
        help_heading = GLOBAL
    )]
    color: Color,
    /// Print help.
    #[arg(short, long, action = ArgAction::Help, global = true, help_heading = GLOBAL)]
    help: Option<bool>,
    /// Print the version; with --verbose also the commit and formats.
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = GLOBAL)]
    version: Option<bool>,
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
    Init(init::InitArgs),
    #[command(aliases = ["export", "dump"])]
    Import(import::ImportArgs),
    Validate(validate::ValidateArgs),
    Plan(plan::PlanArgs),
    Apply(apply::ApplyArgs),
    Drift(drift::DriftArgs),
    Doctor(doctor::DoctorArgs),
    Pull(pull::PullArgs),
    Onboard(onboard::OnboardArgs),
    Offboard(offboard::OffboardArgs),
    Access(access::AccessArgs),
    Keys(keys::KeysArgs),
    Render(render::RenderArgs),
    Merge(merge::MergeArgs),
    Show(show::ShowArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    #[command(hide = true)]
    Man(man::ManArgs),
    #[command(hide = true)]
    ExitCodes(exit_codes::ExitCodesArgs),
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::SandboxArgs),
}

/// The files that a verb reads.
#[derive(Clone, Debug, Args)]
pub(crate) struct Paths {
    /// Files, or folders whose *.yaml and *.yml files with a `provider` field are read.
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    /// End access that the files give until a certain time as if it were this time, such as 2026-12-31T18:00:00Z. A date is
    /// the start of that day in UTC.
    #[arg(long, value_name = "TIME", value_parser = instant, value_hint = ValueHint::Other, help_heading = WHICH_CHANGES)]
    now: Option<Timestamp>,
}

/// Parses an instant, or the start of a day in UTC.
fn instant(text: &str) -> Result<Timestamp, String> {
    let start = if text.len() == "2026-12-31".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    start
        .parse()
        .map_err(|_| "write a day, like 2026-12-31, or a time with its zone, like 2026-12-31T18:00:00Z".to_owned())
}

impl Paths {
    /// Reads and checks the files.
    fn load(&self, commands: Commands) -> Loaded {
        Loaded { now: self.now, ..load(&self.paths, &commands, self.now()) }
    }

    /// Reads and checks the files, and keeps only their heads if the run handles one organisation after the other.
    fn load_heads<'a>(&self, commands: &'a Commands, asserted: &[Address]) -> (Loaded, Option<Recheck<'a>>) {
        // Whether a file manages what `--assert` names, its entries say.
        if !asserted.is_empty() {
            return (self.load(*commands), None);
        }
        let (loaded, recheck) =
            load_heads(&self.paths, commands, self.now(), rolecall_providers::format, KEPT_WHOLE);
        (Loaded { now: self.now, ..loaded }, Some(recheck))
    }

    /// Returns the time at which access ends that the files give until then.
    fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(Timestamp::now)
    }
}

/// The number of files that are kept as a whole, however many a run has: about as many as are planned at once.
const KEPT_WHOLE: usize = 4;

/// The shortest time that an option takes, as for `max_age` in files.
const SHORTEST: SignedDuration = SignedDuration::from_hours(1);

/// Parses the length of time of an option, as it is written in files.
fn days_or_hours(text: &str) -> Result<SignedDuration, String> {
    let length = length_of_time(text).ok_or("write a number of days or hours, such as 14d or 36h")?;
    if length < SHORTEST { Err("write at least 1h".to_owned()) } else { Ok(length) }
}

/// The number of days ahead of which a plan tells which access ends.
const HORIZON: u16 = 14;

/// Parses a number of days, with or without its unit.
fn days(text: &str) -> Result<u16, String> {
    text.strip_suffix('d')
        .unwrap_or(text)
        .parse()
        .map_err(|_| format!("write a number of days, such as 14d, and at most {}", u16::MAX))
}

/// Reads and checks files as of a certain time.
fn load(paths: &[PathBuf], commands: &dyn rolecall_config::Commands, now: Timestamp) -> Loaded {
    rolecall_config::load(paths, commands, now, rolecall_providers::format)
}

impl Planning {
    /// Makes the guardrails of a file at least as strict as the command line says.
    fn tighten(&self, desired: &mut Desired) {
        desired.guardrails.tighten(self.min_admins, self.max_removals);
    }
}

/// Options of every verb that plans.
#[derive(Clone, Debug, Args)]
pub(crate) struct Planning {
    /// Send this entity as the file describes it, even if live seems to be in sync; repeatable. This also repeats
    /// an invitation, and an update that awaits an approval.
    #[arg(
        long = "assert",
        value_name = "ADDRESS",
        value_parser = Offer::<Address>::new(offer::addresses),
        hide_possible_values = true,
        help_heading = WHICH_CHANGES
    )]
    asserted: Vec<Address>,
    /// Tell which access of the files ends within this number of days.
    #[arg(
        long,
        value_name = "DAYS",
        default_value_t = HORIZON,
        value_parser = days,
        value_hint = ValueHint::Other,
        help_heading = WHICH_CHANGES
    )]
    horizon: u16,
    /// Let no plan that takes an admin leave fewer than this; the file's `min_admins` applies too.
    #[arg(long, value_name = "NUMBER", value_hint = ValueHint::Other, help_heading = GUARDRAILS)]
    min_admins: Option<usize>,
    /// Never remove more of a collection than this, such as 10% or 3; the file's `max_removals` applies too.
    #[arg(long, value_name = "LIMIT", value_hint = ValueHint::Other, help_heading = GUARDRAILS)]
    max_removals: Option<Limit>,
}

/// Options of every verb that connects to a platform.
#[derive(Clone, Debug, Args)]
pub(crate) struct Connection {
    /// Use this ledger instead of .rolecall/ledger/PROVIDER-ORGANISATION.jsonl: a file, or the URL of a folder in a bucket or
    /// at an HTTP endpoint.
    #[arg(long, value_name = "FILE|URL", value_parser = PathBufValueParser::new().map(LedgerPlace::from), value_hint = ValueHint::FilePath, help_heading = CONNECTION)]
    ledger: Option<LedgerPlace>,
    #[command(flatten)]
    commands: Commands,
    /// Also trust the certificate authorities in this PEM file.
    #[arg(long, value_name = "FILE", help_heading = CONNECTION)]
    ca_file: Option<PathBuf>,
    /// Send traces to the OpenTelemetry collector at this URL, or with `env` at that of the environment.
    // `main` takes it from what was parsed, before any verb runs.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, help_heading = CONNECTION)]
    otlp: Option<String>,
    /// Run against the embedded sandbox, without account, credentials and network.
    #[arg(long, help_heading = SANDBOX)]
    sandbox: bool,
    /// Restore the sandbox's first state, and delete its ledger and deliveries.
    #[arg(long, requires = "sandbox", help_heading = SANDBOX)]
    reset: bool,
}

impl Connection {
    /// Returns the files that these options name, each with what it is to the run.
    fn files(&self) -> impl Iterator<Item = (&Path, &'static str)> {
        let ledger = self.ledger.as_ref().and_then(LedgerPlace::file);
        let named = [(ledger, "the file of `--ledger`"), (self.ca_file.as_ref(), "the file of `--ca-file`")];
        named.into_iter().filter_map(|(path, what)| Some((path?.as_path(), what)))
    }

    fn timeout(&self) -> Duration {
        self.commands.timeout()
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    // The verb `help` takes verbs only, also for help on itself.
    if let [_, verb, option] = &mut *arguments
        && *verb == "help"
        && (*option == "--help" || *option == "-h")
    {
        verb.clone_into(option);
    }
    let is_verbose = arguments.iter().any(|argument| argument == "--verbose" || argument == "-v");
    let Parsed { cli, verb, collector } = match parse(arguments) {
        Ok(parsed) => parsed,
        Err(error) if is_verbose && error.kind() == ErrorKind::DisplayVersion => {
            let mut out = Out::default();
            out.result(&about::verbose_version());
            return out.finish(Exit::Done).into();
        }
        Err(error) => {
            // Help and version are successes. Wrong usage ends with 1, as every error before anything is sent.
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
    let mut out = Out::default();
    if let Err(failure) = traces::start(cli.verbose, collector.as_deref()) {
        out.failure(&failure);
        return failure.exit.into();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => {
            out.failure(&Failure::error(format!("The runtime can't be started: {why}.")));
            return Exit::Error.into();
        }
    };
    let root = traces::root(&verb);
    let whole = async {
        interrupt::outlive_file_limit();
        // An apply finishes what it has begun, and then sends its spans itself.
        if !matches!(cli.verb, Verb::Apply(_)) {
            traces::watch();
        }
        run(cli.verb, &mut out).instrument(root.clone()).await
    };
    let exit = runtime.block_on(whole).unwrap_or_else(|failure| {
        out.failure(&failure);
        failure.exit
    });
    let exit = out.finish(exit);
    traces::finish(root, exit);
    exit.into()
}

/// A command line.
struct Parsed {
    cli: Cli,
    /// The name of the verb.
    verb: String,
    /// The value of `--otlp`, if the verb has that option.
    collector: Option<String>,
}

fn parse(arguments: Vec<OsString>) -> Result<Parsed, clap::Error> {
    let matches = Cli::command().try_get_matches_from(arguments).map_err(tips::without_guesses)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut Cli::command()))?;
    let (verb, options) = matches.subcommand().unzip();
    let collector = options.and_then(|options| options.try_get_one::<String>("otlp").ok().flatten().cloned());
    Ok(Parsed { cli, verb: verb.unwrap_or_default().to_owned(), collector })
}

async fn run(verb: Verb, out: &mut Out) -> Result<Exit, Failure> {
    match verb {
        Verb::Init(args) => init::init(&args, out).await,
        Verb::Import(args) => import::import(&args, out).await,
        Verb::Validate(args) => validate::validate(&args, out),
        Verb::Plan(args) => plan::plan(&args, out).await,
        Verb::Apply(args) => apply::apply(&args, out).await,
        Verb::Drift(args) => drift::drift(&args, out).await,
        Verb::Doctor(args) => doctor::doctor(&args, out).await,
        Verb::Pull(args) => pull::pull(&args, out).await,
        Verb::Onboard(args) => onboard::onboard(&args, out).await,
        Verb::Offboard(args) => offboard::offboard(&args, out).await,
        Verb::Access(args) => access::access(&args, out).await,
        Verb::Keys(args) => keys::keys(&args, out).await,
        Verb::Render(args) => render::render(&args, out),
        Verb::Merge(args) => merge::merge(&args, out),
        Verb::Show(args) => show::show(&args, out),
        Verb::Schema(args) => Ok(schema::schema(&args, out)),
        Verb::Completions(args) => Ok(completions::completions(&args, out)),
        Verb::Man(args) => man::man(&args, out),
        Verb::ExitCodes(_) => Ok(exit_codes::exit_codes(out)),
        #[cfg(feature = "sandbox")]
        Verb::Sandbox(args) => sandbox::sandbox(&args, out).await,
    }
}
