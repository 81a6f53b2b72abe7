//! Follows, favourites and the feed, and that a name is the same everywhere.

use serde_json::{Value, json};
use umbel_core::{Json, Metadata, Timestamp, schedule::Scheduled, store::Append};
use uuid::Uuid;

use super::{error, on_every_log, on_every_store};
use crate::support::{Answer, Client, Umbel, eventually, with_store};

fn titles(list: &Answer) -> (Vec<&str>, u64) {
    assert_eq!(list.status, 200, "{list:?}");
    let articles = list.body["articles"].as_array().unwrap();
    assert!(articles.iter().all(|article| article.get("body").is_none()), "{list:?}");
    let titles = articles.iter().map(|article| article["title"].as_str().unwrap());
    (titles.collect(), list.body["articlesCount"].as_u64().unwrap())
}

/// How many events of this name the log holds.
fn count(umbel: &Umbel, name: &str) -> usize {
    let named = |event: &&Value| event["type"].as_str().unwrap().split('/').next() == Some(name);
    umbel.events().iter().filter(named).count()
}

/// CD-07: to follow and to like is to do so once, however often it is sent; the log holds one event for each turn.
#[test]
fn repeats_change_nothing() {
    on_every_log(|client, umbel| {
        let (ada, bob) = (client.register("ada"), client.register("bob"));
        let slug = ada.publish("On Engines", &[]);
        for _ in 0..3 {
            let followed = bob.post_nothing("/api/profiles/ada/follow");
            let profile = json!({"username": "ada", "bio": null, "image": null, "following": true});
            assert_eq!((followed.status, followed.body), (200, json!({"profile": profile})));
            let liked = bob.post_nothing(&format!("/api/articles/{slug}/favorite"));
            assert_eq!(liked.status, 200, "{liked:?}");
            let article = &liked.body["article"];
            assert_eq!((&article["favorited"], &article["favoritesCount"]), (&json!(true), &json!(1)));
            assert_eq!(
                (&article["author"]["following"], &article["body"]),
                (&json!(true), &json!("All of it."))
            );
        }
        assert_eq!((count(umbel, "social.followed"), count(umbel, "social.favorited")), (1, 1));
        for _ in 0..3 {
            let unfollowed = bob.delete("/api/profiles/ada/follow");
            assert_eq!((unfollowed.status, &unfollowed.body["profile"]["following"]), (200, &json!(false)));
            let unliked = bob.delete(&format!("/api/articles/{slug}/favorite"));
            let article = &unliked.body["article"];
            assert_eq!((&article["favorited"], &article["favoritesCount"]), (&json!(false), &json!(0)));
        }
        assert_eq!((count(umbel, "social.unfollowed"), count(umbel, "social.unfavorited")), (1, 1));
    });
}

/// CD-07: many like an article, its author among them; each sees their own mark and all see the number.
#[test]
fn favorites_are_counted_and_personal() {
    on_every_store(|client| {
        let (ada, bob) = (client.register("ada"), client.register("bob"));
        let slug = ada.publish("On Engines", &[]);
        let path = format!("/api/articles/{slug}");
        let like = |who: &Client| who.post_nothing(&format!("{path}/favorite")).status;
        assert_eq!((like(&ada), like(&bob)), (200, 200));
        let seen = |who: &Client| {
            let article = who.get(&path).body["article"].clone();
            let listed = who.get("/api/articles").body["articles"][0].clone();
            let marks = |article: &Value| (article["favorited"].clone(), article["favoritesCount"].clone());
            assert_eq!(marks(&article), marks(&listed));
            marks(&article)
        };
        assert_eq!(seen(client), (json!(false), json!(2)));
        assert_eq!(seen(&client.register("eve")), (json!(false), json!(2)));
        assert_eq!(seen(&ada), (json!(true), json!(2)));
        ada.delete(&format!("{path}/favorite"));
        assert_eq!((seen(&ada), seen(&bob)), ((json!(false), json!(1)), (json!(true), json!(1))));
        // An edit keeps what others think of it.
        let edited = ada.put(&path, &json!({"article": {"body": "More."}}));
        assert_eq!(edited.body["article"]["favoritesCount"], 1);
    });
}

