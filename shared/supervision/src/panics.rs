//! Remembers what a thread last panicked with: the one chance to learn the message of a panic inside an actor, since
//! actix swallows the payload.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Records and logs each panic (message, place), then calls the hook that was there before. Installs itself once, however
/// often it is called; [`crate::Supervisor::start`] calls it too.
pub fn install_panic_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            record(info);
            previous(info);
        }));
    });
}

fn record(info: &PanicHookInfo<'_>) {
    let message = message(info.payload());
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    tracing::error!(thread = thread.name().unwrap_or("unnamed"), at = place, "panic: {message}");
    let full = if place.is_empty() { message } else { format!("{message} (at {place})") };
    // A thread that is being torn down has lost the slot; then there is nobody to read it either.
    drop(LAST.try_with(|last| last.replace(Some(full))));
}

/// The message and place of the last panic on this thread.
pub(crate) fn last_on_this_thread() -> String {
    LAST.try_with(|last| last.borrow().clone())
        .ok()
        .flatten()
        .unwrap_or_else(|| "with an unrecorded message".to_owned())
}

/// The message of a panic that was caught on this thread, with its place where the hook has seen it; for those who
/// catch panics themselves.
pub fn describe(payload: &(dyn Any + Send)) -> String {
    let message = message(payload);
    let last = last_on_this_thread();
    if last.starts_with(&message) { last } else { message }
}

fn message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
