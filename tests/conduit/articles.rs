//! Articles: published, found, changed, deleted.

use serde_json::{Value, json};

use super::{article_keys, error, on_every_store};

/// CD-05, CD-06: publishing answers the article; it is in the list, under its tags, by its author, at once.
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
        (0..21).for_each(|_| drop(ada.publish("One of many", &[])));
        let (shown, count) = titles("/api/articles");
        assert_eq!((shown.len(), count), (20, 23), "twenty, unless more are asked for");

        // CD-05: equal titles are legal, slugs differ.
        assert_eq!(bob.publish("On Engines", &[]), format!("{slug}-2"));
        // A number in somebody's title does not say how others' slugs go on.
        let title = "On Engines 18446744073709551615";
        assert_eq!(bob.publish(title, &[]), format!("{slug}-18446744073709551615"));
        assert_eq!(ada.publish("On Engines", &[]), format!("{slug}-3"));
        assert_eq!(client.get("/api/articles/no-such-slug").status, 404);
    });
}

/// An author changes what they like; the rest stays, and the moment of the change shows.
#[test]
fn edits() {
    on_every_store(|client| {
        let ada = client.register("ada");
        let slug = ada.publish("On Engines", &["math", "engines"]);
        let path = format!("/api/articles/{slug}");
        let before = client.get(&path).body["article"].clone();
        let edit = |change: Value| {
            let edited = ada.put(&path, &json!({"article": change}));
            assert_eq!(edited.status, 200, "{edited:?}");
            let article = edited.body["article"].clone();
            assert_eq!(article_keys(&article), article_keys(&before));
            assert_eq!(article["createdAt"], before["createdAt"]);
            assert_eq!(client.get(&path).body["article"], article, "the next request sees it");
            article
        };
        let text = edit(json!({"body": "Other cards."}));
        assert_ne!(text["updatedAt"], before["updatedAt"]);
        assert_eq!((&text["body"], &text["title"]), (&json!("Other cards."), &before["title"]));
        assert_eq!((&text["slug"], &text["tagList"]), (&before["slug"], &before["tagList"]));
        let again = edit(json!({"body": "Other cards."}));
        assert_ne!(again["updatedAt"], text["updatedAt"], "however fast it follows");
        let retagged = edit(json!({"tagList": ["looms", "math"]}));
        assert_eq!(retagged["tagList"], json!(["looms", "math"]));
        assert_eq!(client.get("/api/tags").body, json!({"tags": ["looms", "math"]}));
        assert_eq!(client.get("/api/articles?tag=engines").body["articlesCount"], 0);
        assert_eq!(edit(json!({"tagList": []}))["tagList"], json!([]));
        assert_eq!(client.get("/api/tags").body, json!({"tags": []}));
        assert_eq!(edit(json!({"description": "About looms", "unknown": 1}))["description"], "About looms");

        let null = ada.put(&path, &json!({"article": {"tagList": null}}));
        assert_eq!((null.status, null.body["errors"]["tagList"].is_array()), (422, true), "{null:?}");
        for field in ["title", "description", "body"] {
            for blank in [json!(""), json!(" "), Value::Null] {
                let refused = ada.put(&path, &json!({"article": {field: blank}}));
                assert_eq!(error(refused), (422, json!({field: ["can't be blank"]})));
            }
        }
    });
}

/// CD-05: with a new title an article moves to a new slug; the old one leads nowhere and is free.
#[test]
fn a_new_title_is_a_new_slug() {
    on_every_store(|client| {
        let ada = client.register("ada");
        let slug = ada.publish("On Engines", &[]);
        ada.publish("On Looms", &[]);
        let retitle = |slug: &str, title: &str| {
            let edited = ada.put(&format!("/api/articles/{slug}"), &json!({"article": {"title": title}}));
            assert_eq!((edited.status, &edited.body["article"]["title"]), (200, &json!(title)), "{edited:?}");
            edited.body["article"]["slug"].as_str().unwrap().to_owned()
        };
        let moved = retitle(&slug, "On Looms");
        assert_eq!(moved, "on-looms-2");
        assert_eq!(
            error(client.get(&format!("/api/articles/{slug}"))),
            (404, json!({"article": ["not found"]}))
        );
        assert_eq!(client.get(&format!("/api/articles/{moved}")).body["article"]["title"], "On Looms");
        assert_eq!(retitle(&moved, "On looms!"), moved, "the same words have the same slug");
        assert_eq!(ada.publish("On Engines", &[]), slug);
        // The one word that a route has taken.
        let feed = ada.publish("Feed", &[]);
        assert_ne!(feed, "feed");
        assert_eq!(client.get(&format!("/api/articles/{feed}")).status, 200);
    });
}

/// Only the author changes and deletes; the token comes first, then whether there is an article, then whose.
#[test]
fn only_the_author_edits_and_deletes() {
    on_every_store(|client| {
        let (ada, bob) = (client.register("ada"), client.register("bob"));
        let slug = ada.publish("On Engines", &["math"]);
        let path = format!("/api/articles/{slug}");
        let change = json!({"article": {"body": "Mine."}});
        assert_eq!(error(client.put(&path, &change)), (401, json!({"token": ["is missing"]})));
        assert_eq!(error(bob.put(&path, &change)), (403, json!({"article": ["forbidden"]})));
        assert_eq!(bob.put(&path, &json!({"article": {"body": ""}})).status, 422);
        assert_eq!(error(bob.delete(&path)), (403, json!({"article": ["forbidden"]})));
        for nowhere in ["/api/articles/nowhere", "/api/articles/on%20engines"] {
            assert_eq!(error(bob.put(nowhere, &change)), (404, json!({"article": ["not found"]})));
            assert_eq!(error(bob.delete(nowhere)), (404, json!({"article": ["not found"]})));
        }
        assert_eq!(client.get(&path).body["article"]["body"], "All of it.");

        let deleted = ada.delete(&path);
        assert_eq!((deleted.status, deleted.body), (204, Value::Null));
        assert_eq!(error(client.get(&path)), (404, json!({"article": ["not found"]})));
        assert_eq!(ada.delete(&path).status, 404);
        assert_eq!(client.get("/api/articles").body, json!({"articles": [], "articlesCount": 0}));
        assert_eq!(client.get("/api/tags").body, json!({"tags": []}));
        assert_eq!(bob.publish("On Engines", &[]), slug, "its slug is free");
    });
}

/// Blank parts are refused as such, absent ones count as blank, tags are tidied.
#[test]
fn checks_what_is_published() {
    on_every_store(|client| {
        let ada = client.register("ada");
        let refused = ada.post("/api/articles", &json!({"article": {"title": " ", "body": null}}));
        let blank = json!(["can't be blank"]);
        assert_eq!(error(refused), (422, json!({"title": blank, "description": blank, "body": blank})));
        let article =
            json!({"title": "T", "description": "D", "body": "B", "tagList": ["b", " a ", "", "b"]});
        let published = ada.post("/api/articles", &json!({"article": article}));
        assert_eq!((published.status, &published.body["article"]["tagList"]), (201, &json!(["a", "b"])));
        let untagged = json!({"article": {"title": "T", "description": "D", "body": "B"}});
        assert_eq!(ada.post("/api/articles", &untagged).body["article"]["tagList"], json!([]));
    });
}
