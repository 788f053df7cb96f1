//! `rolecall plan`

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::base::BaseOptions;
use super::exit::{Exit, Failure};
use super::files::{self, Readers};
use super::fleet::{AtOnce, ShardOption};
use super::out::Out;
use super::reports::{Reports, ensure_unused, used_files};
use super::selection::Selected;
use super::session::Session;
use super::silence::{Silence, report_silence};
use super::{CONNECTION, Connection, OUTPUT, Paths, Planning};
use crate::report::{self, Format, Subject};
use rolecall_model::{Guardrail, Job, Plan, Shard, ShardedVerb};

/// Show the changes that an apply would make.
///
/// Reads live and compares it with the files. Changes nothing.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall plan --sandbox examples/bitpanda.yaml       needs no account
  rolecall plan access/ --out plan.json                saves the plan for a review
  rolecall plan access/ --report markdown=comment.md   writes a comment, too
  rolecall plan access/ --base origin/main             says which changes are asked for here
  rolecall plan access/ --base main --with fix-ci      plans two branches together
  rolecall plan access/ --as apply                     says what the apply's credential lacks
  rolecall plan access/ --max-silence 7d               notices a schedule that has stopped
  rolecall plan --target user/jane@acme.example        plans one user
  rolecall plan --format json | jq '.organizations[].sealed.changes[].address'

Exit codes: 0 planned, 1 error, 2 changes (with --detailed-exitcode) or a silent
job (with --max-silence), 3 refused by a guardrail, 6 platform unreachable.
`rolecall exit-codes` explains them.")]
pub(super) struct PlanArgs {
    #[command(flatten)]
    shard: ShardOption,
    #[command(flatten)]
    base: BaseOptions,
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    selected: Selected,
    #[command(flatten)]
    planning: Planning,
    /// Save the plan to this file, for a review and for `apply --plan`.
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    out: Option<PathBuf>,
    #[command(flatten)]
    reports: Reports,
    /// Also ask whether this credential may send the changes, for a job that has the credential of the apply. It still
    /// changes nothing.
    #[arg(long = "as", value_enum, value_name = "VERB", help_heading = CONNECTION)]
    as_verb: Option<AsVerb>,
    /// End with exit code 2 if the plan has changes.
    #[arg(long, help_heading = OUTPUT)]
    detailed_exitcode: bool,
    #[command(flatten)]
    silence: Silence,
    /// Also show the exact mutations.
    #[arg(long, help_heading = OUTPUT)]
    show_mutations: bool,
    #[command(flatten)]
    at_once: AtOnce,
    #[command(flatten)]
    connection: Connection,
}

/// The verb whose credential a plan is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AsVerb {
    Apply,
}

fn open<'a>(args: &'a PlanArgs, out: &mut Out) -> Result<Session<'a>, Failure> {
    args.reports.check(Format::OF_PLANS)?;
    let named = [(args.out.as_ref(), "the file of `--out`")];
    let (loaded, base, recheck) = args.base.load(&args.paths, &args.planning, &args.connection.commands)?;
    let session = Session::open(loaded, &args.planning, &args.connection, &args.reports, &named, out)?;
    let max_silence = args.silence.of(&[Job::Apply, Job::Drift]);
    Ok(session
        .rechecking(recheck)
        .sharing(&args.shard, &args.at_once, out)?
        .selecting(&args.selected)?
        .comparing(base)
        .noticing(max_silence)
        .asking_permissions(args.as_verb.is_some()))
}

pub(super) async fn plan(args: &PlanArgs, out: &mut Out) -> Result<Exit, Failure> {
    let session = open(args, out)?;
    if let Some(path) = &args.out {
        let used = used_files(session.loaded(), &args.connection).into_iter().chain(args.reports.paths());
        ensure_unused(path, &used.collect::<Vec<_>>())?;
        files::check_writable(path)?;
    }
    let (mut plan, mut exit) = session.plan_all(out).await;
    let asked = args.base.check(&mut plan, &session, out);
    exit = exit.and(asked).and(report_silence(&plan, out));
    for organization in &plan.organizations {
        if !organization.refusals.is_empty() {
            exit = exit.and(Exit::Refused);
        } else if args.detailed_exitcode && !organization.sealed.mutations.is_empty() {
            exit = exit.and(Exit::Differences);
        }
    }
    plan.shard = session.shard_run(ShardedVerb::Plan, exit);
    let mut written = vec![args.reports.write(Subject::Plan(&plan), out)];
    if args.show_mutations && args.reports.format == Format::Text {
        out.result(&format!("\n{}", report::mutations(&plan)));
    }
    if let Some(path) = &args.out {
        if plan.organizations.len() < session.selected().count() {
            out.talk(&format!(
                "The plan was not saved as {}, because rolecall couldn't plan every organisation.\n",
                path.display()
            ));
        } else if asked != Exit::Done {
            out.talk(&format!(
                "The plan was not saved as {}, because it has what nobody asked for here.\n",
                path.display()
            ));
        } else {
            let saved = files::write_text(path, &report::plan_json(&plan), Readers::Owner);
            if saved.is_ok() {
                out.talk(&format!("The plan is saved as {}. {}\n", path.display(), next_step(args, &plan, path)));
            }
            written.push(saved);
        }
    }
    // The run ends here, and the system takes back a plan of thousands of people at once.
    std::mem::forget(plan);
    Ok(out.settle(exit, written))
}

/// Returns a sentence that says what to do with a saved plan.
fn next_step(args: &PlanArgs, plan: &Plan, path: &Path) -> String {
    let mut guardrails = plan.organizations.iter().flat_map(|it| &it.refusals).map(|refusal| refusal.guardrail);
    let only_credential = guardrails.clone().all(|guardrail| guardrail == Guardrail::Credential);
    if guardrails.next().is_some() && !only_credential {
        return "A guardrail refuses it, so an apply would send nothing to that organisation.".to_owned();
    }
    let who = if plan.organizations.iter().any(|it| !it.refusals.is_empty()) {
        "With a credential that may send it, "
    } else {
        ""
    };
    let sandbox = if args.connection.sandbox { " --sandbox" } else { "" };
    let paths: Vec<String> = args.paths.paths.iter().map(|path| path.display().to_string()).collect();
    let asserted: Vec<String> =
        args.planning.asserted.iter().map(|address| format!(" --assert '{address}'")).collect();
    let shard = plan.shard.as_ref().map(|run| {
        let Shard { number, of } = run.shard;
        format!(" --shard {number}/{of}")
    });
    format!(
        "{who}`rolecall apply{sandbox}{}{} --plan {} {}` applies it.",
        shard.unwrap_or_default(),
        asserted.concat(),
        path.display(),
        paths.join(" ")
    )
}
