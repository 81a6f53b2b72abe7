//! Conduit, filled through its own API, and those who use it.

use std::{
    net::SocketAddr,
    rc::Rc,
    sync::atomic::AtomicU64,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures_util::future::{LocalBoxFuture, try_join_all};
use serde_json::json;

use super::{
    asked,
    client::{Connection, Request},
};
use crate::bench::{
    args::HttpArgs,
    load::take_one,
    rounds::{Round, Subject},
};

/// Articles in one page of those that are listed to learn their slugs.
const PAGE: u64 = 100;

/// A text as long as a short article's.
const TEXT: &str = "The Analytical Engine has no pretensions whatever to originate anything. It can do whatever we know how \
    to order it to perform. It can follow analysis; but it has no power of anticipating any analytical relations or truths. \
    Its province is to assist us in making available what we are already acquainted with.";

/// What callers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// The first page of all articles.
    List,
    /// One article.
    Article,
    /// A new article.
    Create,
    /// An article becomes a favourite, or is one no more.
    Favorite,
    /// A new comment.
    Comment,
}

/// A Conduit with people and articles.
pub(super) struct Conduit {
    pub(super) address: SocketAddr,
    /// One of each caller, who is somebody else than the others.
    pub(super) tokens: Vec<String>,
    slugs: Vec<String>,
}

/// The floor, for requests to be sent there instead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floor {
    pub(super) address: SocketAddr,
    /// Whether an app is asked over the bus for the answer, or nobody.
    pub(super) bus: bool,
    /// How many bytes the answer has.
    pub(super) bytes: usize,
}

/// Callers who all do the same, each waiting for the answer before the next.
pub(super) struct Load {
    conduit: Rc<Conduit>,
    floor: Option<Floor>,
    act: Act,
    requests: u64,
    /// How often each caller has done it.
    turns: Vec<u64>,
}

impl Conduit {
    /// Registers people and publishes articles.
    pub(super) async fn fill(address: SocketAddr, args: &HttpArgs) -> anyhow::Result<Self> {
        let mut connection = Connection::open(address).await?;
        let mut tokens = Vec::new();
        for caller in 0..args.concurrency {
            let (name, email) = (format!("caller{caller}"), format!("caller{caller}@example.org"));
            let user = json!({"user": {"username": name, "email": email, "password": "correct horse"}});
            let request =
                Request { method: "POST", path: "/api/users".into(), token: None, body: user.to_string() };
            let user = asked(&mut connection, 201, &request).await?;
            tokens.push(user["user"]["token"].as_str().context("a user has a token")?.to_owned());
        }
        let empty = Rc::new(Self { address, tokens, slugs: Vec::new() });
        Load::new(&empty, Act::Create, args.articles).work().await?;
        let mut slugs = Vec::new();
        while u64::try_from(slugs.len())? < args.articles {
            let path = format!("/api/articles?limit={PAGE}&offset={}", slugs.len());
            let page = asked(&mut connection, 200, &Request::get(path)).await?;
            let page = page["articles"].as_array().context("a page has articles")?;
            ensure!(
                !page.is_empty(),
                "only {} articles are listed of those that were published",
                slugs.len()
            );
            slugs.extend(page.iter().filter_map(|article| Some(article["slug"].as_str()?.to_owned())));
        }
        let Self { address, tokens, .. } = &*empty;
        Ok(Self { address: *address, tokens: tokens.clone(), slugs })
    }

    /// How large an answer is, by doing it once.
    pub(super) async fn size_of(&self, act: Act) -> anyhow::Result<usize> {
        let (status, request) = self.request(act, 0, 0);
        let answer = Connection::open(self.address).await?.expect(status, &request).await?;
        Ok(answer.body.len())
    }