/// CD-06: somebody's favourites are a filter like the others, and go together with them.
#[test]
fn lists_favorites() {
    on_every_store(|client| {
        let (ada, bob) = (client.register("ada"), client.register("bob"));
        let slugs = ["One", "Two", "Three", "Four"].map(|title| ada.publish(title, &["even", "odd"]));
        let own = bob.publish("Own", &["odd"]);
        for slug in [&slugs[2], &slugs[0], &own, &slugs[3]] {
            assert_eq!(bob.post_nothing(&format!("/api/articles/{slug}/favorite")).status, 200);
        }
        let list = |query: &str| client.get(&format!("/api/articles?{query}"));
        // By when they were published, not by when they were liked.
        assert_eq!(titles(&list("favorited=bob")), (vec!["Own", "Four", "Three", "One"], 4));
        assert_eq!(titles(&list("favorited=BOB&limit=2&offset=1")), (vec!["Four", "Three"], 4));
        assert_eq!(titles(&list("favorited=bob&author=ada&tag=even")), (vec!["Four", "Three", "One"], 3));
        assert_eq!(titles(&list("favorited=bob&tag=nothing")), (vec![], 0));
        assert_eq!(titles(&list("favorited=ada")), (vec![], 0));
        assert_eq!(titles(&list("favorited=nobody")), (vec![], 0));
        assert_eq!(list("favorited=bob").body["articles"][0]["favorited"], false);
        assert_eq!(bob.get("/api/articles?favorited=bob").body["articles"][0]["favorited"], true);
        // What was deleted is nobody's favourite.
        assert_eq!(ada.delete(&format!("/api/articles/{}", slugs[3])).status, 204);
        bob.delete(&format!("/api/articles/{own}/favorite"));
        assert_eq!(titles(&list("favorited=bob")), (vec!["Three", "One"], 2));
    });
}

/// CD-08: the feed holds what those publish whom one follows, from before and after; whoever is followed no more is gone.
#[test]
fn the_feed_follows() {
    on_every_store(|client| {
        let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| client.register(name));
        ada.publish("Before", &[]);
        eve.publish("Of a stranger", &[]);
        assert_eq!(titles(&bob.get("/api/articles/feed")), (vec![], 0));
        assert_eq!(bob.post_nothing("/api/profiles/ada/follow").status, 200);
        assert_eq!(titles(&bob.get("/api/articles/feed")), (vec!["Before"], 1));
        ada.publish("After", &[]);
        assert_eq!(titles(&bob.get("/api/articles/feed")), (vec!["After", "Before"], 2));
        bob.post_nothing("/api/profiles/eve/follow");
        bob.publish("Own", &[]);
        let feed = bob.get("/api/articles/feed");
        assert_eq!(titles(&feed), (vec!["After", "Of a stranger", "Before"], 3));
        let articles = feed.body["articles"].as_array().unwrap();
        assert!(articles.iter().all(|article| article["author"]["following"] == true), "{feed:?}");
        let page = bob.get("/api/articles/feed?limit=1&offset=1");
        assert_eq!(titles(&page), (vec!["Of a stranger"], 3));
        // What others follow is theirs.
        assert_eq!(titles(&ada.get("/api/articles/feed")), (vec![], 0));
        bob.delete("/api/profiles/ada/follow");
        assert_eq!(titles(&bob.get("/api/articles/feed")), (vec!["Of a stranger"], 1));
        assert_eq!(bob.get("/api/articles/feed?limit=x").status, 422);
    });
}

/// Whom one follows shows wherever they show, to oneself only; an invalid token counts as nobody.
#[test]
fn following_shows_wherever_somebody_does() {
    on_every_store(|client| {
        let (ada, bob) = (client.register("ada"), client.register("bob"));
        let slug = ada.publish("On Engines", &[]);
        let comments = format!("/api/articles/{slug}/comments");
        ada.post(&comments, &json!({"comment": {"body": "First."}}));
        bob.post_nothing("/api/profiles/ada/follow");
        let seen = |who: &Client| {
            [
                who.get("/api/profiles/ada").body["profile"]["following"].clone(),
                who.get(&format!("/api/articles/{slug}")).body["article"]["author"]["following"].clone(),
                who.get("/api/articles").body["articles"][0]["author"]["following"].clone(),
                who.get(&comments).body["comments"][0]["author"]["following"].clone(),
            ]
        };
        assert_eq!(seen(&bob), [true, true, true, true].map(Value::from));
        for other in [client.clone(), ada, client.with_token("a.b.c")] {
            assert_eq!(seen(&other), [false, false, false, false].map(Value::from));
        }
    });
}

