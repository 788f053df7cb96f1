//! Files that are only in memory, and organisations that include them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rolecall_config::{Answers, Content, Files, Loaded, Source, load_contents};
use rolecall_model::{Code, Finding, Place};

/// Files by their paths.
#[derive(Clone, Debug, Default)]
pub struct Memory(pub BTreeMap<PathBuf, String>);

impl Files for Memory {
    fn read(&self, path: &Path, findings: &mut Vec<Finding>) -> Option<Source> {
        let name = path.display().to_string();
        let Some(text) = self.0.get(path) else {
            findings.push(Finding::error(Code::UnreadableFile, Place::start_of(name), "It isn't there."));
            return None;
        };
        Some(Source::decoded(&name, text.clone().into_bytes(), findings))
    }

    fn list(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        Ok(self.0.keys().filter(|path| path.parent() == Some(folder)).cloned().collect())
    }

    fn is_inside(&self, path: &Path, _: &Path) -> bool {
        !path.starts_with("..")
    }
}

/// Loads one organisation's file as of a time, together with files that it includes.
pub fn loaded(text: &str, files: &[(&str, &str)], now: Timestamp) -> Loaded {
    let memory = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned()));
    let content =
        Content { name: "x.yaml".to_owned(), path: "x.yaml".into(), bytes: text.as_bytes().to_vec(), named: true };
    load_contents(vec![content], &Memory(memory.collect()), &Answers::default(), now, rolecall_providers::format)
}
