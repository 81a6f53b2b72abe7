//! Umbrellas that are told to stop by signals. They reach the whole process: only this one test may send any.

use std::process::{Command, id};

use umbel_host::{ExitStatus, Failed, Foundation, RunError, StopSignals};
use umbel_settings::{LoadOptions, Settings};
use umbel_supervision::Worker;

fn terminate() {
    let status = Command::new("kill").args(["-TERM", &id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn foundation(stop_within_ms: &str) -> Foundation {
    let overrides = vec![("supervision.stop_within_ms".to_owned(), stop_within_ms.to_owned())];
    let options = LoadOptions { overrides, ..LoadOptions::default() };
    Foundation::from_settings(Settings::load(&options).unwrap()).unwrap()
}

/// Given a signal and the same again at once, as from `timeout` or to a process group, it stops in order (UX-13). Given a
/// part that does not stop in time, the process does not claim that it has.
#[test]
fn it_stops_in_order_or_says_what_did_not() {
    let twice = Worker::new("twice", |context| async move {
        let mut signals = StopSignals::listen()?;
        context.ready();
        context.stopping().await;
        signals.recv().await;
        terminate();
        signals.recv().await;
        Ok(())
    });
    foundation("10000").umbrella("test").with(twice).run(async |_| terminate()).unwrap();

    let deaf = Worker::new("deaf", |context| async move {
        context.ready();
        std::future::pending().await
    });
    let outcome = foundation("50").umbrella("test").with(deaf).run(async |_| terminate()).unwrap_err();
    assert!(matches!(&outcome, RunError::Abandoned { parts } if *parts == ["test/deaf"]), "{outcome:?}");
    let failed = Failed::from(outcome);
    assert_eq!(failed.status, ExitStatus::Failure);
    assert_eq!(failed.to_string(), "did not stop in time and were abandoned: test/deaf");
}
