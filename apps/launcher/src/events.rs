//! `umbel events tail`: the log of all streams, printed.

use std::{
    io::{BufWriter, ErrorKind, stdout},
    sync::Arc,
    time::Duration,
};

use tokio::time::sleep;
use umbel_core::{
    Position,
    document::Direction,
    store::{AllPage, ReadAll, StoreError},
};
use umbel_host::{ExitStatus, Failed, OrExit, StopSignals};
use umbel_persistence::Adapter;
use umbel_settings::LoadOptions;

use crate::{
    cli::TailArgs,
    log::{PAGE, printed, unreadable, with_store},
    print::Printer,
};

/// Prints the log from a position to its head, and beyond it when asked to follow.
pub(crate) fn tail(options: &LoadOptions, args: &TailArgs) -> Result<(), Failed> {
    with_store(options, async |store, settings| {
        let mut signals = StopSignals::listen().or_exit(ExitStatus::Failure)?;
        let follow = args.follow.then(|| Duration::from_millis(settings.poll_interval_ms.max(1)));
        tokio::select! {
            outcome = print(&store, args, follow) => outcome,
            // Told to stop while following is how following ends.
            () = signals.recv() => Ok(()),
        }
    })
}

async fn print(store: &Arc<dyn Adapter>, args: &TailArgs, follow: Option<Duration>) -> Result<(), Failed> {
    let mut printer = Printer::new(BufWriter::new(stdout()), args.json);
    let mut from = Position::new(args.from);
    let mut away = false;
    loop {
        let page = match (page(store, from).await, follow) {
            // Whoever follows waits for a store that is gone for a moment, and says so once.
            (Err(error), Some(every)) if error.is_transient() => {
                if !std::mem::replace(&mut away, true) {
                    tracing::warn!(%error, "waiting for the store");
                }
                sleep(every).await;
                continue;
            }
            (page, _) => page.map_err(unreadable)?,
        };
        away = false;
        match printer.events(&page.events) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            outcome => printed(outcome)?,
        }
        from = from.max(page.scanned_to.next());
        match follow {
            _ if from <= page.head => {}
            Some(every) => sleep(every).await,
            None => return Ok(()),
        }
    }
}

async fn page(store: &Arc<dyn Adapter>, from: Position) -> Result<AllPage, StoreError> {
    store
        .read_all(ReadAll { from: Some(from), direction: Direction::Forward, limit: PAGE, names: None })
        .await
}