    /// What a caller sends in a turn, and the status it has to be answered with.
    pub(super) fn request(&self, act: Act, caller: usize, turn: u64) -> (u16, Request<'_>) {
        // No two callers are at the same article, unless there are fewer of them.
        let articles = self.slugs.len().max(1);
        let through = usize::try_from(turn).unwrap_or_default();
        let slug = self.slugs.get(through.wrapping_add(caller) % articles).map_or("", String::as_str);
        let write = |method, path: String, body: String| {
            let token = self.tokens.get(caller).map(String::as_str);
            Request { method, path, token, body }
        };
        match act {
            Act::List => (200, Request::get("/api/articles")),
            Act::Article => (200, Request::get(format!("/api/articles/{slug}"))),
            Act::Create => {
                let title = format!("On Engines {}", umbel_bus::edge::fresh_id().simple());
                let tags = ["engines", if turn.is_multiple_of(2) { "analysis" } else { "cards" }];
                let article = json!({"article": {"title": title, "description": "About them.", "body": TEXT, "tagList": tags}});
                (201, write("POST", "/api/articles".into(), article.to_string()))
            }
            Act::Favorite => {
                // Once through all articles each becomes a favourite, and then ceases to be one: so each request changes something.
                let method = if (through / articles).is_multiple_of(2) { "POST" } else { "DELETE" };
                (200, write(method, format!("/api/articles/{slug}/favorite"), String::new()))
            }
            Act::Comment => {
                let comment = json!({"comment": {"body": "Its province is to assist us."}});
                (201, write("POST", format!("/api/articles/{slug}/comments"), comment.to_string()))
            }
        }
    }
}

impl Floor {
    fn path(self) -> String {
        let Self { bus, bytes, .. } = self;
        format!("/{}/{bytes}", if bus { "asked" } else { "floor" })
    }
}

impl Load {
    pub(super) fn new(conduit: &Rc<Conduit>, act: Act, requests: u64) -> Self {
        let turns = vec![0; conduit.tokens.len()];
        Self { conduit: Rc::clone(conduit), floor: None, act, requests, turns }
    }

    /// The same requests, but for what they ask for, sent to the floor.
    pub(super) fn of_floor(self, floor: Floor) -> Self {
        Self { floor: Some(floor), ..self }
    }

    /// All callers at once, until so many requests are answered among them. Connections are made before the clock starts.
    pub(super) async fn work(&mut self) -> anyhow::Result<Round> {
        let floor = self.floor;
        let address = floor.map_or(self.conduit.address, |floor| floor.address);
        let opened = self.turns.iter().map(|_| Connection::open(address));
        let connections = try_join_all(opened).await?;
        let (left, begin) = (AtomicU64::new(self.requests), Instant::now());
        let (conduit, act) = (&self.conduit, self.act);
        let callers = self.turns.iter_mut().zip(connections).enumerate();
        let callers = callers.map(|(caller, (turn, mut connection))| {
            let left = &left;
            async move {
                let mut latencies = Vec::new();
                while take_one(left) {
                    let (mut status, mut request) = conduit.request(act, caller, *turn);
                    if let Some(floor) = floor {
                        (status, request.path) = (200, floor.path());
                    }
                    let sent = Instant::now();
                    connection.expect(status, &request).await?;
                    latencies.push(sent.elapsed());
                    *turn += 1;
                }
                anyhow::Ok(latencies)
            }
        });
        let latencies: Vec<Vec<Duration>> = try_join_all(callers).await?;
        Ok(Round { units: self.requests, took: begin.elapsed(), latencies: latencies.concat() })
    }
}

impl Subject for Load {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.work())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conduit(callers: usize, articles: usize) -> Conduit {
        let tokens = (0..callers).map(|caller| caller.to_string()).collect();
        let slugs = (0..articles).map(|article| format!("s{article}")).collect();
        Conduit { address: ([127, 0, 0, 1], 1).into(), tokens, slugs }
    }

    /// A favourite that is one already would be no write.
    #[test]
    fn favourites_are_taken_and_given_up_in_turns() {
        let conduit = conduit(2, 3);
        let of = |caller, turn| {
            let (_, request) = conduit.request(Act::Favorite, caller, turn);
            (request.method, request.path.replace("/api/articles/", "").replace("/favorite", ""))
        };
        let methods: Vec<_> = (0..9).map(|turn| of(0, turn).0).collect();
        assert_eq!(
            methods,
            ["POST"; 3].into_iter().chain(["DELETE"; 3]).chain(["POST"; 3]).collect::<Vec<_>>()
        );
        let slugs: Vec<_> = (0..4).map(|turn| of(1, turn).1).collect();
        assert_eq!(slugs, ["s1", "s2", "s0", "s1"]);
    }
}
