//! Commands and options in the documentation exist.

use clap::{Arg, Command, CommandFactory};
use rolecall::cli::Cli;

use super::{Page, code, pages};

/// The commands and options that were found, and those among them that don't exist.
#[derive(Default)]
struct Seen {
    verbs: Vec<String>,
    options: Vec<String>,
    unknown: Vec<String>,
}

fn built() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

fn has_option(command: &Command, option: &str) -> bool {
    let is_it = |arg: &Arg| arg.get_long_and_visible_aliases().unwrap_or_default().contains(&option);
    option == "help" || command.get_arguments().any(is_it)
}

/// Returns `--report` of `--report=x`, of `[--report` and of `--report…`.
fn option_in(word: &str) -> Option<&str> {
    let rest = word.trim_start_matches(['[', '(', '`', '"', '\'']).strip_prefix("--")?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
    (end > 0).then_some(&rest[..end])
}

/// Whether the word is a placeholder for other words.
fn is_placeholder(word: &str) -> bool {
    word.chars().all(|c| c.is_uppercase() || matches!(c, '_' | '…' | '.'))
}

impl Seen {
    /// Checks the words after `rolecall`, up to the end of the command.
    fn command(&mut self, words: &[&str], whole: &Command, said: &str) {
        let end = words.iter().position(|word| matches!(*word, "|" | "||" | "&&" | ";" | ">" | "2>" | "#"));
        let words = &words[..end.unwrap_or(words.len())];
        let Some((first, rest)) = words.split_first() else { return };
        if first.starts_with('-') {
            let option = option_in(first).unwrap_or_default();
            let known = matches!(option, "help" | "version") || has_option(whole, option);
            self.options.push(option.to_owned());
            if !known {
                self.unknown.push(format!("{said}: no {first}"));
            }
            return;
        }
        if *first == "help" || is_placeholder(first) {
            return;
        }
        let verbs: Vec<&str> = first.split('|').collect();
        for verb in verbs {
            self.verbs.push(verb.to_owned());
            let Some(command) = whole.find_subcommand(verb) else {
                self.unknown.push(format!("{said}: no verb {verb}"));
                continue;
            };
            for option in rest.iter().filter_map(|word| option_in(word)) {
                self.options.push(option.to_owned());
                if !has_option(command, option) {
                    self.unknown.push(format!("{said}: {verb} has no --{option}"));
                }
            }
        }
    }

    fn span(&mut self, span: &str, whole: &Command) {
        let words: Vec<&str> = span.split_whitespace().collect();
        match words.as_slice() {
            ["rolecall", rest @ ..] => self.command(rest, whole, span),
            // `---` begins a YAML document.
            ["---", ..] => {}
            [first, ..] if first.starts_with("--") => {
                let option = option_in(first).unwrap_or_default();
                let any = has_option(whole, option)
                    || whole.get_subcommands().any(|command| has_option(command, option));
                // This is an option of cargo, for people who build the program.
                if !any && option != "locked" {
                    self.unknown.push(format!("{span}: no verb has it"));
                }
                self.options.push(option.to_owned());
            }
            [first, second, ..] if second.starts_with("--") => {
                let is_verb = |verb: &str| whole.find_subcommand(verb).is_some();
                if first.split('|').all(is_verb) {
                    self.command(&words, whole, span);
                }
            }
            _ => {}
        }
    }

    fn block(&mut self, language: &str, block: &str, whole: &Command) {
        if !matches!(language, "sh" | "bash" | "console" | "yaml" | "yml") {
            return;
        }
        for line in block.replace("\\\n", " ").lines() {
            let line = line.split_once(" #").map_or(line, |(before, _)| before);
            if line.trim_start().starts_with('#') {
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let ours = |word: &str| word == "rolecall" || word.ends_with("/rolecall");
            let starts = words.iter().enumerate().filter(|(at, word)| {
                let before = at.checked_sub(1).map_or("", |before| words[before]);
                // The word is a command here, not an argument.
                ours(word) && (matches!(before, "" | "$" | "-" | "run:" | "|" | "||" | "&&" | ";" | "if" | "!"))
            });
            for (at, _) in starts {
                self.command(&words[at + 1..], whole, line.trim());
            }
            if let (["cargo", "run", ..], Some(at)) =
                (words.as_slice(), words.iter().position(|word| *word == "--"))
            {
                self.command(&words[at + 1..], whole, line.trim());
            }
        }
    }

    fn page(&mut self, page: &Page, whole: &Command) {
        let before = self.unknown.len();
        let (spans, blocks) = code(&page.text);
        for span in &spans {
            self.span(span, whole);
        }
        for (language, block) in &blocks {
            self.block(language, block, whole);
        }
        for unknown in &mut self.unknown[before..] {
            *unknown = format!("{}: {unknown}", page.path);
        }
    }
}

#[test]
fn every_verb_and_option_exists() {
    let whole = built();
    let mut seen = Seen::default();
    for page in pages() {
        seen.page(&page, &whole);
    }
    assert!(seen.unknown.is_empty(), "{:#?}", seen.unknown);
    for verb in whole.get_subcommands().map(Command::get_name).filter(|verb| *verb != "help") {
        assert!(seen.verbs.iter().any(|known| known == verb), "no page tells how `{verb}` is called");
    }
    assert!(seen.options.len() > 40, "only {} options were found", seen.options.len());
}

#[test]
fn a_verb_or_option_that_does_not_exist_is_seen() {
    let wrong = "`rolecall pln` `rolecall plan --outt x` `--nothing` `drift --out x` `plan|drift --out y` `rolecall --versoin`

```sh
rolecall apply --plan plan.json \\
  --auto
cargo run --quiet -- validate --out x
$ rolecall show | rolecall nonsense # rolecall comment
```

```yaml
- run: rolecall plan --paln
```";
    let right = "`---` `rolecall plan --out x` `--assert user/…` `plan --out` `rolecall help VERB` `rolecall --version` `gh x --repo y`

```sh
rolecall apply --plan plan.json \\
  --auto-approve # rolecall comment
git clone rolecall x && cargo test --locked
```";
    let whole = built();
    let unknown = |text: &str| {
        let mut seen = Seen::default();
        seen.page(&Page { path: "x.md".to_owned(), text: text.to_owned() }, &whole);
        seen.unknown
    };
    assert_eq!(unknown(wrong).len(), 10, "{:#?}", unknown(wrong));
    assert!(unknown(right).is_empty(), "{:#?}", unknown(right));
}
