//! Conduit's HTTP contract, over a real umbrella on every store that outlives a process.

use serde_json::{Value, json};

use crate::support::{Client, Running, Store, Umbel};

/// Runs the same story on every store.
fn on_every_store(story: impl Fn(&Client)) {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let running: Running = umbel.run();
        story(&running.client());
    }
}

fn ada() -> Value {
    json!({"user": {"username": "Ada_L", "email": "Ada@example.org", "password": "correct horse"}})
}

/// CD-01: registering answers the user with a token; the token and the password both lead back to it.
#[test]
fn registers_and_logs_in() {
    on_every_store(|client| {
        let registered = client.post("/api/users", &ada());
        assert_eq!(registered.status, 201, "{registered:?}");
        let user = &registered.body["user"];
        assert_eq!(user["username"], "Ada_L");
        assert_eq!((&user["bio"], &user["image"]), (&Value::Null, &Value::Null));

        let login = json!({"user": {"email": "ada@example.org", "password": "correct horse"}});
        let login = client.post("/api/users/login", &login);
        assert_eq!(login.status, 200, "{login:?}");

        let me = client.with_token(login.body["user"]["token"].as_str().unwrap()).get("/api/user");
        assert_eq!((me.status, &me.body["user"]["username"]), (200, &json!("Ada_L")));
    });
}

/// CD-02: what is wrong is named per field, with the status the contract says.
#[test]
fn refuses_wrong_input_per_field() {
    on_every_store(|client| {
        let blank =
            client.post("/api/users", &json!({"user": {"username": "", "email": " ", "password": ""}}));
        assert_eq!(blank.status, 422);
        for field in ["username", "email", "password"] {
            assert_eq!(blank.body["errors"][field], json!(["can't be blank"]), "{blank:?}");
        }
        assert_eq!(client.post("/api/users", &ada()).status, 201);
        let taken = client.post("/api/users", &ada());
        assert_eq!(taken.status, 409, "{taken:?}");
        let fields: Vec<_> = taken.body["errors"].as_object().unwrap().values().collect();
        assert!(fields.iter().all(|messages| **messages == json!(["has already been taken"])), "{taken:?}");

        for (email, password) in [("ada@example.org", "wrong"), ("nobody@example.org", "correct horse")] {
            let login =
                client.post("/api/users/login", &json!({"user": {"email": email, "password": password}}));
            assert_eq!((login.status, login.body), (401, json!({"errors": {"credentials": ["invalid"]}})));
        }
    });
}

/// The order of checks: the token first, then the body; errors always have the same shape.
#[test]
fn checks_the_token_before_the_body() {
    on_every_store(|client| {
        let missing = client.send("POST", "/api/articles", "{").unwrap();
        assert_eq!((missing.status, missing.body), (401, json!({"errors": {"token": ["is missing"]}})));
        let invalid = client.with_token("nonsense").send("POST", "/api/articles", "{").unwrap();
        assert_eq!((invalid.status, invalid.body), (401, json!({"errors": {"token": ["is invalid"]}})));

        let ada = client.register("ada");
        for (path, body) in
            [("/api/articles", "{"), ("/api/articles", "{\"article\": 1}"), ("/api/users", "[")]
        {
            let malformed = ada.send("POST", path, body).unwrap();
            assert!([400, 422].contains(&malformed.status), "{malformed:?}");
            assert!(malformed.body["errors"].is_object(), "{malformed:?}");
        }
        let unknown = client.get("/api/nowhere");
        assert_eq!(unknown.status, 404);
        assert!(unknown.body["errors"].is_object(), "{unknown:?}");
        // A token that is no good counts as none where none is needed.
        assert_eq!(client.with_token("nonsense").get("/api/articles").status, 200);
    });
}

/// A user changes what they like; blank and null mean what the contract says.
#[test]
fn updates_the_user() {
    on_every_store(|client| {
        let ada = client.register("ada");
        client.register("bob");
        let changed = ada.put("/api/user", &json!({"user": {"bio": "Counts.", "image": "http://x/y.png"}}));
        assert_eq!((changed.status, &changed.body["user"]["bio"]), (200, &json!("Counts.")), "{changed:?}");
        assert_eq!(changed.body["user"]["username"], "ada");
        let cleared = ada.put("/api/user", &json!({"user": {"bio": "", "image": null}}));
        assert_eq!(
            (&cleared.body["user"]["bio"], &cleared.body["user"]["image"]),
            (&Value::Null, &Value::Null)
        );
        for (field, value) in [
            ("username", json!("")),
            ("username", Value::Null),
            ("email", json!("")),
            ("password", json!("short")),
            ("password", Value::Null),
        ] {
            let refused = ada.put("/api/user", &json!({"user": {field: value}}));
            assert_eq!(refused.status, 422, "{field} {value}: {refused:?}");
            assert!(refused.body["errors"][field].is_array(), "{refused:?}");
        }
        let taken = ada.put("/api/user", &json!({"user": {"username": "bob"}}));
        assert_eq!(
            (taken.status, taken.body),
            (409, json!({"errors": {"username": ["has already been taken"]}}))
        );
        // A name given up is free for others at once (UX-05), and the token outlives the change.
        assert_eq!(ada.put("/api/user", &json!({"user": {"username": "countess"}})).status, 200);
        assert_eq!(ada.get("/api/user").body["user"]["username"], "countess");
        let eve =
            json!({"user": {"username": "ada", "email": "eve@example.org", "password": "correct horse"}});
        assert_eq!(client.post("/api/users", &eve).status, 201);
    });
}

