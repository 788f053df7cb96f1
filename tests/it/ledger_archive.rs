//! A long ledger is shortened, whatever happens meanwhile.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::support::cli::Env;
use crate::support::rig::now;
use rolecall_engine::ledger::{Event, LONG, Ledger, LedgerError, Record, facts};
use tempfile::TempDir;

/// Returns the lines of runs that give two people one role after another.
fn lines(runs: usize) -> String {
    let mut text = String::new();
    for run in 0..runs {
        let (hour, minute) = (run / 60, run % 60);
        let head = format!(r#"{{"at":"2026-11-28T{hour:02}:{minute:02}:00Z","run":"run-{run}","event":"#);
        let _ = writeln!(
            text,
            r#"{head}"run-started","format_version":"2.4","generator":"test","identity":{{"provider":"bitpanda","organization":"acme","host":"x.example"}},"seal":"sha256:{run}","new":"in a later version"}}"#
        );
        for (who, mutation) in [("jane", "m1"), ("tom", "m2")] {
            let address = format!("user/{who}@x.example");
            let user = format!(
                r#"{{"kind":"user","id":"{who}","email":"{who}@x.example","roles":["Role {run}"],"enabled":true}}"#
            );
            let _ = writeln!(
                text,
                r#"{head}"intent","mutation":"{mutation}","operation":"o","change":{{"address":"{address}","action":"update","after":{user},"cause":{{"is":"declared"}}}}}}"#
            );
            let _ = writeln!(
                text,
                r#"{head}"outcome","mutation":"{mutation}","address":"{address}","outcome":"done"}}"#
            );
        }
        let _ = writeln!(text, r#"{head}"run-finished","in_sync":true,"desired":"sha256:{}"}}"#, run / 10);
    }
    text
}

fn ledger_of(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.jsonl");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn archive(path: &Path) -> PathBuf {
    path.with_extension("archive.jsonl")
}

/// Shortens a ledger. Another test may be about to start a program, which holds a copy of every lock until it runs.
fn shorten(path: &Path) -> Result<Option<PathBuf>, LedgerError> {
    loop {
        match Ledger::open(path, "next", now()) {
            Err(LedgerError::Locked { .. }) => std::thread::yield_now(),
            opened => return opened?.shorten(50, "next", now()),
        }
    }
}

fn records(text: &str) -> Vec<Record> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Checks that a ledger and its archive have all of these lines, and that the ledger is short.
fn is_short_and_whole(path: &Path, text: &str) {
    let read = Ledger::read(path).unwrap().unwrap().records;
    assert!(read.len() < 50, "{} lines", read.len());
    assert_eq!(Ledger::history(path, &read).unwrap().unwrap(), records(text));
    let (of_short, of_all) = (facts(&read), facts(&records(text)));
    assert_eq!(of_short.applied.keys().collect::<Vec<_>>(), of_all.applied.keys().collect::<Vec<_>>());
    assert_eq!((of_short.last_apply, of_short.ledger_since), (of_all.last_apply, of_all.ledger_since));
}

#[test]
fn lines_that_nothing_rests_on_go_to_the_archive_as_they_are() {
    let text = lines(100);
    let (_folder, path) = ledger_of(&text);
    assert_eq!(shorten(&path).unwrap(), Some(archive(&path).canonicalize().unwrap()));
    assert_eq!(std::fs::read_to_string(archive(&path)).unwrap(), text);
    is_short_and_whole(&path, &text);
    // Each line that stays is the same as before, too: a later version may have written more than this one knows.
    let short = std::fs::read_to_string(&path).unwrap();
    let (mark, kept) = (short.lines().last().unwrap(), short.lines().count() - 1);
    assert!(short.lines().take(kept).all(|line| text.lines().any(|other| other == line)), "{short}");
    assert!(mark.contains(&format!(r#""event":"archived","bytes":{}"#, text.len())), "{mark}");
    // It is short now, so it stays as it is, until it is long again.
    assert_eq!(shorten(&path).unwrap(), None);
    let more = lines(120)[text.len()..].to_owned();
    std::fs::write(&path, short + &more).unwrap();
    assert!(shorten(&path).unwrap().is_some());
    is_short_and_whole(&path, &(text + &more));
}

#[test]
fn what_a_process_that_died_has_archived_is_not_archived_twice() {
    let text = lines(30);
    for archived in (0..text.len()).step_by(997).chain([text.len()]) {
        let (_folder, path) = ledger_of(&text);
        std::fs::write(archive(&path), &text[..archived]).unwrap();
        // The ledger has become longer since.
        let longer = lines(31);
        std::fs::write(&path, &longer).unwrap();
        assert!(shorten(&path).unwrap().is_some(), "{archived}");
        is_short_and_whole(&path, &longer);
        assert_eq!(std::fs::read_to_string(archive(&path)).unwrap(), longer);
    }
}

#[test]
fn a_ledger_that_cannot_be_shortened_stays_as_it_is() {
    let text = lines(30);
    let unchanged = |path: &Path, why: &str| {
        let error = shorten(path).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
        let mut ledger = Ledger::open(path, "next", now()).unwrap();
        assert!(ledger.shorten(50, "next", now()).is_err());
        ledger.append(records(&text)[0].clone()).unwrap();
    };
    let (_folder, path) = ledger_of(&text);
    std::fs::write(archive(&path), lines(1).replace("sha256:0", "sha256:of another")).unwrap();
    unchanged(&path, "belongs to another one");
    let (_folder, path) = ledger_of(&text);
    std::fs::create_dir(archive(&path)).unwrap();
    unchanged(&path, "isn't a regular file");
    #[cfg(unix)]
    {
        let (folder, path) = ledger_of(&text);
        std::fs::hard_link(&path, folder.path().join("other.jsonl")).unwrap();
        unchanged(&path, "a second name");
    }
}

#[test]
fn an_archive_that_is_gone_is_begun_again_and_one_that_is_damaged_is_not() {
    let text = lines(30);
    let (_folder, path) = ledger_of(&text);
    shorten(&path).unwrap();
    let short = std::fs::read_to_string(&path).unwrap();
    let longer = short.clone() + &lines(60)[text.len()..];
    std::fs::write(&path, &longer).unwrap();
    std::fs::write(archive(&path), &text[..text.len() - 1]).unwrap();
    let read = Ledger::read(&path).unwrap().unwrap().records;
    assert!(shorten(&path).unwrap_err().to_string().contains("shorter than its ledger says"));
    assert!(Ledger::history(&path, &read).is_err());
    std::fs::remove_file(archive(&path)).unwrap();
    assert!(Ledger::history(&path, &read).is_err());
    assert!(shorten(&path).unwrap().is_some());
    is_short_and_whole(&path, &longer);
}

#[test]
fn an_incomplete_line_is_no_reason_to_keep_a_ledger_long() {
    let (first, second) = (lines(10), lines(30)[lines(10).len()..].to_owned());
    let recovered = r#"{"at":"2026-11-28T03:00:00Z","run":"next","event":"recovered","torn_bytes":9}"#;
    let (_folder, path) = ledger_of(&format!("{first}\n{{\"at\":\"20\n{recovered}\n{second}"));
    assert!(shorten(&path).unwrap().is_some());
    is_short_and_whole(&path, &format!("{first}{recovered}\n{second}"));
    assert!(std::fs::read_to_string(archive(&path)).unwrap().contains("{\"at\":\"20\n"));
}

/// A power cut while the archive was written is no reason, either.
#[test]
fn zeros_at_the_end_of_an_archive_are_written_over() {
    let text = lines(30);
    for before in ["", &text[..70]] {
        let (_folder, path) = ledger_of(&text);
        std::fs::write(archive(&path), format!("{before}\0\0\0")).unwrap();
        assert!(shorten(&path).unwrap().is_some());
        is_short_and_whole(&path, &text);
    }
}

#[cfg(unix)]
#[test]
fn a_ledger_keeps_its_place_and_who_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let text = lines(30);
    let (folder, path) = ledger_of(&text);
    let link = folder.path().join("elsewhere/link.jsonl");
    std::fs::create_dir(link.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(shorten(&link).unwrap().is_some());
    assert!(link.is_symlink());
    is_short_and_whole(&link, &text);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&archive(&path))), (0o640, 0o600));
    let files: BTreeSet<_> = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(files.len(), 3, "{files:?}");
}

/// A process that waits for the lock has opened the earlier file.
#[test]
fn a_process_that_waits_meanwhile_writes_to_the_shorter_ledger() {
    let (_folder, path) = ledger_of(&lines(30));
    let mut first = Ledger::open(&path, "first", now()).unwrap();
    let line = |run: &str| Record { at: now(), run: run.to_owned(), event: Event::Recovered { torn_bytes: 0 } };
    std::thread::scope(|scope| {
        let second = scope.spawn(|| {
            let mut second = Ledger::open(&path, "second", now()).unwrap();
            second.append(line("second")).unwrap();
        });
        std::thread::sleep(Duration::from_millis(200));
        assert!(first.shorten(50, "first", now()).unwrap().is_some());
        std::thread::sleep(Duration::from_millis(200));
        first.append(line("first")).unwrap();
        drop(first);
        second.join().unwrap();
    });
    let read = Ledger::read(&path).unwrap().unwrap().records;
    let runs: Vec<&str> = read.iter().rev().take(2).map(|record| &*record.run).collect();
    assert_eq!(runs, ["second", "first"]);
    assert!(Ledger::history(&path, &read).unwrap().unwrap().len() == records(&lines(30)).len() + 2);
}

const LEDGER: &str = ".rolecall/sandbox/ledger/bitpanda-f8588dc7-e1ce-4d92-a473-809a0a357ad9.jsonl";

const ARCHIVE: &str = ".rolecall/sandbox/ledger/bitpanda-f8588dc7-e1ce-4d92-a473-809a0a357ad9.archive.jsonl";

const APPLY: &[&str] = &["apply", "--auto-approve", "--sandbox", "bitpanda.yaml"];

/// Returns the lines of so many runs that have nothing to do, after those that an apply has written.
fn runs_without_work(env: &Env, runs: std::ops::Range<usize>) -> String {
    let text = env.read(LEDGER);
    let started = text.lines().rfind(|line| line.contains("run-started")).unwrap();
    let finished = text.lines().rfind(|line| line.contains("run-finished")).unwrap();
    let of_run = |number: usize, line: &str| line.replace(r#""run":""#, &format!(r#""run":"{number}-"#));
    runs.flat_map(|run| [started, finished].map(|line| of_run(run, line) + "\n")).collect()
}

/// Applies the example, and makes its ledger long. Returns the text of the ledger.
fn with_long_ledger() -> (Env, String) {
    let env = Env::with_example();
    assert_eq!(env.run(APPLY).code, 0);
    let long = env.read(LEDGER) + &runs_without_work(&env, 0..LONG / 2);
    env.write(LEDGER, &long);
    (env, long)
}

/// A long ledger, its archive if there is one, and all lines that both have.
struct Long {
    ledger: String,
    archive: Option<String>,
    all: String,
}

/// Returns a folder, and ledgers that are shortened in it: for the first time, once more, and after somebody has moved the
/// archive away.
fn long_ledgers() -> (Env, [Long; 3]) {
    let (env, ledger) = with_long_ledger();
    let first = Long { archive: None, all: ledger.clone(), ledger };
    assert_eq!(env.run(APPLY).code, 0);
    let archived = env.read(ARCHIVE);
    let ledger = env.read(LEDGER) + &runs_without_work(&env, LONG..LONG + LONG / 2);
    let (_, since) = ledger.split_once(&format!(r#""bytes":{}}}"#, archived.len())).unwrap();
    let all = archived.clone() + since.trim_start();
    let moved = Long { archive: None, all: ledger.clone(), ledger: ledger.clone() };
    (env, [first, Long { archive: Some(archived), all, ledger }, moved])
}

impl Long {
    fn write(&self, env: &Env) {
        env.write(LEDGER, &self.ledger);
        match &self.archive {
            Some(archive) => env.write(ARCHIVE, archive),
            None => std::fs::remove_file(env.path(ARCHIVE)).unwrap_or_default(),
        }
    }

    /// Checks that the ledger and its archive have all lines, and then at most those of the runs since.
    fn is_whole(&self, env: &Env, when: &str) {
        let path = &*env.path(LEDGER);
        let read = Ledger::read(path).unwrap().unwrap().records;
        // A new archive is complete before the ledger names it.
        let history = Ledger::history(path, &read).unwrap_or_default().unwrap_or(read);
        let before = records(&self.all);
        assert!(history.starts_with(&before), "{when}: {} lines are not those before", history.len());
        assert!(history.len() < before.len() + 10, "{when}: {} lines", history.len());
    }

    /// Checks that the next apply shortens the ledger, whatever an earlier one has left.
    fn is_shortened(&self, env: &Env, when: &str) {
        self.is_whole(env, when);
        let said = env.run(APPLY);
        assert!(said.code == 0 && env.read(LEDGER).lines().count() < 100, "{when}: {}", said.all());
        self.is_whole(env, when);
        let files = std::fs::read_dir(env.path(LEDGER).parent().unwrap()).unwrap();
        let files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files.len(), 2, "{when}: {files:?}");
    }
}

#[test]
fn a_process_that_is_killed_while_it_shortens_a_ledger_loses_no_line() {
    let kills: usize = std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20);
    let (env, ledgers) = long_ledgers();
    for (kill, long) in (0..kills.div_ceil(7)).zip(ledgers.iter().cycle()) {
        long.write(&env);
        let length = || std::fs::metadata(env.path(ARCHIVE)).map_or(0, |archive| archive.len());
        let before = length();
        let mut child = env.command().args(APPLY).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while length() == before && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        // Now the first bytes are in the archive.
        let moment =
            Duration::from_micros(u64::from(std::time::UNIX_EPOCH.elapsed().unwrap().subsec_micros()) % 50_000);
        std::thread::sleep(moment);
        child.kill().unwrap();
        child.wait().unwrap();
        long.is_shortened(&env, &format!("kill {kill}, after {moment:?}"));
    }
}

/// A limit on file size acts like a full disk: it ends the write of the archive shortly before its end.
#[cfg(unix)]
#[test]
fn a_full_disk_keeps_a_ledger_long_and_loses_no_line() {
    let (env, ledgers) = long_ledgers();
    for long in &ledgers {
        let limit = format!("ulimit -f {}; exec \"$0\" \"$@\"", long.all.len() / 512);
        long.write(&env);
        let said = env.run_within(&limit, APPLY);
        assert!(said.code == 0 && said.stderr.contains("is long and stays so"), "{}", said.all());
        assert_eq!(env.read(LEDGER), long.ledger);
        let archive = std::fs::read_to_string(env.path(ARCHIVE)).ok();
        assert!(archive == long.archive, "it still takes space");
        long.is_shortened(&env, "full");
    }
}

#[test]
fn apply_shortens_a_long_ledger_and_show_shows_all_of_it() {
    let (env, long) = with_long_ledger();
    let run = |args: &[&str]| env.run(&[args, &["--sandbox", "bitpanda.yaml"]].concat());
    let plan = run(&["plan"]);
    let shown = env.run(&["show", LEDGER]).stdout;
    assert_eq!(shown.lines().count(), long.lines().count());
    let said = run(&["apply", "--auto-approve"]);
    assert!(said.stderr.contains("was long, so lines that nothing rests on are now only in"), "{}", said.all());
    assert_eq!(run(&["plan"]).stdout, plan.stdout);
    assert!(env.read(LEDGER).lines().count() < 100);
    assert!(
        env.run(&["show", LEDGER]).stdout.starts_with(&shown),
        "the lines since come after those of the archive"
    );
    assert_eq!(env.read(ARCHIVE), long);
    assert_eq!(env.run(&["show", ARCHIVE]).stdout, shown);
    // Without the archive, the ledger is enough for a plan.
    std::fs::remove_file(env.path(ARCHIVE)).unwrap();
    assert_eq!(run(&["plan"]).stdout, plan.stdout);
    let said = env.run(&["show", LEDGER]);
    assert!(
        said.code == 0 && said.stderr.contains("Only the lines of the ledger itself are shown"),
        "{}",
        said.all()
    );
}
