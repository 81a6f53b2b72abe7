//! Middleware: its order, what it may change, and what its failures cost.

use umbel_core::metadata::MetadataError;

use super::*;
use crate::{Done, Failed, Halt, Middleware, Passage, Refusal};

/// What was called, in order.
type Trail = Arc<Mutex<Vec<String>>>;

/// The `N`th of several, which does as it is told.
struct Nth<const N: usize> {
    trail: Trail,
    does: Does,
}

#[derive(Clone, Copy, PartialEq)]
enum Does {
    Nothing,
    Halt,
    Reply,
    Reject,
    ReplyAsAnother,
    Change,
    PanicBefore,
    PanicAfter,
    Hang,
}

/// What one notes for itself.
struct Asked(Option<u64>);

impl<const N: usize> Nth<N> {
    fn on(bus: &Bus, trail: &Trail, does: Does) {
        bus.add_middleware(Self { trail: Arc::clone(trail), does });
    }

    fn write(&self, what: &str) {
        self.trail.lock().unwrap().push(format!("{what} {}", Self::NAME));
    }
}

impl<const N: usize> Middleware for Nth<N> {
    const NAME: &'static str = ["first", "second", "third"][N];

    fn concerns(&self, command: &'static str) -> bool {
        command == Write::NAME
    }

    async fn before(&self, passage: &mut Passage) -> Result<(), Halt> {
        self.write("before");
        let asked = passage.command::<Write>().unwrap().0;
        passage.note(Asked(asked));
        match self.does {
            Does::Nothing | Does::PanicAfter => Ok(()),
            Does::Halt => Err(Halt::because("closed")),
            Does::Reply => Err(Halt::reply::<Write>("instead".to_owned())),
            Does::Reject => Err(Halt::reject::<Write>("never".to_owned())),
            Does::ReplyAsAnother => Err(Halt::reply::<Other>(7)),
            Does::Change => {
                passage.command_mut::<Write>().unwrap().0 = Some(77);
                passage.context.metadata.custom.insert("tenant".into(), passage.name().into());
                assert_eq!(passage.command_json().unwrap().as_str(), "77");
                Ok(())
            }
            Does::PanicBefore => panic!("told to panic"),
            Does::Hang => std::future::pending().await,
        }
    }

    fn after(&self, passage: &Passage, done: &Done<'_>) {
        let Asked(asked) = passage.noted().unwrap();
        self.write(&format!("{} for {asked:?} after", done.reply::<Write>().unwrap()));
        assert!(done.reply::<Other>().is_none() && passage.command::<Other>().is_none());
        assert!(self.does != Does::PanicAfter, "told to panic");
    }

    fn failure(&self, _: &Passage, failed: &Failed<'_>) {
        assert_eq!(failed.error::<Write>().unwrap().code(), failed.code);
        self.write(&format!("{} ({}) at", failed.code, failed.reason));
        assert!(self.does != Does::PanicAfter, "told to panic");
    }
}

#[derive(Debug, Serialize, Deserialize, Command)]
#[command(name = "test.other", reply = u32, rejection = String)]
struct Other;

/// Three of which the second does this, around one dispatch; with what was called, and how often the owner was.
async fn around(does: Does) -> (Result<Dispatched<String>, DispatchError<String>>, Vec<String>, usize) {
    let (bus, _supervisor) = bus().await;
    let (scribe, trail) = (Scribe::on(&bus).await, Trail::default());
    Nth::<0>::on(&bus, &trail, Does::Nothing);
    Nth::<1>::on(&bus, &trail, does);
    Nth::<2>::on(&bus, &trail, Does::Nothing);
    let deadline = if does == Does::Hang { LATE } else { AMPLE };
    let outcome = bus.dispatch_with(Write(Some(9)), DispatchOptions::default().deadline(deadline)).await;
    let sent = scribe.contexts.lock().unwrap().len();
    let trail = trail.lock().unwrap().clone();
    (outcome, trail, sent)
}

/// CM-10: given middleware, it is called before in the order in which it was added, and after in the reverse order; commands that do
/// not concern it pass it by.
#[test]
fn middleware_is_called_in_order_and_back() {
    run(async {
        let (outcome, trail, sent) = around(Does::Nothing).await;
        assert_eq!((outcome.unwrap().reply.as_str(), sent), ("done", 1));
        let after = "done for Some(9) after";
        let back = ["third", "second", "first"].map(|name| format!("{after} {name}"));
        assert_eq!(trail[..3], ["before first", "before second", "before third"]);
        assert_eq!(trail[3..], back);

        let (bus, _supervisor) = bus().await;
        let trail = Trail::default();
        Nth::<0>::on(&bus, &trail, Does::PanicBefore);
        assert_eq!(bus.dispatch(Other).await, Err(DispatchError::NoHandler { command: "test.other".into() }));
        assert!(trail.lock().unwrap().is_empty());
    });
}

