//! The [`FileCheckpoint`]: the answers of a read in a file, until the read is complete.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{OnStorageEvent, ReadCheckpoint, StorageEvent, private};

/// The time after its start within which an interrupted read can be resumed. Later, its answers may be out of
/// date.
const READ_LIFETIME: SignedDuration = SignedDuration::from_mins(30);

/// A line of a checkpoint: the time at which the read began, or an answer.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Answer { asked: String, answer: Value },
    Began { began: Timestamp },
}

/// The answers of a read in a file, kept until the read is complete.
pub struct FileCheckpoint {
    path: PathBuf,
    on_event: OnStorageEvent,
    earlier: Mutex<BTreeMap<String, Value>>,
    file: Mutex<Option<File>>,
}

impl FileCheckpoint {
    pub(super) fn open(path: PathBuf, on_event: OnStorageEvent) -> Self {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        // A last line that was cut off is ignored.
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let began = lines.next().and_then(|line| match line {
            Line::Began { began } => Some(began),
            Line::Answer { .. } => None,
        });
        let age = began.map(|began| Timestamp::now().duration_since(began));
        let is_fresh = age.is_some_and(|age| !age.is_negative() && age < READ_LIFETIME);
        let mut earlier = BTreeMap::new();
        for line in lines.filter(|_| is_fresh) {
            if let Line::Answer { asked, answer } = line {
                earlier.insert(asked, answer);
            }
        }
        if let Some(age) = age.filter(|_| !earlier.is_empty()) {
            on_event(&StorageEvent::ReadResumed { age, answers: earlier.len() });
        }
        let open = || {
            let mut file = private::in_folder(&path)?.create(true).append(true).open(&path)?;
            if !is_fresh {
                file.set_len(0)?;
                let began = serde_json::to_string(&Line::Began { began: Timestamp::now() })?;
                writeln!(file, "{began}")?;
            } else if !text.ends_with('\n') {
                writeln!(file)?;
            }
            Ok::<File, io::Error>(file)
        };
        Self { earlier: Mutex::new(earlier), file: Mutex::new(open().ok()), path, on_event }
    }

    /// Returns the number of answers of the interrupted read that this read has not used yet.
    pub fn unused_answers(&self) -> usize {
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Deletes the file after a complete read, so that the next read starts from the beginning.
    pub fn finish(&self) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = std::fs::remove_file(&self.path);
    }

    /// Keeps the file after an interrupted read, and says so if it has any answers.
    pub fn suspend(&self) {
        let answers = |text: String| text.lines().count().saturating_sub(1);
        if std::fs::read_to_string(&self.path).map_or(0, answers) == 0 {
            return;
        }
        (self.on_event)(&StorageEvent::ReadSuspended { path: self.path.clone(), lifetime: READ_LIFETIME });
    }
}

impl ReadCheckpoint for FileCheckpoint {
    fn take(&self, asked: &str) -> Option<Value> {
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner).remove(asked)
    }

    fn keep(&self, asked: &str, answer: &Value) {
        let line = Line::Answer { asked: asked.to_owned(), answer: answer.clone() };
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(file), Ok(text)) = (&mut *guard, serde_json::to_string(&line))
            && writeln!(file, "{text}").is_err()
        {
            *guard = None;
        }
    }
}
