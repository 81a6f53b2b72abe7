//! Conduit's HTTP contract, over a real umbrella on every store that outlives a process; over two of them on one PostgreSQL, whose
//! gateways get the requests in turns: what one has written the other must show to the very next request; and over two processes that
//! run different apps, each with a gateway, which get them in turns as well.

mod accounts;
mod articles;
mod comments;
mod contract;
mod input;
mod limits;
mod races;
mod social;

use serde_json::{Value, json};

use crate::support::{Answer, Client, Running, Store, Umbel};

/// Runs the same story on every store, and before two processes.
fn on_every_store(story: impl Fn(&Client)) {
    on_every_log(|client, _| story(client));
}

/// The same, for a story that looks into the log, too.
fn on_every_log(story: impl Fn(&Client, &Umbel)) {
    on_every_store_with(&[], story);
}

/// The same, with these settings as variables of the environment.
fn on_every_store_with(settings: &[(&str, &str)], story: impl Fn(&Client, &Umbel)) {
    let umbel_on = |store| {
        let mut umbel = Umbel::new(store);
        settings.iter().for_each(|(name, value)| umbel.set(name, value));
        umbel
    };
    for store in Store::durable() {
        let umbel = umbel_on(store);
        let running: Running = umbel.run();
        story(&running.client(), &umbel);
    }
    let umbel = umbel_on(Store::postgres());
    let two = umbel.run_two();
    story(&Running::client_in_turns(&two), &umbel);
    drop(two);
    let mut umbel = umbel_on(Store::postgres());
    let apart = umbel.run_apart(["accounts,gateway", "articles,social,gateway"]);
    story(&Running::client_in_turns(&apart), &umbel);
}

fn ada() -> Value {
    json!({"user": {"username": "Ada_L", "email": "Ada@example.org", "password": "correct horse"}})
}

/// The status and the errors of an answer that has nothing else.
#[track_caller]
fn error(answer: Answer) -> (u16, Value) {
    let Answer { status, mut body } = answer;
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{status} {body}");
    (status, body["errors"].take())
}

/// The keys of an article, and of its author.
fn article_keys(article: &Value) -> Vec<String> {
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    [keys(article), keys(&article["author"])].concat()
}
