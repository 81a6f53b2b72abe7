//! What happens at once, and what is sent again.

use serde_json::json;
use umbel_testkit::postgres::execute;

use super::on_every_store;
use crate::support::{Client, Store, StorePlace, Umbel};

/// CD-03, CD-04: of many who want one name at once, one gets it; who was refused can take another.
#[test]
fn one_of_many_gets_the_name() {
    on_every_store(|client| {
        let racers: Vec<_> = (0..8)
            .map(|racer| {
                let client = client.clone();
                std::thread::spawn(move || {
                    let email = format!("racer{racer}@example.org");
                    let user =
                        json!({"user": {"username": "prize", "email": email, "password": "correct horse"}});
                    client.post("/api/users", &user)
                })
            })
            .collect();
        let answers: Vec<_> = racers.into_iter().map(|racer| racer.join().unwrap()).collect();
        let taken = json!({"errors": {"username": ["has already been taken"]}});
        for (racer, answer) in answers.iter().enumerate() {
            let user =
                json!({"user": {"email": format!("racer{racer}@example.org"), "password": "correct horse"}});
            let login = client.post("/api/users/login", &user);
            match answer.status {
                201 => assert_eq!((login.status, &login.body["user"]["username"]), (200, &json!("prize"))),
                _ => assert_eq!((&answer.body, login.status), (&taken, 401), "{answer:?}"),
            }
        }
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
        for racer in 0..8 {
            // The e-mail claim of a refused attempt did not leak: all but the winner's are free.
            let email = format!("racer{racer}@example.org");
            let user = json!({"user": {"username": format!("r{racer}"), "email": email, "password": "correct horse"}});
            statuses.push(client.post("/api/users", &user).status);
        }
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1 + 7, "{statuses:?}");
    });
}

/// CD-03, CD-04: of two who change to one name or address at once, one gets it; the other keeps what it had.
#[test]
fn one_of_two_gets_the_new_name() {
    on_every_store(|client| {
        for (field, value) in [("username", "prize"), ("email", "prize@example.org")] {
            let racers: Vec<_> = (0..4).map(|racer| client.register(&format!("{field}{racer}"))).collect();
            let changes: Vec<_> = racers
                .iter()
                .cloned()
                .map(|racer| {
                    std::thread::spawn(move || {
                        racer.put("/api/user", &json!({"user": {field: value}})).status
                    })
                })
                .collect();
            let statuses: Vec<_> = changes.into_iter().map(|change| change.join().unwrap()).collect();
            let winners = statuses.iter().filter(|status| **status == 200).count();
            assert_eq!(winners, 1, "{field}: {statuses:?}");
            assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
            for (racer, status) in racers.iter().zip(&statuses) {
                let kept = racer.get("/api/user").body["user"][field] == value;
                assert_eq!(kept, *status == 200);
            }
            // What the winner had is free.
            let winner = statuses.iter().position(|status| *status == 200).unwrap();
            let free = json!({"user": {
                "username": if field == "username" { format!("{field}{winner}") } else { "free".into() },
                "email": format!("{field}{winner}@{}.org", if field == "email" { "example" } else { "free" }),
                "password": "correct horse",
            }});
            assert_eq!(client.post("/api/users", &free).status, 201);
        }
    });
}

/// CD-05: articles of one title that are published at once get slugs of their own.
#[test]
fn articles_of_one_title_do_not_meet() {
    on_every_store(|client| {
        let ada = client.register("ada");
        let publish = |ada: Client| std::thread::spawn(move || ada.publish("Once", &["once"]));
        let publishers: Vec<_> = (0..6).map(|_| publish(ada.clone())).collect();
        let mut slugs: Vec<_> = publishers.into_iter().map(|one| one.join().unwrap()).collect();
        slugs.sort();
        slugs.dedup();
        assert_eq!(slugs.len(), 6, "{slugs:?}");
        assert_eq!(client.get("/api/articles?tag=once").body["articlesCount"], 6);
    });
}

