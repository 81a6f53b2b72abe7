//! Comments: added, listed, taken back.

use serde_json::{Value, json};

use super::{error, on_every_log, on_every_store};
use crate::support::Client;

/// Adds a comment that must be taken, and answers it.
#[track_caller]
fn say(client: &Client, slug: &str, body: &str) -> Value {
    let answer = client.post(&format!("/api/articles/{slug}/comments"), &json!({"comment": {"body": body}}));
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["comment"].clone()
}

/// CD-09: everybody reads comments, who is somebody adds them, and only who added one takes it back.
#[test]
fn comments_are_their_authors() {
    on_every_store(|client| {
        let (ada, bob) = (client.register("ada"), client.register("bob"));
        let slug = ada.publish("On Engines", &[]);
        let path = format!("/api/articles/{slug}/comments");
        assert_eq!(client.get(&path).body, json!({"comments": []}));

        let first = say(&bob, &slug, "Indeed.");
        let second = say(&ada, &slug, "Thanks.");
        assert!(first["id"].is_u64() && first["id"] != second["id"], "{first} {second}");
        assert_eq!(
            first["author"],
            json!({"username": "bob", "bio": null, "image": null, "following": false})
        );
        assert_eq!((&first["body"], &first["createdAt"]), (&json!("Indeed."), &first["updatedAt"]));
        let keys: Vec<_> = first.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["author", "body", "createdAt", "id", "updatedAt"]);
        let list = client.get(&path);
        assert_eq!((list.status, list.body), (200, json!({"comments": [second, first]})));

        let one = |comment: &Value| format!("{path}/{}", comment["id"]);
        assert_eq!(error(client.delete(&one(&first))), (401, json!({"token": ["is missing"]})));
        // Not even the article's author.
        assert_eq!(error(ada.delete(&one(&first))), (403, json!({"comment": ["forbidden"]})));
        let gone = bob.delete(&one(&first));
        assert_eq!((gone.status, gone.body), (204, Value::Null));
        assert_eq!(client.get(&path).body, json!({"comments": [second]}));
        assert_eq!(error(bob.delete(&one(&first))), (404, json!({"comment": ["not found"]})));
        let third = say(&bob, &slug, "Once more.");
        assert_ne!(third["id"], first["id"], "an id is not used again");

        for blank in [json!({"body": " "}), json!({"body": null}), json!({})] {
            let refused = bob.post(&path, &json!({"comment": blank}));
            assert_eq!(error(refused), (422, json!({"body": ["can't be blank"]})));
        }
    });
}

/// CD-09: an article takes its comments with it, and another one of the same slug begins without any.
#[test]
fn comments_go_with_their_article() {
    on_every_log(|client, umbel| {
        let (ada, bob) = (client.register("ada"), client.register("bob"));
        let slug = ada.publish("On Engines", &[]);
        let other = ada.publish("On Looms", &[]);
        say(&bob, &slug, "Indeed.");
        let kept = say(&bob, &other, "Here, too.");
        // A comment is of its article, whatever number it has.
        assert_eq!(kept["id"], 1);
        assert_eq!(ada.delete(&format!("/api/articles/{slug}")).status, 204);
        assert_eq!(client.get(&format!("/api/articles/{slug}/comments")).status, 404);
        let late = json!({"comment": {"body": "Too late."}});
        assert_eq!(bob.post(&format!("/api/articles/{slug}/comments"), &late).status, 404);
        assert_eq!(ada.publish("On Engines", &[]), slug);
        assert_eq!(client.get(&format!("/api/articles/{slug}/comments")).body, json!({"comments": []}));
        assert_eq!(client.get(&format!("/api/articles/{other}/comments")).body, json!({"comments": [kept]}));
        let closed: Vec<_> = umbel.events().into_iter().filter(is_closing).collect();
        assert_eq!(closed.len(), 1, "{closed:?}");
        assert_eq!(closed[0]["data"]["numbers"], json!([1]), "{closed:?}");
    });
}

/// Whether an event of the log ends a discussion.
fn is_closing(event: &Value) -> bool {
    event["type"].as_str().is_some_and(|name| name.starts_with("articles.discussion_closed/"))
}
