//! A ledger in a store. Its text is that of a ledger in a file, in one object or several.

use super::file::{Ending, parse};
use super::lease::{Hold, Lease};
use super::store::{Store, StoreError, Tag, wait};
use super::{LedgerError, ReadLedger, Record};

/// The size in bytes from which on an object gets a successor. Each line that is added writes the last object once more.
const FULL: usize = 512 * 1024;

/// Returns the name of an object of a ledger. The first is 1.
fn object(ledger: &str, number: usize) -> String {
    if number == 1 { format!("{ledger}.jsonl") } else { format!("{ledger}.{number}.jsonl") }
}

/// The last object of a ledger, which may not exist yet.
#[derive(Debug)]
struct Last {
    number: usize,
    content: Vec<u8>,
    tag: Option<Tag>,
}

/// Reads all objects of a ledger. Returns their text, and the last one.
fn read_all(store: &Store, ledger: &str) -> Result<(Vec<u8>, Last), StoreError> {
    let (store, ledger) = (store.clone(), ledger.to_owned());
    wait(async move {
        let mut text = Vec::new();
        let mut last = Last { number: 1, content: Vec::new(), tag: None };
        for number in 1.. {
            let Some((content, tag)) = store.get(&object(&ledger, number)).await? else { break };
            text.extend_from_slice(&content);
            last = Last { number, content, tag: Some(tag) };
        }
        Ok((text, last))
    })
}

/// Reads a ledger without its lock. Returns `None` if it doesn't exist.
pub(super) fn read(store: &Store, ledger: &str) -> Result<Option<ReadLedger>, LedgerError> {
    let shown = format!("{store}/{}", object(ledger, 1));
    let (text, last) = read_all(store, ledger).map_err(|why| LedgerError::Store { ledger: shown.clone(), why })?;
    if last.tag.is_none() {
        return Ok(None);
    }
    let (records, ending) = parse(&shown, &text)?;
    Ok(Some(ReadLedger { records, torn_bytes: if let Ending::Torn(bytes) = ending { bytes } else { 0 } }))
}

/// A ledger that this process has locked. Each write is one of the whole last object, and fails if another process has
/// written to it.
#[derive(Debug)]
pub(super) struct StoredFile {
    store: Store,
    ledger: String,
    lease: Lease,
    last: Last,
    /// True after a write that failed, which may have had an effect.
    broken: bool,
}

impl StoredFile {
    /// Opens and locks a ledger. Returns it with its records, and how it ends. With `waits`, waits for another process.
    pub fn open(
        store: &Store,
        ledger: &str,
        run: &str,
        waits: bool,
    ) -> Result<(Self, Vec<Record>, Ending), LedgerError> {
        let (lease, taken_over) = Lease::acquire(store, ledger, run, waits)?;
        let shown = format!("{store}/{}", object(ledger, 1));
        let (text, last) =
            read_all(store, ledger).map_err(|why| LedgerError::Store { ledger: shown.clone(), why })?;
        let (records, ending) = parse(&shown, &text)?;
        let mut opened = Self { store: store.clone(), ledger: ledger.to_owned(), lease, last, broken: false };
        if taken_over {
            // The earlier holder may still live, without knowing that it has lost the lock. It can't record anything from
            // now on, so it sends nothing.
            opened.write(b"\n")?;
            opened.lease.settle();
        }
        Ok((opened, records, ending))
    }

    pub fn is_broken(&self) -> bool {
        self.broken
    }

    pub fn hold(&self) -> Hold {
        self.lease.hold()
    }

    /// Adds text and waits until the store has it. Fails if this process may no longer send.
    pub fn write(&mut self, text: &[u8]) -> Result<(), LedgerError> {
        self.check()?;
        let is_full = self.last.content.len() >= FULL;
        let (number, tag) =
            if is_full { (self.last.number + 1, None) } else { (self.last.number, self.last.tag.clone()) };
        let mut content = if is_full { Vec::new() } else { self.last.content.clone() };
        content.extend_from_slice(text);
        let (store, name, sent) = (self.store.clone(), object(&self.ledger, number), content.clone());
        match wait(async move { store.put(&name, &sent, tag.as_ref()).await }) {
            Ok(tag) => self.last = Last { number, content, tag: Some(tag) },
            Err(why) => {
                self.broken = true;
                return Err(LedgerError::Store { ledger: self.shown(), why });
            }
        }
        self.check()
    }

    fn check(&self) -> Result<(), LedgerError> {
        let why = if self.broken {
            "an earlier line could not be written"
        } else if !self.hold().is_held() {
            "its lock could not be renewed in time, or another process has taken it over"
        } else {
            return Ok(());
        };
        Err(LedgerError::Store {
            ledger: self.shown(),
            why: StoreError::Failed { why: why.to_owned(), may_pass: false },
        })
    }

    fn shown(&self) -> String {
        format!("{}/{}", self.store, object(&self.ledger, self.last.number))
    }
}
