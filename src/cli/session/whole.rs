//! The files of which only the heads are kept, as a whole.

use std::borrow::Cow;

use super::Session;
use crate::cli::exit::Failure;
use crate::cli::out::Out;
use rolecall_config::{LoadedFile, Recheck, Source, reread};
use rolecall_model::{Desired, Finding};

impl<'a> Session<'a> {
    /// Reads the files again of which only the heads are kept, each when its organisation is planned.
    pub fn rechecking(self, recheck: Option<Recheck<'a>>) -> Self {
        Self { recheck, ..self }
    }

    /// Returns everything that the file of an organisation asks for.
    pub fn whole<'b>(&self, desired: &'b Desired) -> Result<Cow<'b, Desired>, Failure> {
        let is_it = |file: &&LoadedFile| file.desired.as_ref().is_some_and(|other| std::ptr::eq(other, desired));
        let file = self.loaded.files.iter().find(is_it).filter(|file| file.hash.is_some());
        let (Some(file), Some(recheck)) = (file, &self.recheck) else { return Ok(Cow::Borrowed(desired)) };
        let mut whole = recheck.whole(file).map_err(|changed| Failure::findings(vec![*changed]))?;
        self.planning.tighten(&mut whole);
        Ok(Cow::Owned(whole))
    }

    /// Prints findings with the lines that they are about.
    pub fn print(&self, findings: &[Finding], out: &Out) {
        let is_named = |source: &&Source| findings.iter().any(|finding| finding.place.file == source.name);
        let files = self.loaded.files.iter().filter(|file| file.hash.is_some() && is_named(&&file.source));
        let read: Vec<Source> = files.filter_map(|file| reread(&file.path)).collect();
        let kept = self.loaded.sources().filter(is_named);
        let kept = kept.filter(|source| read.iter().all(|again| again.name != source.name));
        out.findings(findings, &kept.chain(&read).collect::<Vec<_>>());
    }
}
