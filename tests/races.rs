//! Random appends of every kind from many writers at once, while their connections die: a judge that shares no code
//! with the store accepts what became of them.
//!
//! `UMBEL_TEST_SEED` repeats what is sent and what is broken, `UMBEL_TEST_CASES` says how often.

use std::path::Path;

use umbel_testkit::{
    checker::Accepted,
    postgres::{CuttingProxy, disconnect},
};

use crate::support::{Dice, Store, StorePlace, Writing, judge, seed, with_store};

/// How many appends are stored at most until the next disturbance.
const CALM_MAX: u64 = 12;

/// Runs a case as often as asked, each with a seed of its own that a failure names.
#[track_caller]
fn cases(default: u64, case: impl Fn(u64, &Path) -> Result<Accepted, String>) {
    let asked = std::env::var("UMBEL_TEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let first = seed();
    let mut numbers = Accepted::default();
    for seed in (0..asked.unwrap_or(default)).map(|number| first.wrapping_add(number)) {
        let mut directory = tempfile::tempdir().unwrap();
        let accepted = case(seed, directory.path()).unwrap_or_else(|broken| {
            directory.disable_cleanup(true);
            panic!("UMBEL_TEST_SEED={seed}, journals in {}: {broken}", directory.path().display())
        });
        println!("UMBEL_TEST_SEED={seed}: {accepted}");
        numbers.stored += accepted.stored;
        numbers.repeated += accepted.repeated;
        numbers.refused += accepted.refused;
    }
    let met_everything = numbers.stored > 0 && numbers.repeated > 0 && numbers.refused > 0;
    assert!(met_everything, "UMBEL_TEST_SEED={first}: too little happened: {numbers}");
}

/// AP-01 to AP-06, UX-02, UX-04 to UX-06: two processes write to one PostgreSQL; the server ends their connections at
/// any moment, and answers to one of them are lost on their way.
#[test]
fn two_processes_with_dying_connections_keep_every_promise() {
    cases(2, |seed, directory| {
        let store = Store::postgres();
        let StorePlace { url, schema } = store.place(directory);
        let proxy = CuttingProxy::start(&url).unwrap();
        let named = |url: &str| {
            format!("{url}{}application_name={schema}", if url.contains('?') { '&' } else { '?' })
        };
        let writing = |number: u64, url: &str| Writing {
            place: StorePlace { url: named(url), schema: schema.clone() },
            seed: Dice::new(seed).part(number).any(),
            ..writing(&store, directory, &format!("journal-{number}"), 80)
        };
        let writings = [writing(1, &url), writing(2, proxy.url())];
        let mut writers = writings.each_ref().map(Writing::spawn);
        let mut dice = Dice::new(seed).part(3);
        // Not before they are there: a store that cannot start has its own tests.
        for writer in &mut writers {
            assert!(writer.goes_on(1), "it ended before it began");
        }
        while writers[usize::from(dice.once_in(2))].goes_on(dice.below(CALM_MAX)) {
            if dice.once_in(3) {
                proxy.cut();
            } else {
                disconnect(&url, &schema).unwrap();
            }
        }
        writers.into_iter().for_each(|writer| writer.join());
        with_store(&store.place(directory), async |bus| {
            judge(&bus, writings.iter().map(|writing| &writing.journal)).await
        })
    });
}

/// AP-01 to AP-06, UX-04 to UX-06, on the embedded store.
#[test]
fn many_tasks_on_sqlite_keep_every_promise() {
    cases(1, |seed, directory| {
        let writing = writing(&Store::Sqlite, directory, "journal", 120);
        one_process(Writing { seed, ..writing })
    });
}

/// AP-01 to AP-06, UX-04 to UX-06, on the store without a disk.
#[test]
fn many_tasks_in_memory_keep_every_promise() {
    cases(2, |seed, directory| {
        let place = StorePlace { url: "memory:".into(), schema: "umbel".into() };
        one_process(Writing { seed, place, ..writing(&Store::Sqlite, directory, "journal", 120) })
    });
}

fn one_process(writing: Writing) -> Result<Accepted, String> {
    with_store(&writing.place.clone(), async |bus| {
        let journal = writing.journal.clone();
        writing.run(&bus).await;
        judge(&bus, [journal]).await
    })
}

fn writing(store: &Store, directory: &Path, journal: &str, appends: u64) -> Writing {
    Writing {
        place: store.place(directory),
        journal: directory.join(journal),
        seed: 0,
        tasks: 6,
        appends,
        stop: directory.join("stop"),
    }
}
