//! A load on Conduit that writes everything it has, and remembers what was acknowledged.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use serde_json::{Value, json};

use crate::support::{Answer, Client, eventually};

/// Whom all follow, and who keeps that name.
pub(super) const FOLLOWED: &str = "ada";

/// Writes until told to stop.
pub(super) struct Load {
    acknowledged: Arc<Mutex<Acknowledged>>,
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<()>>,
}

/// What was promised, and put in doubt by no request since.
#[derive(Default)]
pub(super) struct Acknowledged {
    /// Whether an article is there, by slug.
    pub(super) articles: BTreeMap<String, bool>,
    /// Rounds, in each of which everything was written.
    rounds: usize,
}

impl Load {
    /// So many writers, each somebody of their own, whom whose client this is follows.
    pub(super) fn start(client: &Client, writers: usize) -> Self {
        let (acknowledged, stop) = (Arc::<Mutex<_>>::default(), Arc::<AtomicBool>::default());
        let clients = (0..writers).map(|number| {
            let name = format!("writer{number}");
            let writer = client.register(&name);
            assert_eq!(client.post_nothing(&format!("/api/profiles/{name}/follow")).status, 200);
            writer
        });
        // All have their first names by then.
        let clients: Vec<_> = clients.collect();
        let writers = clients.into_iter().enumerate().map(|(number, client)| {
            let writer = Writer { client, number, acknowledged: Arc::clone(&acknowledged) };
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut rounds = 0..;
                while !stop.load(Ordering::Relaxed) {
                    // Refused or cut off: nothing was promised.
                    let Some(()) = rounds.next().and_then(|round| writer.round(round)) else { return };
                }
            })
        });
        let writers = writers.collect();
        Self { acknowledged, stop, writers }
    }

    #[track_caller]
    pub(super) fn await_rounds(&self, rounds: usize) {
        eventually("enough to be acknowledged", || {
            (self.acknowledged.lock().unwrap().rounds >= rounds).then_some(())
        });
    }

    pub(super) fn stop(self) -> Acknowledged {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            writer.join().unwrap();
        }
        std::mem::take(&mut self.acknowledged.lock().unwrap())
    }
}

struct Writer {
    client: Client,
    number: usize,
    acknowledged: Arc<Mutex<Acknowledged>>,
}

impl Writer {
    /// Everything that can be written, in one way or another; `None` as soon as something is not acknowledged.
    fn round(&self, round: usize) -> Option<()> {
        let (client, number) = (&self.client, self.number);
        let follow = format!("/api/profiles/{FOLLOWED}/follow");
        self.posts(&follow, &Value::Null, 200)?;
        let title = format!("load {number}");
        let first = self.publishes(&title)?;
        // Under the same title, so that its slug has a number.
        let second = self.publishes(&title)?;
        let said = self.says(&first, "Indeed.")?;
        self.says(&first, "Once more.")?;
        acknowledged(client.try_delete(&format!("/api/articles/{first}/comments/{said}")), 204)?;
        let first = self.retitles(&first, &format!("retold {number} {round}"))?;
        self.posts(&format!("/api/articles/{first}/favorite"), &Value::Null, 200)?;

        self.says(&second, "Soon gone.")?;
        let mark = format!("/api/articles/{second}/favorite");
        self.posts(&mark, &Value::Null, 200)?;
        // Every other one goes with the mark on it.
        if round.is_multiple_of(2) {
            acknowledged(client.try_delete(&mark), 200)?;
            acknowledged(client.try_delete(&follow), 200)?;
        }
        self.deletes(&second)?;

        let name = format!("writer{number} of {round}");
        let user = json!({
            "username": name, "email": format!("writer{number}.{round}@example.org"), "bio": name,
            "image": format!("https://example.org/{number}/{round}.png"), "password": "correct horse"
        });
        acknowledged(client.send("PUT", "/api/user", &json!({ "user": user }).to_string()), 200)?;
        self.acknowledged.lock().unwrap().rounds += 1;
        Some(())
    }

    fn posts(&self, path: &str, body: &Value, status: u16) -> Option<Answer> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        acknowledged(self.client.send("POST", path, &body), status)
    }

    fn publishes(&self, title: &str) -> Option<String> {
        let tags = ["load", title];
        let article = json!({"title": title, "description": "d", "body": "b", "tagList": tags});
        let answer = self.posts("/api/articles", &json!({ "article": article }), 201)?;
        Some(self.is_there(&answer))
    }

    /// Says something about an article, and answers under which number.
    fn says(&self, slug: &str, what: &str) -> Option<Value> {
        let answer =
            self.posts(&format!("/api/articles/{slug}/comments"), &json!({"comment": {"body": what}}), 201)?;
        Some(answer.body["comment"]["id"].clone())
    }

    /// Gives an article another title and another tag.
    fn retitles(&self, slug: &str, title: &str) -> Option<String> {
        self.doubt(slug);
        let article = json!({"title": title, "body": "more", "tagList": ["load", "retold"]});
        let body = json!({ "article": article }).to_string();
        let answer = acknowledged(self.client.send("PUT", &format!("/api/articles/{slug}"), &body), 200)?;
        Some(self.is_there(&answer))
    }

    fn deletes(&self, slug: &str) -> Option<()> {
        self.doubt(slug);
        acknowledged(self.client.try_delete(&format!("/api/articles/{slug}")), 204)?;
        self.acknowledged.lock().unwrap().articles.insert(slug.to_owned(), false);
        Some(())
    }

    /// The article of an answer is there.
    fn is_there(&self, answer: &Answer) -> String {
        let slug = answer.body["article"]["slug"].as_str().unwrap().to_owned();
        self.acknowledged.lock().unwrap().articles.insert(slug.clone(), true);
        slug
    }

    /// What becomes of an article is not known until the request about it is answered.
    fn doubt(&self, slug: &str) {
        self.acknowledged.lock().unwrap().articles.remove(slug);
    }
}

/// The answer, if it says that what was asked for is done.
fn acknowledged(answer: Result<Answer, ureq::Error>, status: u16) -> Option<Answer> {
    answer.ok().filter(|answer| answer.status == status)
}
