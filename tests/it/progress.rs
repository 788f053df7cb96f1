//! The progress of an apply, as it is shown.

use std::time::Duration;

use rolecall::report::Count;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn rate_and_time_left() {
    let said = |done: usize, total, elapsed| {
        let mut count = Count::of(total);
        (0..done).for_each(|number| count.see(&format!("m{number}")));
        count.estimate(Duration::from_millis(elapsed))
    };
    assert_eq!(said(0, 10, 0), "0 of 10 mutations");
    assert_eq!(said(0, 10, 5000), "0 of 10 mutations");
    assert_eq!(said(120, 1000, 8600), "120 of 1000 mutations, 14 a second, about 1 min left");
    assert_eq!(said(500, 1000, 50_000), "500 of 1000 mutations, 10 a second, about 50 s left");
    assert_eq!(said(999, 1000, 50_000), "999 of 1000 mutations, 20 a second, about 5 s left");
    assert_eq!(said(10, 30, 60_000), "10 of 30 mutations, 10 a minute, about 2 min left");
    assert_eq!(said(10, 2410, 60_000), "10 of 2410 mutations, 10 a minute, about 4 h left");
    assert_eq!(said(1, 1, 1), "1 of 1 mutation, 1000 a second");
}

#[test]
fn a_mutation_reported_twice_counts_once() {
    let mut count = Count::of(3);
    for mutation in ["m1", "m2", "m1", "m2", "m1"] {
        count.see(mutation);
    }
    assert_eq!(count.line(seconds(20)).unwrap(), "2 of 3 mutations, 6 a minute, about 10 s left\n");
}

#[test]
fn a_line_at_most_every_ten_seconds_and_none_at_the_end() {
    let mut count = Count::of(100);
    let mut said = Vec::new();
    for second in 1..=100 {
        count.see(&format!("m{second}"));
        if count.line(seconds(second)).is_some() {
            said.push(second);
        }
    }
    assert_eq!(said, [10, 20, 30, 40, 50, 60, 70, 80, 90]);
}

#[test]
fn a_short_run_says_nothing() {
    let mut count = Count::of(1000);
    for number in 0..1000 {
        count.see(&format!("m{number}"));
        assert_eq!(count.line(Duration::from_millis(9 * number)), None);
    }
}
