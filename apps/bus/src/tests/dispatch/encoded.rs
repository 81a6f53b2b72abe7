//! Commands dispatched by their wire names.

use umbel_core::Json;

use super::*;
use crate::{Done, EncodedAnswer, Halt, Middleware, Passage};

/// Sees commands as values, however they were dispatched.
struct Witness(Arc<Mutex<Vec<Option<u64>>>>);

impl Middleware for Witness {
    const NAME: &'static str = "witness";

    async fn before(&self, passage: &mut Passage) -> Result<(), Halt> {
        let Write(position) = passage.command().unwrap();
        self.0.lock().unwrap().push(*position);
        if *position == Some(13) { Err(Halt::reject::<Write>("never".to_owned())) } else { Ok(()) }
    }

    fn after(&self, _: &Passage, done: &Done<'_>) {
        assert_eq!(done.reply::<Write>().unwrap(), "done");
    }
}

async fn dispatch(bus: &Bus, name: &str, body: &str, options: DispatchOptions) -> EncodedAnswer {
    bus.dispatch_encoded(name, 1, Json::parse(body).unwrap(), options).await
}

/// CM-02, CM-10: given a command's wire name and its JSON, it takes the way of a typed one: the same middleware, owner and context;
/// reply and rejection come back as JSON.
#[test]
fn an_encoded_command_is_like_a_typed_one() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let (scribe, seen) = (Scribe::on(&bus).await, Arc::default());
        bus.add_middleware(Witness(Arc::clone(&seen)));
        let id = CommandId(Uuid::from_u128(7));
        let options = DispatchOptions::default().command_id(id).metadata("who", "ada");
        let dispatched = dispatch(&bus, "test.write", "42", options).await.unwrap();
        assert_eq!((dispatched.reply.as_str(), dispatched.position), ("\"done\"", Some(Position::new(42))));
        let context = scribe.last();
        assert_eq!((context.command_id, context.idempotent), (id, true));
        assert_eq!(json!(context.metadata.custom), json!({"who": "ada"}));

        let rejected = dispatch(&bus, "test.write", "13", DispatchOptions::default()).await;
        assert_eq!(rejected, Err(DispatchError::Rejected(Json::encode("never").unwrap())));
        assert_eq!(*seen.lock().unwrap(), [Some(42), Some(13)]);
    });
}

/// CM-02: a name that nobody here owns, and JSON that is no such command, are error values that name the command; nothing is sent.
#[test]
fn what_is_no_command_is_refused() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let scribe = Scribe::on(&bus).await;
        let options = DispatchOptions::default;
        let unknown = dispatch(&bus, "test.unknown", "1", options()).await;
        assert_eq!(unknown, Err(DispatchError::NoHandler { command: "test.unknown".into() }));
        let wrong = dispatch(&bus, "test.write", r#"{"position": 1}"#, options()).await;
        let Err(error @ DispatchError::Undecodable { command: "test.write", .. }) = wrong else {
            panic!("{wrong:?}")
        };
        assert!(error.to_string().contains("test.write") && error.code() == "undecodable");
        assert!(scribe.contexts.lock().unwrap().is_empty());
        assert!(bus.owns_command("test.write") && !bus.owns_command("test.unknown"));

        bus.unregister("test/scribe").await.unwrap();
        let gone = dispatch(&bus, "test.write", "1", options()).await;
        assert_eq!(gone, Err(DispatchError::NoHandler { command: "test.write".into() }));
    });
}