/// CM-09: given middleware that halts, then nothing runs, those that were called are told of the failure, and the answer is its own or
/// "halted".
#[test]
fn what_is_halted_does_not_run() {
    run(async {
        let (halted, trail, sent) = around(Does::Halt).await;
        let refusal = Refusal::Halted { by: "second", reason: "closed".into() };
        assert_eq!((halted, sent), (Err(DispatchError::Refused(refusal)), 0));
        let told = "halted (halted by second: closed) at";
        assert_eq!(trail[..2], ["before first", "before second"]);
        assert_eq!(trail[2..], [format!("{told} second"), format!("{told} first")]);

        let (replied, trail, sent) = around(Does::Reply).await;
        assert_eq!((replied, sent), (Ok(Dispatched::reply_only("instead".to_owned())), 0));
        assert_eq!(trail[2..], ["instead for Some(9) after second", "instead for Some(9) after first"]);

        let (rejected, trail, sent) = around(Does::Reject).await;
        assert_eq!((rejected, sent), (Err(DispatchError::Rejected("never".to_owned())), 0));
        assert_eq!(trail[2..], ["rejected (never) at second", "rejected (never) at first"]);

        let (mistaken, _, sent) = around(Does::ReplyAsAnother).await;
        assert!(
            matches!(&mistaken, Err(DispatchError::Failed { reason }) if reason.contains("second")),
            "{mistaken:?}"
        );
        assert_eq!(sent, 0);
    });
}

/// CM-10: given middleware that changes the command or what travels with it, then that takes effect.
#[test]
fn what_middleware_changes_takes_effect() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let (scribe, trail) = (Scribe::on(&bus).await, Trail::default());
        Nth::<0>::on(&bus, &trail, Does::Change);
        let options = DispatchOptions::default().metadata("who", "ada");
        let done = bus.dispatch_with(Write(Some(9)), options).await.unwrap();
        assert_eq!(done.position, Some(Position::new(77)));
        assert_eq!(json!(scribe.last().metadata.custom), json!({"who": "ada", "tenant": "test.write"}));
    });
}

/// Dispatches [`Write`] in the place of [`Other`], and, if it is told to, in the place of itself.
struct Redirect {
    again: bool,
}

impl Middleware for Redirect {
    const NAME: &'static str = "redirect";

    async fn before(&self, passage: &mut Passage) -> Result<(), Halt> {
        passage.context.metadata.custom.insert("by".into(), Self::NAME.into());
        if passage.command::<Write>().is_some() {
            let write = Write(Some(8));
            let again = async || passage.instead::<Write, Write>(write, |reply| reply, |no| no).await;
            return if self.again { Err(again().await) } else { Ok(()) };
        }
        let length = |reply: String| u32::try_from(reply.len()).unwrap();
        Err(passage.instead::<Other, Write>(Write(Some(9)), length, |no| format!("not even so: {no}")).await)
    }
}

/// CM-10: given middleware that dispatches another command in the place of one, then that goes to its own owner, once, through the
/// middleware that concerns it, under the same id and awaiting the same; its outcome is that of the first.
#[test]
fn another_command_may_take_the_place_of_one() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let (scribe, trail) = (Scribe::on(&bus).await, Trail::default());
        bus.add_middleware(Redirect { again: false });
        Nth::<0>::on(&bus, &trail, Does::Nothing);
        let id = CommandId(Uuid::from_u128(5));
        let done = bus.dispatch_with(Other, DispatchOptions::default().command_id(id)).await.unwrap();
        assert_eq!((done.reply, done.position), (4, Some(Position::new(9))));
        let context = scribe.last();
        assert_eq!(
            (context.command_id, context.idempotent, scribe.contexts.lock().unwrap().len()),
            (id, true, 1)
        );
        assert_eq!(json!(context.metadata.custom), json!({"by": "redirect"}));
        let asked = ["before first", "done for Some(9) after first"];
        assert_eq!(*trail.lock().unwrap(), asked, "of the command that is sent, once");

        let _slow = projection(&bus, "test.slow", &["test.happened"]).await;
        let late = bus.dispatch_with(Other, strong().deadline(LATE)).await.unwrap_err();
        let DispatchError::NotYetVisible { position, reply, .. } = late else { panic!("{late}") };
        assert_eq!((position, reply.as_str()), (Position::new(9), "4"));
    });
}

