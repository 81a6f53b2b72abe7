//! Scheduled commands over processes that die.

use contracts::articles::Publish;
use serde_json::Value;
use umbel_bus::{ScheduleOptions, When};
use umbel_core::Timestamp;
use uuid::Uuid;

use crate::support::{Store, Umbel, eventually, with_store};

const COMMANDS: usize = 60;

fn published(umbel: &Umbel) -> usize {
    let is_one = |event: &&Value| event["type"].as_str().unwrap().starts_with("articles.published/");
    umbel.events().iter().filter(is_one).count()
}

/// TM-01, TM-02: given commands that are due, when the process that carries them out is killed, then the next one carries out what is
/// left, and none twice; the operator sees what is planned, and takes back what shall not be.
#[test]
fn due_commands_outlive_kill_9() {
    for store in Store::durable() {
        let mut umbel = Umbel::new(store);
        // So that what was begun is soon begun again, and some are left when it dies.
        umbel.set("UMBEL__SCHEDULE__DEADLINE_MS", "1500");
        umbel.set("UMBEL__SCHEDULE__IN_FLIGHT_MAX", "3");
        umbel.json(&["store", "init"]);
        let past = When::At(Timestamp::from_micros(1_000_000));
        let far = When::At(Timestamp::from_micros(4_000_000_000_000_000));
        let unwanted = with_store(&umbel.place(), async |bus| {
            let publish = |number: usize| Publish {
                author_id: Uuid::from_u128(1),
                title: format!("Article {number}"),
                description: "Of many.".into(),
                body: "All of it.".into(),
                tags: Vec::new(),
            };
            for number in 0..COMMANDS {
                bus.schedule(publish(number), past, ScheduleOptions::default()).await.unwrap();
            }
            bus.schedule(publish(COMMANDS), far, ScheduleOptions::default()).await.unwrap()
        });
        let planned = || umbel.json(&["schedule", "list", "articles"]);
        assert_eq!(planned().len(), COMMANDS + 1);
        let apps = umbel.json(&["schedule", "list"]);
        assert_eq!(apps.len(), 1, "{apps:?}");
        assert_eq!((&apps[0]["app"], &apps[0]["waiting"]), (&"articles".into(), &(COMMANDS + 1).into()));
        assert_eq!(apps[0]["first_due_at"], "1970-01-01T00:00:01.000000Z");
        let shown = umbel.json(&["schedule", "show", &unwanted.to_string()]);
        assert_eq!(shown[0]["scheduled"]["command"], "articles.publish");
        assert_eq!(shown[0]["due_at"], "2096-10-02T07:06:40.000Z");
        let table = umbel.command_output(&["schedule", "list", "articles", "--limit", "1"]);
        assert!(table.stdout.contains("articles.publish"), "{table:?}");
        let cancelled = umbel.json(&["schedule", "cancel", &unwanted.to_string(), "--yes"]);
        assert_eq!(cancelled[0]["cancelled"], true);
        assert_eq!(umbel.command_output(&["schedule", "show", &unwanted.to_string()]).code, Some(1));

        let running = umbel.run();
        eventually("the first of them", || (published(&umbel) > 3).then_some(()));
        running.kill();
        assert!(!planned().is_empty(), "it was killed too late to leave anything");
        let running = umbel.run();
        eventually("the last of them", || planned().is_empty().then_some(()));
        assert_eq!(published(&umbel), COMMANDS);
        assert_eq!(umbel.json(&["schedule", "list", "--failed"]).len(), 0);
        running.kill();
    }
}
