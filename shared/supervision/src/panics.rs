//! Sees every panic of the process, whoever catches it: remembers what a thread last panicked with - the one chance to learn
//! the message of a panic inside an actor, since actix swallows the payload -, logs it, and counts it in the tree, at the node
//! whose thread it is.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};

use tokio::runtime::{Handle, Id};

use crate::tree::Node;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Which node the threads of a runtime belong to, for as long as this is kept.
pub(crate) struct Owned(Id);

/// Who is told of panics. Held only to look and to note, never while other code runs.
struct Owners {
    /// The threads that nodes own; with the runtime of a thread come those of its blocking work.
    threads: Vec<(Id, Arc<Node>)>,
    /// The roots of the trees there are: they are told of panics on all other threads.
    roots: Vec<Weak<Node>>,
}

static OWNERS: Mutex<Owners> = Mutex::new(Owners { threads: Vec::new(), roots: Vec::new() });

/// Panics on the threads of this runtime are the node's. `None` outside a runtime.
pub(crate) fn own_this_runtime(node: Arc<Node>) -> Option<Owned> {
    let id = Handle::try_current().ok()?.id();
    owners().threads.push((id, node));
    Some(Owned(id))
}

/// Panics that are nobody's are this root's, for as long as it lives.
pub(crate) fn adopt(root: &Arc<Node>) {
    let mut owners = owners();
    owners.roots.retain(|root| root.strong_count() > 0);
    owners.roots.push(Arc::downgrade(root));
}

impl Drop for Owned {
    fn drop(&mut self) {
        owners().threads.retain(|(id, _)| *id != self.0);
    }
}

/// Records, logs and counts each panic (message, place), then calls the hook that was there before. Installs itself once, however
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
    for node in those_it_belongs_to() {
        node.note_panic(&full);
    }
    // A thread that is being torn down has lost the slot; then there is nobody to read it either.
    drop(LAST.try_with(|last| last.replace(Some(full))));
}

/// The nodes that are told of a panic on this thread. A thread that is being torn down has lost its runtime.
fn those_it_belongs_to() -> Vec<Arc<Node>> {
    let here = Handle::try_current().ok().map(|runtime| runtime.id());
    let owners = owners();
    match owners.threads.iter().find(|(id, _)| Some(*id) == here) {
        Some((_, node)) => vec![Arc::clone(node)],
        None => owners.roots.iter().filter_map(Weak::upgrade).collect(),
    }
}

fn owners() -> MutexGuard<'static, Owners> {
    OWNERS.lock().unwrap_or_else(PoisonError::into_inner)
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
