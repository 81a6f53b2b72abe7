//! A log that goes back under a process that runs.

use std::time::Duration;

use umbel_bus::{Bus, BusSettings};
use umbel_core::{ExpectedVersion, Position};
use umbel_supervision::{Group, Intensity, Outcome, Policy, Supervisor};
use umbel_testkit::{
    conformance::Events,
    postgres::{disconnect, execute},
};

use super::support::schema;
use crate::{StoreSettings, group};

const AMPLE: Duration = Duration::from_secs(30);

/// OP-25: given a process that knows the log up to its fifth event, when the database has only two of them, as a server has that lagged
/// behind the one before, then the process ends and says why.
#[test]
fn a_process_whose_log_went_back_ends() {
    let back =
        "SET umbel.upkeep = 'on'; DELETE FROM {}.events WHERE position > 2; UPDATE {}.log SET position = 2";
    assert_ends(back, "the log went back from 5 to 2");
}

/// OP-25: given the same when others have appended as much again by the time that this process looks, then it ends, too: where it has stored
/// its last event there is another one.
#[test]
fn a_process_ends_whose_log_went_back_and_grew_again() {
    let back =
        "SET umbel.upkeep = 'on'; UPDATE {}.events SET event_id = gen_random_uuid() WHERE position > 2";
    assert_ends(back, "the log went back behind 5, where event");
}

/// Of a process over a log of five events that it has appended, while this is done to its database.
fn assert_ends(back: &str, why: &str) {
    actix::System::new().block_on(async {
        let (schema, events) = (schema(), Events::default());
        let settings = StoreSettings {
            url: format!("{}?application_name={}", schema.url(), schema.name()),
            schema: schema.name().to_owned(),
            poll_interval_ms: 10,
            ..StoreSettings::default()
        };
        let policy = Policy { intensity: Intensity { max_restarts: 1, within: AMPLE }, ..Policy::default() };
        let bus = Bus::new(BusSettings::default());
        let root = Group::new("test", policy.clone()).child(umbel_bus::worker(&bus));
        let supervisor = Supervisor::start(root.child(group(&settings, &bus, policy)));
        supervisor.tree().wait_until_up(AMPLE).await.unwrap();
        let append = events.append("s", ExpectedVersion::Any, 5);
        let last = bus.store().append(append).await.unwrap().last_position;
        assert_eq!(last, Some(Position::new(5)));

        let (back, url, name) =
            (back.replace("{}", schema.name()), schema.url().to_owned(), schema.name().to_owned());
        let going_back = move || {
            execute(&url, &back).unwrap();
            disconnect(&url, &name).unwrap()
        };
        assert!(tokio::task::spawn_blocking(going_back).await.unwrap() > 0);
        let ended = tokio::time::timeout(AMPLE, supervisor.finished()).await.unwrap();
        let Outcome::Escalated { cause, .. } = &ended else { panic!("{ended:?}") };
        assert!(cause.contains(why), "{cause}");
    });
}
