//! Records a drift run, so that others can tell when the last one was.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Event, LEDGER_VERSION, Ledger, LedgerError, LedgerHome, Record};
use rolecall_model::Identity;

/// Records in the ledger that a drift run has read and compared everything. Returns the time of the last line about drift,
/// or `None` if there is no ledger, or an empty one, and it can't be opened.
///
/// The ledger doesn't get much longer: each day in UTC has one line, and one more each time that `in_sync` changes. While
/// an apply has the ledger, nothing is recorded.
///
/// # Errors
///
/// Fails if the ledger can't be read or written, or if an apply has it and it has no line about drift yet.
pub fn record_drift(
    home: impl Into<LedgerHome>,
    identity: &Identity,
    in_sync: bool,
    (run, generator): (&str, &str),
    at: Timestamp,
) -> Result<Option<Timestamp>, LedgerError> {
    let home = home.into();
    let earlier = Ledger::read(&home)?;
    let is_new = earlier.as_ref().is_none_or(|earlier| earlier.records.is_empty());
    let last = earlier.and_then(|earlier| last_drift(&earlier.records));
    let is_known = |(last, before): &(Timestamp, bool)| *before == in_sync && day(*last) == day(at);
    if let Some((last, _)) = last.filter(is_known) {
        return Ok(Some(last));
    }
    let mut ledger = match Ledger::open_within(false, &home, run, at) {
        Err(LedgerError::Locked { .. }) if last.is_some() => return Ok(last.map(|(last, _)| last)),
        Err(LedgerError::Io { .. }) if is_new => return Ok(None),
        opened => opened?,
    };
    let event = Event::DriftFinished {
        format_version: LEDGER_VERSION.to_owned(),
        generator: generator.to_owned(),
        identity: identity.clone(),
        in_sync,
    };
    ledger.append(Record { at, run: run.to_owned(), event })?;
    Ok(Some(at))
}

/// Returns the time of the last line about drift, and whether live was in sync then.
fn last_drift(records: &[Record]) -> Option<(Timestamp, bool)> {
    records.iter().rev().find_map(|record| match record.event {
        Event::DriftFinished { in_sync, .. } => Some((record.at, in_sync)),
        _ => None,
    })
}

fn day(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}
