//! A log that goes back under a process that runs.

use std::time::Duration;

use umbel_bus::{Bus, BusSettings};
use umbel_core::{ExpectedVersion, Position};
use umbel_supervision::{Group, Intensity, Outcome, Policy, Supervisor};
use umbel_testkit::{conformance::Events, postgres::execute};

use super::support::schema;
use crate::{StoreSettings, group};

const AMPLE: Duration = Duration::from_secs(30);

/// OP-25: given a process that knows the log up to its fifth event, when the database has only two of them, as a server has that lagged
/// behind the one before, then the process ends and says why.
#[test]
fn a_process_whose_log_went_back_ends() {
    actix::System::new().block_on(async {
        let (schema, events) = (schema(), Events::default());
        let settings = StoreSettings {
            url: schema.url().to_owned(),
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

        let back = "SET umbel.upkeep = 'on'; DELETE FROM {}.events WHERE position > 2; UPDATE {}.log SET position = 2";
        let (back, url) = (back.replace("{}", schema.name()), schema.url().to_owned());
        tokio::task::spawn_blocking(move || execute(&url, &back)).await.unwrap().unwrap();
        let ended = tokio::time::timeout(AMPLE, supervisor.finished()).await.unwrap();
        let Outcome::Escalated { cause, .. } = &ended else { panic!("{ended:?}") };
        assert!(cause.contains("the log went back from 5 to 2"), "{cause}");
    });
}