/// A key means "the same request again": it repeats nobody's reply to anything else, and stores nothing twice.
#[test]
fn an_idempotency_key_stands_for_one_request() {
    const KEY: &str = "0190f5e2-8a4b-7c3d-9e1f-2a3b4c5d6e7f";
    let user = |name: &str, password: &str| json!({"user": {"username": name, "email": format!("{name}@example.org"), "password": password}});
    let article = |title: &str, body: &str| json!({"article": {"title": title, "description": "d", "body": body, "tagList": []}});
    on_every_store(|client| {
        let anybody = client.with_idempotency_key(KEY);
        let ada = anybody.post("/api/users", &user("ada", "correct horse"));
        assert_eq!(ada.status, 201, "{ada:?}");
        // Another body is another request: somebody else's, or an attempt at ada's name.
        let bob = anybody.post("/api/users", &user("bob", "correct horse"));
        assert_eq!((bob.status, &bob.body["user"]["username"]), (201, &json!("bob")), "{bob:?}");
        let guess = anybody.post("/api/users", &user("ada", "wrong guess"));
        assert_eq!((guess.status, guess.body.get("user")), (409, None), "{guess:?}");
        let again = anybody.post("/api/users", &user("ada", "correct horse"));
        assert_eq!((again.status, &again.body["user"]["email"]), (201, &ada.body["user"]["email"]));

        let ada = anybody.with_token(again.body["user"]["token"].as_str().unwrap());
        let first = ada.post("/api/articles", &article("Once", "One."));
        let other = ada.post("/api/articles", &article("Twice", "Two."));
        assert_eq!((first.status, other.status), (201, 201), "{first:?} {other:?}");
        let again = ada.post("/api/articles", &article("Once", "One."));
        assert_eq!((again.status, &again.body), (201, &first.body));
        // A title that is taken costs a try or two, which are no requests of their own.
        let same_title = ada.post("/api/articles", &article("Once", "Three."));
        assert_eq!(same_title.body["article"]["slug"], "once-2");
        assert_eq!(ada.post("/api/articles", &article("Once", "Three.")).body, same_title.body);
        for answer in [first, other, same_title] {
            let slug = answer.body["article"]["slug"].as_str().unwrap();
            assert_eq!(
                client.get(&format!("/api/articles/{slug}")).body,
                answer.body,
                "what it said is stored"
            );
        }
        assert_eq!(client.get("/api/articles").body["articlesCount"], 3);
    });
}

/// CD-13: a key outlives the secret of the tokens: what was done before that was changed is not done again.
#[test]
fn an_idempotency_key_is_good_under_the_next_secret() {
    const KEY: &str = "0190f5e2-8a4b-7c3d-9e1f-2a3b4c5d6e71";
    let article = json!({"article": {"title": "Once", "description": "d", "body": "b", "tagList": []}});
    let secret = |letter: &str| letter.repeat(32);
    let mut umbel = Umbel::new(Store::Sqlite);
    umbel.set("UMBEL__GATEWAY__JWT_SECRET", &secret("a"));
    let mut running = umbel.run();
    let ada = running.client().register("ada");
    let first = ada.with_idempotency_key(KEY).post("/api/articles", &article);
    assert_eq!(first.status, 201, "{first:?}");
    running.terminate();
    assert_eq!(running.wait().code, Some(0));

    umbel.set("UMBEL__GATEWAY__JWT_SECRET", &secret("b"));
    umbel.set("UMBEL__GATEWAY__JWT_SECRET_BEFORE", &secret("a"));
    let running = umbel.run();
    let ada = running.client().with_token(ada.token()).with_idempotency_key(KEY);
    let again = ada.post("/api/articles", &article);
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(ada.get("/api/articles").body["articlesCount"], 1);
}