/// CD-10: a changed name shows on articles, comments and the profile, and filters and follows know it.
#[test]
fn a_changed_name_shows_everywhere() {
    on_every_store(|client| {
        let (ada, bob) = (client.register("ada"), client.register("bob"));
        let slug = ada.publish("On Engines", &[]);
        let comments = format!("/api/articles/{slug}/comments");
        ada.post(&comments, &json!({"comment": {"body": "First."}}));
        ada.post_nothing(&format!("/api/articles/{slug}/favorite"));
        bob.post_nothing("/api/profiles/ada/follow");
        let changed = ada.put("/api/user", &json!({"user": {"username": "countess", "bio": "Counts."}}));
        assert_eq!(changed.status, 200);
        let countess = json!({"username": "countess", "bio": "Counts.", "image": null, "following": true});
        assert_eq!(bob.get("/api/profiles/countess").body["profile"], countess);
        assert_eq!(bob.get(&format!("/api/articles/{slug}")).body["article"]["author"], countess);
        assert_eq!(bob.get("/api/articles/feed").body["articles"][0]["author"], countess);
        assert_eq!(bob.get(&comments).body["comments"][0]["author"], countess);
        for filter in ["author", "favorited"] {
            let by = |name: &str| {
                client.get(&format!("/api/articles?{filter}={name}")).body["articlesCount"].clone()
            };
            assert_eq!((by("countess"), by("ada")), (json!(1), json!(0)), "{filter}");
        }
        assert_eq!(error(client.get("/api/profiles/ada")).0, 404);
        assert_eq!(bob.delete("/api/profiles/countess/follow").status, 200);
    });
}

/// TM-01: given favourites of an article that was deleted, when the time of the nightly sweep has come, then they are taken away; others
/// stay.
#[test]
fn favorites_of_what_is_gone_are_swept_away() {
    on_every_log(|client, umbel| {
        let (ada, bob) = (client.register("ada"), client.register("bob"));
        let slugs = ["On Engines", "On Looms"].map(|title| ada.publish(title, &[]));
        for slug in &slugs {
            for who in [&ada, &bob] {
                assert_eq!(who.post_nothing(&format!("/api/articles/{slug}/favorite")).status, 200);
            }
        }
        assert_eq!(ada.delete(&format!("/api/articles/{}", slugs[0])).status, 204);
        let nightly = eventually("the plan", || umbel.json(&["schedule", "list", "social"]).pop());
        assert_eq!(nightly["scheduled"]["recurring"]["name"], "sweep_favorites");
        // As if its time had come.
        let now = Scheduled {
            schedule: Uuid::from_u128(1),
            command: nightly["scheduled"]["command"].as_str().unwrap().to_owned(),
            schema: 1,
            body: Json::encode(&nightly["scheduled"]["body"]).unwrap().into(),
            due_at: Timestamp::from_micros(1_000_000),
            recurring: None,
            metadata: Metadata::default(),
            attempts: 0,
            error: None,
        };
        let append = Append { outbox: vec![now.waiting().unwrap()], ..Append::default() };
        with_store(&umbel.place(), async |bus| bus.store().append(append).await.unwrap());
        eventually("the sweep", || (count(umbel, "social.unfavorited") == 2).then_some(()));
        let left = client.get("/api/articles?favorited=bob");
        assert_eq!(titles(&left), (vec!["On Looms"], 1));
        assert_eq!(left.body["articles"][0]["favoritesCount"], 2);
        eventually("nothing but the next night", || {
            (umbel.json(&["schedule", "list", "social"]).len() == 1).then_some(())
        });
        assert_eq!(umbel.json(&["schedule", "list", "--failed"]).len(), 0);
    });
}
