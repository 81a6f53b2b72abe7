//! What holds for all routes: the order of checks, the shape of errors, what browsers hear.

use serde_json::{Value, json};

use super::{error, on_every_store};

/// Routes that need a token, all with names that lead nowhere.
const NEED_A_TOKEN: &[(&str, &str)] = &[
    ("GET", "/api/user"),
    ("PUT", "/api/user"),
    ("POST", "/api/profiles/nobody/follow"),
    ("DELETE", "/api/profiles/nobody/follow"),
    ("GET", "/api/articles/feed"),
    ("POST", "/api/articles"),
    ("PUT", "/api/articles/nowhere"),
    ("DELETE", "/api/articles/nowhere"),
    ("POST", "/api/articles/nowhere/comments"),
    ("DELETE", "/api/articles/nowhere/comments/1"),
    ("POST", "/api/articles/nowhere/favorite"),
    ("DELETE", "/api/articles/nowhere/favorite"),
];

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

/// Without a token nobody learns what there is, and what was wrong with the rest.
#[test]
fn the_token_comes_first_on_every_route_that_needs_one() {
    on_every_store(|client| {
        let call = |token: Option<&str>, method: &str, path: &str| {
            let client = token.map_or_else(|| client.clone(), |token| client.with_token(token));
            match method {
                "GET" => client.get(path),
                "DELETE" => client.delete(path),
                _ => client.send(method, path, "{").unwrap(),
            }
        };
        for (method, path) in NEED_A_TOKEN {
            let missing = error(call(None, method, path));
            assert_eq!(missing, (401, json!({"token": ["is missing"]})), "{method} {path}");
            let invalid = error(call(Some("a.b.c"), method, path));
            assert_eq!(invalid, (401, json!({"token": ["is invalid"]})), "{method} {path}");
        }
        let bearer = client.register("ada").with_scheme("Bearer");
        assert_eq!(bearer.get("/api/user").status, 200);
        let basic = bearer.with_scheme("Basic").get("/api/user");
        assert_eq!(error(basic), (401, json!({"token": ["is missing"]})));
    });
}

/// With a token, what is not there is not found under its own name, whatever the body.
#[test]
fn what_is_not_there_is_named() {
    on_every_store(|client| {
        let ada = client.register("ada");
        let here = ada.publish("Here", &[]);
        let comment = json!({"comment": {"body": "Indeed."}});
        let not_found = |key: &str| (404, json!({key: ["not found"]}));
        for (answer, key) in [
            (client.get("/api/profiles/nobody"), "profile"),
            (ada.post_nothing("/api/profiles/nobody/follow"), "profile"),
            (ada.delete("/api/profiles/nobody/follow"), "profile"),
            (client.get("/api/articles/nowhere"), "article"),
            (ada.post_nothing("/api/articles/nowhere/favorite"), "article"),
            (ada.delete("/api/articles/nowhere/favorite"), "article"),
            (client.get("/api/articles/nowhere/comments"), "article"),
            (ada.post("/api/articles/nowhere/comments", &comment), "article"),
            (ada.delete("/api/articles/nowhere/comments/1"), "article"),
            (ada.delete("/api/articles/nowhere/comments/x"), "article"),
            (ada.delete(&format!("/api/articles/{here}/comments/1")), "comment"),
            (ada.delete(&format!("/api/articles/{here}/comments/x")), "comment"),
            (ada.delete(&format!("/api/articles/{here}/comments/-1")), "comment"),
            (client.get("/api"), "route"),
            (client.get("/api/articles/here/there"), "route"),
        ] {
            assert_eq!(error(answer), not_found(key));
        }
        assert_eq!(error(ada.delete("/api/user")), (405, json!({"method": ["not allowed"]})));
    });
}

/// Bodies that are none, or others, are refused in the errors shape on every route that takes one.
#[test]
fn malformed_bodies_are_refused() {
    on_every_store(|client| {
        let ada = client.register("ada");
        let slug = ada.publish("Here", &[]);
        let (article, comments) = (format!("/api/articles/{slug}"), format!("/api/articles/{slug}/comments"));
        for (method, path) in [
            ("POST", "/api/users"),
            ("POST", "/api/users/login"),
            ("PUT", "/api/user"),
            ("POST", "/api/articles"),
            ("PUT", &article),
            ("POST", &comments),
        ] {
            for body in ["", "{", "null", "[]", "{}", r#"{"user":1,"article":[],"comment":"x"}"#] {
                let refused = ada.send(method, path, body).unwrap();
                assert!([400, 422].contains(&refused.status), "{method} {path} {body}: {refused:?}");
                let errors = refused.body["errors"].as_object().unwrap();
                assert!(errors.values().all(Value::is_array) && !errors.is_empty(), "{refused:?}");
            }
        }
    });
}
