//! A log that goes back under a process that runs.

use umbel_testkit::postgres::{disconnect, execute};

use super::support::schema;
use crate::{StoreSettings, went_back};

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

/// Of a process over a schema of its own, while this is done to it.
fn assert_ends(back: &str, why: &str) {
    let schema = schema();
    let (url, name) = (schema.url().to_owned(), schema.name().to_owned());
    let settings = StoreSettings {
        url: format!("{url}?application_name={name}"),
        schema: name.clone(),
        ..StoreSettings::default()
    };
    let back = back.replace("{}", &name);
    let going_back = move || {
        execute(&url, &back).unwrap();
        assert!(disconnect(&url, &name).unwrap() > 0);
    };
    went_back::tests::assert_ends(settings, going_back, why);
}