/// CM-11: a rejection of what took a command's place is made that of the command; who replaces again and again fails at once.
#[test]
fn what_takes_a_commands_place_may_fail() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let trail = Trail::default();
        bus.add_middleware(Redirect { again: false });
        Nth::<0>::on(&bus, &trail, Does::Reject);
        assert_eq!(bus.dispatch(Other).await, Err(DispatchError::Rejected("not even so: never".to_owned())));

        let (bus, _supervisor) = super::bus().await;
        let scribe = Scribe::on(&bus).await;
        bus.add_middleware(Redirect { again: true });
        let failed = bus.dispatch(Other).await.unwrap_err();
        assert!(
            matches!(&failed, DispatchError::Failed { reason } if reason.starts_with("test.write is dispatched in")),
            "{failed:?}"
        );
        assert!(scribe.contexts.lock().unwrap().is_empty());
    });
}

/// CM-11: given a panic, or no end, in middleware, then it is the failure of that dispatch, which the others are told of, and nothing
/// was sent; one behind the command changes nothing of its outcome.
#[test]
fn what_fails_in_middleware_fails_one_dispatch() {
    run(async {
        let (panicked, trail, sent) = around(Does::PanicBefore).await;
        let reason = "second panicked before test.write".to_owned();
        assert_eq!((panicked, sent), (Err(DispatchError::Failed { reason }), 0));
        assert!(trail[2].starts_with("failed (") && trail[3].ends_with("at first"), "{trail:?}");

        let (late, trail, sent) = around(Does::Hang).await;
        let timeout = DispatchError::Timeout { command: "test.write", outcome: Outcome::NothingStored };
        assert_eq!((late, sent, trail.len()), (Err(timeout), 0, 4));

        let (done, trail, sent) = around(Does::PanicAfter).await;
        assert_eq!((done.unwrap().reply.as_str(), sent, trail.len()), ("done", 1, 6));
    });
}

/// CM-11: given a command that nobody owns, or that is not visible in time, failure hooks see why.
#[test]
fn failure_hooks_see_the_reason() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let trail = Trail::default();
        Nth::<0>::on(&bus, &trail, Does::Nothing);
        drop(bus.dispatch(Write(None)).await);
        Scribe::on(&bus).await;
        let _slow = projection(&bus, "test.slow", &["test.happened"]).await;
        drop(bus.dispatch_with(Write(Some(9)), strong().deadline(LATE)).await);
        let trail = trail.lock().unwrap();
        assert!(trail[1].starts_with("no_handler (nobody here owns the command test.write"), "{trail:?}");
        assert!(trail[3].starts_with("not_yet_visible (stored at position 9"), "{trail:?}");
    });
}

/// CM-08: given an entry that would pass for a field of the metadata itself, also one that middleware has made, it is refused.
#[test]
fn metadata_is_checked() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let scribe = Scribe::on(&bus).await;
        let options = DispatchOptions::default().metadata("causation_id", "mine");
        let refused = bus.dispatch_with(Write(None), options).await;
        let wrong = MetadataError::Key { key: "causation_id".into() };
        assert_eq!(refused, Err(DispatchError::Refused(Refusal::Metadata(wrong))));
        assert!(DispatchOptions::default().metadata_of(&["no map"]).is_err());
        let options =
            DispatchOptions::default().metadata("n", 1).metadata_of(&json!({"who": "ada"})).unwrap();
        bus.dispatch_with(Write(None), options).await.unwrap();
        assert_eq!(json!(scribe.last().metadata.custom), json!({"n": 1, "who": "ada"}));
        assert_eq!(scribe.contexts.lock().unwrap().len(), 1);
    });
}

/// Dispatches [`Write`] in the place of [`Other`], and comes to no end after that.
struct Dawdle;

impl Middleware for Dawdle {
    const NAME: &'static str = "dawdle";

    fn concerns(&self, command: &'static str) -> bool {
        command == Other::NAME
    }

    async fn before(&self, passage: &mut Passage) -> Result<(), Halt> {
        let halt = passage.instead::<Other, Write>(Write(Some(9)), |_| 0, |no| no).await;
        std::future::pending::<()>().await;
        Err(halt)
    }
}

/// CM-10: given middleware that does not end in time after another command was dispatched, then nobody is told that nothing is stored.
#[test]
fn what_took_the_place_of_one_may_be_stored() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let scribe = Scribe::on(&bus).await;
        bus.add_middleware(Dawdle);
        let late = bus.dispatch_with(Other, DispatchOptions::default().deadline(LATE)).await;
        let unknown = DispatchError::Timeout { command: "test.other", outcome: Outcome::Unknown };
        assert_eq!(late, Err(unknown));
        assert_eq!(scribe.contexts.lock().unwrap().len(), 1);
    });
}
