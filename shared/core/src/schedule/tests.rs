//! A schedule's way, step by step, in a world of nothing but its entries.

use super::*;
use crate::store::{InvalidAppend, Limits};

const BOUNDS: Bounds = Bounds {
    lease_micros: 100,
    late_after_micros: 50,
    retry_min_micros: 10,
    retry_max_micros: 35,
    attempts_max: 4,
};

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn once() -> Scheduled {
    Scheduled {
        schedule: Uuid::from_u128(7),
        schema: 1,
        command: "bank.deposit".into(),
        body: Json::parse("1").unwrap().into(),
        due_at: at(1000),
        recurring: None,
        metadata: Metadata::default(),
        attempts: 0,
        error: None,
    }
}

fn nightly(missed: Missed) -> Scheduled {
    let (name, cron) = ("nightly".to_owned(), "0 3 * * *".to_owned());
    Scheduled { recurring: Some(Recurring { name, cron, missed, declared_by: None }), ..once() }
}

/// What an outbox is after appends, as far as this needs it.
#[derive(Default)]
struct World(Vec<Waiting>, u64);

impl World {
    fn apply(&mut self, append: &Append) {
        self.0.retain(|waiting| !append.done.contains(&waiting.entry.id));
        for entry in &append.outbox {
            assert!(self.0.iter().all(|waiting| waiting.entry.id != entry.id), "{entry:?} waits already");
            self.1 += 1;
            self.0.push(Waiting { number: self.1, entry: entry.clone(), recorded_at: at(0) });
        }
    }

    fn plan(scheduled: &Scheduled) -> Self {
        let mut world = Self::default();
        world.apply(&Append { outbox: vec![scheduled.waiting().unwrap()], ..Append::default() });
        world
    }

    /// Takes what is due first, as if its next time was a thousand later.
    fn take(&mut self, now: i64) -> Option<Run> {
        let waiting = self.0.iter().min_by_key(|waiting| waiting.due_at()).unwrap().clone();
        assert!(waiting.due_at() <= at(now), "nothing is due");
        let scheduled: Scheduled = waiting.entry.body.decode().unwrap();
        let taken = scheduled.take(&waiting, at(now), Some(at(now + 1000)), Uuid::nil(), &BOUNDS).unwrap();
        self.apply(&taken.append);
        taken.run
    }

    fn settle(&mut self, run: &Run, settled: Settled, now: i64) {
        self.apply(&run.settle(settled, at(now), &BOUNDS).unwrap());
    }

    /// Queue, when it is due, and how often it was tried, of all there is.
    fn left(&self) -> Vec<(&str, i64, u32)> {
        let left = self.0.iter().map(|waiting| {
            let scheduled: Scheduled = waiting.entry.body.decode().unwrap();
            (waiting.entry.queue.as_str(), waiting.due_at().as_micros(), scheduled.attempts)
        });
        left.collect()
    }
}

fn again() -> Settled {
    Settled::Again { error: "down".into() }
}

#[test]
fn queues_are_those_of_apps() {
    assert_eq!(queue_of("bank.deposit"), "schedule.bank");
    assert_eq!(queue_of("bank.accounts.deposit"), "schedule.bank");
    assert_eq!(queue_of("deposit"), "schedule.deposit");
    assert_ne!(queue_of("failed.deposit"), FAILED_QUEUE);
    // Pinned: rows of databases have it.
    let id = id_of_name("schedule.bank", "nightly");
    assert_eq!(id, id_of_name("schedule.bank", "nightly"));
    assert_ne!(id, id_of_name("schedule.bankn", "ightly"));
    assert_eq!(id.to_string(), "1729d4ee-ca4a-7c18-7dbe-c4b6e00e84fd");
    assert_eq!(derived(id, 7).to_string(), "f2bce5e9-9257-cda4-5822-76c418257452");
    // The published value of the hash.
    assert_eq!(hashed(b"foobar".iter().copied()).as_u128(), 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18);
}