/// CM-12 over HTTP: what takes several steps is answered as it was, too, though the article has moved on since.
#[test]
fn an_edit_and_a_deletion_that_come_again_are_answered_as_they_were() {
    const KEY: &str = "0190f5e2-8a4b-7c3d-9e1f-2a3b4c5d6e70";
    let title = |title: &str| json!({"article": {"title": title}});
    on_every_store(|client| {
        let ada = client.register("ada");
        let [slug, kept] = ["Once", "Kept"].map(|title| ada.publish(title, &[]));
        let again = ada.with_idempotency_key(KEY);
        let edit = || again.put(&format!("/api/articles/{slug}"), &title("Twice"));
        let edited = edit();
        assert_eq!((edited.status, &edited.body["article"]["slug"]), (200, &json!("twice")), "{edited:?}");
        assert_eq!((edit().status, edit().body), (200, edited.body));
        assert_eq!(
            ada.put("/api/articles/once", &title("Thrice")).status,
            404,
            "without the key it is another request"
        );

        let delete = || again.delete("/api/articles/twice").status;
        assert_eq!((delete(), delete()), (204, 204));
        assert_eq!(ada.delete("/api/articles/twice").status, 404);
        // Somebody else's article there is not what was asked for.
        assert_eq!(ada.publish("Twice", &[]), "twice");
        assert_eq!((delete(), ada.get("/api/articles/twice").status), (204, 200));
        assert_eq!(ada.get(&format!("/api/articles/{kept}")).status, 200);
    });
}

/// CD-13: to favour and to follow is about what the path names when the request comes, with a key, too.
#[test]
fn a_favourite_and_a_follow_that_come_again_are_about_who_is_there() {
    const KEY: &str = "0190f5e2-8a4b-7c3d-9e1f-2a3b4c5d6e73";
    on_every_store(|client| {
        let [ada, bob] = ["ada", "bob"].map(|name| client.register(name));
        let keyed = bob.with_idempotency_key(KEY);
        let favour = || keyed.post_nothing("/api/articles/yankee/favorite");
        let favours = |slug: &str| {
            let article = &bob.get(&format!("/api/articles/{slug}")).body["article"];
            (article["favorited"] == true, article["favoritesCount"].as_u64())
        };
        assert_eq!(ada.publish("Yankee", &[]), "yankee");
        assert_eq!((favour().status, favour().status), (200, 200));
        let moved = ada.put("/api/articles/yankee", &json!({"article": {"title": "Zulu"}}));
        assert_eq!((moved.status, favour().status), (200, 404));
        assert_eq!(favours("zulu"), (true, Some(1)));
        assert_eq!(ada.publish("Yankee", &[]), "yankee");
        assert_eq!(favours("yankee"), (false, Some(0)));
        assert_eq!(favour().status, 200);
        assert_eq!((favours("yankee"), favours("zulu")), ((true, Some(1)), (true, Some(1))));

        let follow = || keyed.post_nothing("/api/profiles/ada/follow").status;
        assert_eq!((follow(), follow()), (200, 200));
        let renamed = ada.put("/api/user", &json!({"user": {"username": "countess"}}));
        assert_eq!((renamed.status, follow()), (200, 404));
        assert_eq!(bob.get("/api/profiles/countess").body["profile"]["following"], true);
    });
}

/// CM-14 over HTTP: given a deletion whose reply was never kept, as when the process ends in between, when the request comes again, then it has
/// succeeded; without the key there is no such article.
#[test]
fn a_deletion_that_was_interrupted_is_no_unknown_article() {
    const KEY: &str = "0190f5e2-8a4b-7c3d-9e1f-2a3b4c5d6e72";
    let umbel = Umbel::new(Store::postgres());
    let running = umbel.run();
    let ada = running.client().register("ada");
    let path = format!("/api/articles/{}", ada.publish("Once", &[]));
    let again = ada.with_idempotency_key(KEY);
    assert_eq!(again.delete(&path).status, 204);
    let StorePlace { url, schema } = umbel.place();
    // A kept reply has its position beside it; what the article itself answered stays.
    let forget = format!(
        "DO $$ BEGIN DELETE FROM {schema}.commands WHERE reply->'position' IS NOT NULL; \
         IF NOT FOUND THEN RAISE 'no reply was kept'; END IF; END $$"
    );
    execute(&url, &forget).unwrap();
    assert_eq!((again.delete(&path).status, ada.delete(&path).status), (204, 404));
}
