//! What settings bound: how long a token is good, how large a body may be, and whose pages may call.

use serde_json::json;

use super::{error, on_every_store_with};
use crate::support::eventually;

/// A token is good for as long as it is set, and then no more: where none is needed it counts as none, where one is the answer says why.
#[test]
fn tokens_expire() {
    on_every_store_with(&[("UMBEL__GATEWAY__JWT_LIFETIME_S", "5")], |client, _| {
        let ada = client.register("ada");
        let slug = ada.publish("Here", &[]);
        let liked = ada.post_nothing(&format!("/api/articles/{slug}/favorite"));
        assert_eq!((liked.status, &liked.body["article"]["favorited"]), (200, &json!(true)));
        let expired = eventually("the token's end", || {
            let answer = ada.get("/api/user");
            (answer.status != 200).then_some(answer)
        });
        assert_eq!(error(expired), (401, json!({"token": ["has expired"]})));
        let comment = json!({"comment": {"body": "Too late."}});
        for path in ["/api/articles".to_owned(), format!("/api/articles/{slug}/comments")] {
            assert_eq!(error(ada.post(&path, &comment)), (401, json!({"token": ["has expired"]})), "{path}");
        }
        let shown = ada.get(&format!("/api/articles/{slug}"));
        assert_eq!((shown.status, &shown.body["article"]["favorited"]), (200, &json!(false)));
        assert_eq!(shown.body["article"]["favoritesCount"], 1);

        let login = json!({"user": {"email": "ada@example.org", "password": "correct horse"}});
        let again = client.post("/api/users/login", &login);
        let token = again.body["user"]["token"].as_str().unwrap();
        assert_eq!(
            client.with_token(token).get("/api/user").status,
            200,
            "another one is as good as the first was"
        );
    });
}

/// A body of as many bytes as may be is taken, one of more is refused as too large, and what is behind it is served on.
#[test]
fn bodies_are_bounded() {
    let body_of = |bytes: usize| {
        let comment = |text: &str| json!({"comment": {"body": text}}).to_string();
        comment(&"x".repeat(bytes - comment("").len()))
    };
    on_every_store_with(&[("UMBEL__GATEWAY__BODY_LIMIT_BYTES", "2000")], |client, _| {
        let ada = client.register("ada");
        let path = format!("/api/articles/{}/comments", ada.publish("Here", &[]));
        let (fits, too_large) = (body_of(2000), body_of(2001));
        assert_eq!((fits.len(), too_large.len()), (2000, 2001));
        assert_eq!(ada.send("POST", &path, &fits).unwrap().status, 201);
        let refused = ada.send("POST", &path, &too_large).unwrap();
        assert_eq!(error(refused), (413, json!({"body": ["is too large"]})));
        // Whoever has no token learns nothing of it.
        let nobody = client.send("POST", &path, &too_large).unwrap();
        assert_eq!(error(nobody), (401, json!({"token": ["is missing"]})));
        let comments = ada.get(&path);
        assert_eq!(comments.body["comments"].as_array().map(Vec::len), Some(1));
    });
}

/// Browsers hear what pages may send, and pages of other origins than those that are set are not allowed to read.
#[test]
fn pages_of_other_origins_are_told_what_they_may() {
    const OURS: &str = "https://app.example.org";
    on_every_store_with(&[("UMBEL__GATEWAY__CORS_ALLOWED_ORIGINS", OURS)], |client, _| {
        let ada = client.register("ada");
        for path in ["/api/articles", "/api/user", "/api/nowhere"] {
            let asked = ada.heard("OPTIONS", path, OURS);
            assert_eq!(
                (asked.status, asked.header("access-control-allow-origin")),
                (204, Some(OURS)),
                "{path}"
            );
            for method in ["GET", "POST", "PUT", "DELETE"] {
                assert!(asked.header("access-control-allow-methods").unwrap().contains(method), "{path}");
            }
            for name in ["Authorization", "Content-Type", "Idempotency-Key"] {
                assert!(asked.header("access-control-allow-headers").unwrap().contains(name), "{path}");
            }
            // Also a refusal, which the page would otherwise not be shown.
            for origin in [OURS, "https://elsewhere.example.org"] {
                for method in ["OPTIONS", "GET"] {
                    let answer = ada.heard(method, path, origin);
                    let allowed = answer.header("access-control-allow-origin");
                    assert_eq!(allowed, (origin == OURS).then_some(OURS), "{method} {path} from {origin}");
                    assert_eq!(answer.header("vary"), Some("Origin"), "{method} {path} from {origin}");
                }
            }
        }
        assert_eq!(ada.heard("GET", "/api/user", OURS).status, 200);
        assert_eq!(ada.heard("GET", "/api/nowhere", OURS).status, 404);
    });
    on_every_store_with(&[("UMBEL__GATEWAY__CORS_ALLOWED_ORIGINS", "*")], |client, _| {
        let answer = client.heard("GET", "/api/tags", OURS);
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")));
    });
}