/// Taken, it is due again when its lease ends; done, nothing is left of it. The run's id is that of schedule and time, whoever takes
/// it and however often.
#[test]
fn a_run_that_nobody_settles_is_due_again_under_its_id() {
    let mut world = World::plan(&once());
    let first = world.take(1000).unwrap();
    assert_eq!(world.left(), [("schedule.bank", 1100, 1)]);
    let second = world.take(1100).unwrap();
    assert_eq!((first.id, second.scheduled.attempts), (second.id, 2));
    assert_eq!(second.scheduled.due_at, at(1000));
    world.settle(&second, Settled::Done, 1110);
    assert_eq!(world.left(), []);
    // Its first taker was only slow.
    world.settle(&first, Settled::Done, 1120);
    assert_eq!(world.left(), []);
    let later = Scheduled { due_at: at(1001), ..once() };
    assert_ne!(World::plan(&later).take(1001).unwrap().id, first.id);
}

/// AP-16: given a schedule as large as the store lets in, or let in once, then it is taken, tried again and given up all the same.
#[test]
fn what_was_let_in_goes_on() {
    let planned = once().waiting().unwrap();
    let len = planned.body.len_bytes();
    let limits = |payload_max_bytes| Limits {
        append_max_events: 1,
        payload_max_bytes,
        append_max_bytes: 100_000,
        event_max_tags: 1,
        json_max_depth: 9,
    };
    let plan = Append { outbox: vec![planned.clone()], ..Append::default() };
    assert_eq!(plan.validate(&limits(len)), Ok(()));
    let too_large = InvalidAppend::EntryTooLarge { id: planned.id, size_bytes: len, limit_bytes: len - 1 };
    assert_eq!(plan.validate(&limits(len - 1)), Err(too_large));

    let waiting = Waiting { number: 1, entry: planned, recorded_at: at(0) };
    let taken = once().take(&waiting, at(1000), None, Uuid::nil(), &BOUNDS).unwrap();
    let run = taken.run.unwrap();
    let settled = |settled| run.settle(settled, at(1000), &BOUNDS).unwrap();
    let spent = Scheduled { attempts: BOUNDS.attempts_max, ..once() };
    let given_up = spent.take(&waiting, at(1000), None, Uuid::nil(), &BOUNDS).unwrap().append;
    let failed = settled(Settled::Failed { error: "e".repeat(ERROR_MAX_BYTES) });
    for append in
        [taken.append, settled(again()), failed, given_up, set_aside(&waiting, Uuid::nil()).unwrap()]
    {
        assert_eq!(append.outbox.len(), 1);
        assert_eq!(append.validate(&limits(1)), Ok(()));
    }
}

/// Two who take one entry have one record between them; who takes what came after it has another.
#[test]
fn an_entry_is_taken_once() {
    let waiting = |number| Waiting { number, entry: once().waiting().unwrap(), recorded_at: at(0) };
    let take = |number, taker| {
        once().take(&waiting(number), at(2000), None, Uuid::from_u128(taker), &BOUNDS).unwrap()
    };
    let record = |taken: &Taken| taken.append.command.clone().unwrap();
    let (first, second, next) = (take(1, 1), take(1, 2), take(2, 3));
    assert_eq!(record(&first).id, record(&second).id);
    assert_ne!(record(&first).id, record(&next).id);
    let stored = record(&first).reply;
    assert!(first.is_ours(None) && first.is_ours(Some(&stored)) && !second.is_ours(Some(&stored)));
}

/// TM-03: who takes an entry back or plans it anew has one record with who takes it: of two, one has an effect.
#[test]
fn an_entry_is_replaced_once() {
    let waiting = |number| Waiting { number, entry: once().waiting().unwrap(), recorded_at: at(0) };
    let taken = once().take(&waiting(1), at(2000), None, Uuid::from_u128(1), &BOUNDS).unwrap();
    let back = |number| replace(&waiting(number), Vec::new(), Uuid::from_u128(2)).unwrap();
    let record = |append: &Append| append.command.clone().unwrap();
    assert_eq!(record(&taken.append).id, record(&back(1)).id);
    assert!(
        !taken.is_ours(Some(&record(&back(1)).reply)) && is_ours(&back(1), Some(&record(&back(1)).reply))
    );
    assert!(!is_ours(&back(1), Some(&record(&taken.append).reply)));
    assert_ne!(record(&taken.append).id, record(&back(2)).id, "what was planned anew is another");
}