/// CD-05, CD-06, CD-10: publishing answers the article; it is in the list, under its tags, by its author, at once.
#[test]
fn publishes_and_lists() {
    on_every_store(|client| {
        let (ada, bob) = (client.register("ada"), client.register("bob"));
        let article = json!({"article": {
            "title": "On Engines", "description": "Analytical", "body": "Cards.", "tagList": ["math", "engines"]
        }});
        let published = ada.post("/api/articles", &article);
        assert_eq!(published.status, 201, "{published:?}");
        let article = &published.body["article"];
        assert_eq!(article["tagList"], json!(["engines", "math"]));
        assert_eq!(article["author"]["username"], "ada");
        assert_eq!((&article["favorited"], &article["favoritesCount"]), (&json!(false), &json!(0)));
        let created = article["createdAt"].as_str().unwrap();
        assert!(created.ends_with('Z') && created.len() == "2026-01-31T12:00:00.000Z".len(), "{created}");

        assert_eq!(client.get("/api/tags").body, json!({"tags": ["engines", "math"]}));
        let slug = article["slug"].as_str().unwrap();
        let read = client.get(&format!("/api/articles/{slug}"));
        assert_eq!((read.status, &read.body["article"]), (200, article));

        bob.publish("Second", &["math"]);
        let titles = |path: &str| {
            let list = client.get(path);
            assert_eq!(list.status, 200, "{list:?}");
            let articles = list.body["articles"].as_array().unwrap().clone();
            assert!(articles.iter().all(|article| article.get("body").is_none()), "{list:?}");
            let titles = articles.iter().map(|article| article["title"].as_str().unwrap().to_owned());
            (titles.collect::<Vec<_>>(), list.body["articlesCount"].as_u64().unwrap())
        };
        // CD-06: newest first, filters, and a count that ignores the page.
        let both = vec!["Second".to_owned(), "On Engines".to_owned()];
        assert_eq!(titles("/api/articles"), (both.clone(), 2));
        assert_eq!(titles("/api/articles?tag=math"), (both, 2));
        assert_eq!(titles("/api/articles?tag=engines"), (vec!["On Engines".to_owned()], 1));
        assert_eq!(titles("/api/articles?author=bob"), (vec!["Second".to_owned()], 1));
        assert_eq!(titles("/api/articles?author=nobody"), (vec![], 0));
        assert_eq!(titles("/api/articles?limit=1&offset=1"), (vec!["On Engines".to_owned()], 2));
        assert_eq!(client.get("/api/articles?limit=x").status, 422);

        // CD-05: equal titles are legal, slugs differ.
        assert_eq!(bob.publish("On Engines", &[]), format!("{slug}-2"));
        // A number in somebody's title does not say how others' slugs go on.
        let title = "On Engines 18446744073709551615";
        assert_eq!(bob.publish(title, &[]), format!("{slug}-18446744073709551615"));
        assert_eq!(ada.publish("On Engines", &[]), format!("{slug}-3"));
        assert_eq!(client.get("/api/articles/no-such-slug").status, 404);

        // CD-10: a changed name shows everywhere.
        assert_eq!(ada.put("/api/user", &json!({"user": {"username": "countess"}})).status, 200);
        let renamed = client.get(&format!("/api/articles/{slug}"));
        assert_eq!(renamed.body["article"]["author"]["username"], "countess");
        assert_eq!(titles("/api/articles?author=countess").1, 2);
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
        for answer in [first, other] {
            let slug = answer.body["article"]["slug"].as_str().unwrap();
            assert_eq!(
                client.get(&format!("/api/articles/{slug}")).body,
                answer.body,
                "what it said is stored"
            );
        }
        assert_eq!(client.get("/api/articles").body["articlesCount"], 2);
    });
}

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
                    client.post("/api/users", &user).status
                })
            })
            .collect();
        let mut statuses: Vec<_> = racers.into_iter().map(|racer| racer.join().unwrap()).collect();
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
