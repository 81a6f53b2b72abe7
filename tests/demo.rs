//! `make demo`: it fills a Conduit that runs, and what it says is there is there.

use std::{path::Path, process::Command};

use serde_json::json;

use crate::support::{Client, Running, Store, Umbel};

/// Runs it and gives what it prints.
fn fill(running: &Running) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/fill.sh");
    let output = Command::new("sh").arg(script).arg(base(running)).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn base(running: &Running) -> String {
    format!("http://{}/api", running.address())
}

/// How much there is at each of the places that are printed for everybody to look at.
fn found(client: &Client, printed: &str, base: &str) -> Vec<(String, usize)> {
    let places = printed.split(['\'', ' ', '\n']).filter_map(|word| word.strip_prefix(base));
    // These two are for who has logged in, and looked at below.
    let open = places.filter(|path| !["/users/login", "/articles/feed"].contains(path));
    open.map(|path| {
        let answer = client.get(&format!("/api{path}"));
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let lists = answer.body.as_object().unwrap().values().filter_map(|value| value.as_array());
        (path.to_owned(), lists.map(Vec::len).sum())
    })
    .collect()
}

/// Run once or again, there is as much of everything, and each place that it names has what it says.
#[test]
fn it_fills_a_conduit_with_what_it_says() {
    let umbel = Umbel::new(Store::Sqlite);
    let running = umbel.run();
    let (client, base) = (running.client(), base(&running));
    for _ in 0..2 {
        let printed = fill(&running);
        let expected = [
            ("/articles", 6),
            ("/articles?tag=mathematics", 3),
            ("/articles?author=grace", 2),
            ("/articles?favorited=ada", 4),
            ("/articles/on-analytical-engines/comments", 2),
            ("/tags", 5),
        ];
        let (_, shown) = printed.split_once("Done.").unwrap_or_else(|| panic!("{printed}"));
        assert_eq!(found(&client, shown, &base), expected.map(|(path, count)| (path.to_owned(), count)));

        let (_, password) = shown.split_once("everybody's password is '").unwrap();
        let (password, _) = password.split_once('\'').unwrap();
        assert!(
            shown.contains(&format!("\"email\":\"ada@example.org\",\"password\":\"{password}\"")),
            "{shown}"
        );
        let user = json!({"user": {"email": "ada@example.org", "password": password}});
        let ada = client.post("/api/users/login", &user);
        let ada = client.with_token(ada.body["user"]["token"].as_str().unwrap());
        assert_eq!(ada.get("/api/articles/feed").body["articlesCount"], 4);
    }
}

/// Where nobody answers it ends at once, and says what to start.
#[test]
fn it_says_when_nobody_answers() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/fill.sh");
    let output = Command::new("sh").arg(script).arg("http://127.0.0.1:1/api").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("make run"), "{output:?}");
}
