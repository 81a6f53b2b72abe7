//! What people and programs send that is not what the contract asks for: none of it is a failure of the server.

use serde_json::{Value, json};

use super::{error, on_every_store};

/// Something that JSON can hold and no text of Conduit may.
const NUL: &str = "a\0b";

/// The status and the names of what is wrong.
#[track_caller]
fn wrong(answer: crate::support::Answer) -> (u16, Vec<String>) {
    let (status, errors) = error(answer);
    (status, errors.as_object().unwrap().keys().cloned().collect())
}

fn keys(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// CD-02, CD-12: a text that is none is named by its field on every route, and no database is asked to keep it.
#[test]
fn texts_that_no_database_can_hold_are_refused_by_field() {
    on_every_store(|client| {
        let ada = client.register("ada");
        let slug = ada.publish("Here", &[]);
        let (article, comments) = (format!("/api/articles/{slug}"), format!("/api/articles/{slug}/comments"));
        let user = json!({"user": {"username": NUL, "email": "a\0@x.org", "password": NUL}});
        assert_eq!(wrong(client.post("/api/users", &user)), (422, keys(&["email", "password", "username"])));
        // Whoever logs in is told no more than that it was wrong.
        assert_eq!(wrong(client.post("/api/users/login", &user)), (401, keys(&["credentials"])));
        let user = json!({"user": {"username": NUL, "bio": NUL, "image": NUL}});
        assert_eq!(wrong(ada.put("/api/user", &user)), (422, keys(&["bio", "image", "username"])));
        let all = keys(&["body", "description", "tagList", "title"]);
        let written = json!({"article": {"title": NUL, "description": NUL, "body": NUL, "tagList": [NUL]}});
        assert_eq!(wrong(ada.post("/api/articles", &written)), (422, all.clone()));
        assert_eq!(wrong(ada.put(&article, &written)), (422, all));
        let comment = json!({"comment": {"body": NUL}});
        assert_eq!(wrong(ada.post(&comments, &comment)), (422, keys(&["body"])));
        // A name that looks like another one, or like none.
        for name in ["ada\u{200b}", "\u{202e}ada", "\u{feff}"] {
            let user = json!({"user": {"username": name}});
            assert_eq!(wrong(ada.put("/api/user", &user)), (422, keys(&["username"])), "{name:?}");
        }
    });
}

/// CD-12: paths and queries that no browser makes lead nowhere, like others; what a query asks for in vain is an empty page.
#[test]
fn odd_paths_and_queries_find_nothing() {
    on_every_store(|client| {
        let ada = client.register("ada");
        let slug = ada.publish("Here", &["here"]);
        let long = "x".repeat(5000);
        for name in ["%00", "%ff", "%20", "%F0%9F%98%80", "a%2Fb", &long] {
            let not_found = |path: String, key: &str| {
                assert_eq!(wrong(ada.get(&path)), (404, keys(&[key])), "{path}");
            };
            not_found(format!("/api/articles/{name}"), "article");
            not_found(format!("/api/articles/{name}/comments"), "article");
            not_found(format!("/api/profiles/{name}"), "profile");
            let follow = ada.post_nothing(&format!("/api/profiles/{name}/follow"));
            assert_eq!(wrong(follow), (404, keys(&["profile"])));
            let liked = ada.post_nothing(&format!("/api/articles/{name}/favorite"));
            assert_eq!(wrong(liked), (404, keys(&["article"])));
            for filter in ["tag", "author", "favorited"] {
                let page = client.get(&format!("/api/articles?{filter}={name}"));
                assert_eq!((page.status, &page.body["articlesCount"]), (200, &json!(0)), "{filter}={name}");
            }
        }
        for path in ["/api/articles/", "/api/articles/feed/", "//api/articles", "/api/Articles"] {
            assert_eq!(wrong(ada.get(path)), (404, keys(&["route"])), "{path}");
        }
        for number in ["%2B1", "1.5", "99999999999999999999999", "9223372036854775808", "%00", "0"] {
            let deleted = ada.delete(&format!("/api/articles/{slug}/comments/{number}"));
            assert_eq!(wrong(deleted), (404, keys(&["comment"])), "{number}");
        }
        for path in ["/api/articles", "/api/articles/feed"] {
            for number in ["-1", "", "ten", "1.5", "1e3", "%2B1", "%D9%A1"] {
                for name in ["limit", "offset"] {
                    let page = ada.get(&format!("{path}?{name}={number}"));
                    assert_eq!(wrong(page), (422, keys(&[name])), "{path} {name}={number}");
                }
            }
            let beyond = ada.get(&format!("{path}?offset=99999999999999999999&limit=99999999999999999999"));
            assert_eq!((beyond.status, &beyond.body["articles"]), (200, &json!([])));
        }
    });
}

/// CD-12: values of other types than they have to be, JSON that says a thing twice or is nested without end: refused by field, what is no
/// JSON as a body.
#[test]
fn other_types_are_refused_by_field() {
    on_every_store(|client| {
        let ada = client.register("ada");
        let slug = ada.publish("Here", &[]);
        let deep = format!("{{\"article\":{{\"title\":{}{}}}}}", "[".repeat(5000), "]".repeat(5000));
        let twice = r#"{"article":{"title":"a","title":"b","description":"d","body":"b"}}"#;
        let surrogate = r#"{"article":{"title":"\ud800","description":"d","body":"b"}}"#;
        for body in [surrogate, "{\"article\":NaN}", "\u{feff}{}", "user[email]=x"] {
            let refused = ada.send("POST", "/api/articles", body).unwrap();
            assert_eq!(wrong(refused), (400, keys(&["body"])), "{body}");
        }
        for (body, problem) in [
            (deep.as_str(), json!({"title": ["must be a string"]})),
            (twice, json!({"title": ["is there twice"]})),
            ("{}", json!({"article": ["is missing"]})),
            ("[]", json!({"body": ["must be an object"]})),
        ] {
            assert_eq!(error(ada.send("POST", "/api/articles", body).unwrap()), (422, problem), "{body}");
        }
        let others = [json!(1), json!(true), json!({}), json!([[]]), json!([1]), json!([null])];
        for other in &others {
            for field in ["title", "description", "body", "tagList"] {
                let mut article = json!({"title": "t", "description": "d", "body": "b", "tagList": []});
                article[field] = other.clone();
                let article = json!({"article": article});
                assert_eq!(wrong(ada.post("/api/articles", &article)), (422, keys(&[field])), "{article}");
                let changed = ada.put(&format!("/api/articles/{slug}"), &article);
                assert_eq!(wrong(changed), (422, keys(&[field])), "{article}");
            }
            for field in ["username", "email", "password", "bio", "image"] {
                let user = json!({"user": {field: other}});
                assert_eq!(wrong(ada.put("/api/user", &user)), (422, keys(&[field])), "{user}");
            }
        }
        assert_eq!(client.get("/api/articles").body["articlesCount"], 1, "nothing of it was kept");
        assert_eq!(ada.get("/api/user").body["user"]["bio"], Value::Null);
    });
}

/// A key that is no key is told before anything is done.
#[test]
fn an_idempotency_key_that_is_none_is_refused() {
    on_every_store(|client| {
        let ada = client.register("ada").with_idempotency_key("again");
        let article = json!({"article": {"title": "t", "description": "d", "body": "b"}});
        assert_eq!(wrong(ada.post("/api/articles", &article)), (422, keys(&["Idempotency-Key"])));
        assert_eq!(client.get("/api/articles").body["articlesCount"], 0);
    });
}