/// TM-04: one that was begun as often as it may be, and never came to an end, is not begun once more, but kept as failed.
#[test]
fn a_run_that_ends_its_process_is_given_up() {
    let mut world = World::plan(&once());
    let mut now = 1000;
    for _ in 0..BOUNDS.attempts_max {
        assert!(world.take(now).is_some());
        now += BOUNDS.lease_micros;
    }
    assert_eq!(world.take(now), None);
    assert_eq!(world.left(), [(FAILED_QUEUE, now, BOUNDS.attempts_max)]);
    let failed: Scheduled = world.0[0].entry.body.decode().unwrap();
    assert!(failed.error.unwrap().starts_with("begun 4 times"));
}

/// The pauses double up to a bound, and after the last try it is kept as failed, with what was wrong.
#[test]
fn retries_back_off_and_end() {
    let mut world = World::plan(&once());
    let mut now = 1000;
    for (pause, attempts) in [(10, 1), (20, 2), (35, 3)] {
        let run = world.take(now).unwrap();
        world.settle(&run, again(), now);
        now += pause;
        assert_eq!(world.left(), [("schedule.bank", now, attempts)]);
    }
    let run = world.take(now).unwrap();
    world.settle(&run, again(), now);
    assert_eq!(world.left(), [(FAILED_QUEUE, now, 4)]);
    let failed: Scheduled = world.0[0].entry.body.decode().unwrap();
    assert_eq!(failed.error.as_deref(), Some("down"));
}

/// What fails for good is kept at once; of a recurring one only the last, and it goes on.
#[test]
fn failures_are_kept_once_for_each_schedule() {
    let mut world = World::plan(&nightly(Missed::RunOnce));
    for round in 1..=3 {
        let run = world.take(1000 * round).unwrap();
        world.settle(&run, Settled::Failed { error: "é".repeat(ERROR_MAX_BYTES) }, 1000 * round);
        let next = 1000 * (round + 1);
        assert_eq!(world.left(), [("schedule.bank", next, 0), (FAILED_QUEUE, 1000 * round, 1)]);
        // The failed one is no work that is due.
        let failed: Scheduled = world.0[1].entry.body.decode().unwrap();
        assert_eq!(failed.error.unwrap().len(), ERROR_MAX_BYTES);
        let last = world.0.pop().unwrap();
        world
            .0
            .insert(0, Waiting { entry: OutboxEntry { due_at: Some(at(i64::MAX)), ..last.entry }, ..last });
    }
}

/// A recurring schedule waits for its next time while it runs; a retry of a run plans nothing. Missed times are made up for once,
/// or skipped.
#[test]
fn recurring_schedules_go_on() {
    for (missed, late, runs) in [
        (Missed::RunOnce, 0, true),
        (Missed::RunOnce, 5000, true),
        (Missed::Skip, 50, true),
        (Missed::Skip, 51, false),
    ] {
        let mut world = World::plan(&nightly(missed));
        let now = 1000 + late;
        let run = world.take(now);
        assert_eq!(run.is_some(), runs, "{missed:?} {late}");
        let Some(run) = run else {
            assert_eq!(world.left(), [("schedule.bank", now + 1000, 0)]);
            continue;
        };
        assert_eq!(world.left(), [("schedule.bank", now + 1000, 0), ("schedule.bank", now + 100, 1)]);
        world.settle(&run, again(), now + 60);
        // Late by now, but begun.
        let run = world.take(now + 70).unwrap();
        assert_eq!(world.left(), [("schedule.bank", now + 1000, 0), ("schedule.bank", now + 170, 2)]);
        world.settle(&run, Settled::Done, now + 80);
        assert_eq!(world.left(), [("schedule.bank", now + 1000, 0)]);
    }
}

/// What is no schedule is moved where it is seen, as it is.
#[test]
fn what_cannot_be_read_is_set_aside() {
    let entry = OutboxEntry { body: Json::parse("1").unwrap(), ..once().waiting().unwrap() };
    let mut world = World::default();
    world.apply(&Append { outbox: vec![entry.clone()], ..Append::default() });
    let append = set_aside(&world.0[0], Uuid::nil()).unwrap();
    world.apply(&append);
    let aside = &world.0[0].entry;
    assert_eq!((aside.queue.as_str(), &aside.body, world.0.len()), (FAILED_QUEUE, &entry.body, 1));
}
