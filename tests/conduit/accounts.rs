//! Users: who they are, what they may change, and how often one may guess.

use serde_json::{Value, json};

use super::{ada, error, on_every_store};
use crate::support::{Client, Store, Umbel};

/// CD-01: registering answers the user with a token; the token and the password both lead back to it.
#[test]
fn registers_and_logs_in() {
    on_every_store(|client| {
        let registered = client.post("/api/users", &ada());
        assert_eq!(registered.status, 201, "{registered:?}");
        let user = &registered.body["user"];
        assert_eq!(user["username"], "Ada_L");
        // Each key is there, also of what is nothing yet.
        let keys: Vec<_> = user.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["bio", "email", "image", "token", "username"]);
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
        assert!(!fields.is_empty(), "{taken:?}");
        assert!(fields.iter().all(|messages| **messages == json!(["has already been taken"])), "{taken:?}");
        for (field, value, status, message) in [
            ("username", "Ada_L", 409, "has already been taken"),
            ("email", "ada@EXAMPLE.org", 409, "has already been taken"),
            ("email", "bob at example.org", 422, "is invalid"),
            ("username", "b\u{200b}ob", 422, "is invalid"),
        ] {
            let mut user = json!({"user": {"username": "bob", "email": "bob@example.org", "password": "pw"}});
            user["user"][field] = json!(value);
            let refused = client.post("/api/users", &user);
            assert_eq!(error(refused), (status, json!({field: [message]})), "{field} {value}");
        }

        for (email, password) in [("ada@example.org", "wrong"), ("nobody@example.org", "correct horse")] {
            let login =
                client.post("/api/users/login", &json!({"user": {"email": email, "password": password}}));
            assert_eq!((login.status, login.body), (401, json!({"errors": {"credentials": ["invalid"]}})));
        }
        let blank = client.post("/api/users/login", &json!({"user": {"email": " ", "password": ""}}));
        let blanks = json!({"email": ["can't be blank"], "password": ["can't be blank"]});
        assert_eq!(error(blank), (422, blanks));
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
            ("email", Value::Null),
            ("password", json!("short")),
            ("password", json!("")),
            ("password", Value::Null),
        ] {
            let refused = ada.put("/api/user", &json!({"user": {field: value}}));
            assert_eq!(refused.status, 422, "{field} {value}: {refused:?}");
            assert!(refused.body["errors"][field].is_array(), "{refused:?}");
        }
        for (field, value) in [("username", "bob"), ("email", "bob@example.org")] {
            let taken = ada.put("/api/user", &json!({"user": {field: value}}));
            assert_eq!(error(taken), (409, json!({field: ["has already been taken"]})));
        }
        // A name given up is free for others at once (UX-05), and the token outlives the change.
        assert_eq!(ada.put("/api/user", &json!({"user": {"username": "countess"}})).status, 200);
        assert_eq!(ada.get("/api/user").body["user"]["username"], "countess");
        let eve =
            json!({"user": {"username": "ada", "email": "eve@example.org", "password": "correct horse"}});
        assert_eq!(client.post("/api/users", &eve).status, 201);
    });
}

/// CD-10: a profile is found under the name of the moment, however it is written, and says what everybody may know.
#[test]
fn shows_profiles() {
    on_every_store(|client| {
        let ada = client.register("Ada_L");
        let profile = |name: &str| client.get(&format!("/api/profiles/{name}"));
        let expected =
            json!({"profile": {"username": "Ada_L", "bio": null, "image": null, "following": false}});
        let seen = profile("Ada_L");
        assert_eq!((seen.status, seen.body), (200, expected.clone()));
        assert_eq!(profile("ada_l").body, expected);
        let changed = json!({"user": {"username": "Gräfin", "bio": "Counts."}});
        assert_eq!(ada.put("/api/user", &changed).status, 200);
        assert_eq!(error(profile("Ada_L")), (404, json!({"profile": ["not found"]})));
        let expected = json!({"username": "Gräfin", "bio": "Counts.", "image": null, "following": false});
        assert_eq!(profile("Gr%C3%A4fin").body["profile"], expected);
        // The same to a reader, an "a" and two dots to a computer.
        assert_eq!(profile("Gra%CC%88fin").body["profile"], expected);
        let other =
            json!({"user": {"username": "gra\u{308}fin", "email": "other@example.org", "password": "pw"}});
        let taken = client.post("/api/users", &other);
        assert_eq!(error(taken), (409, json!({"username": ["has already been taken"]})));
    });
}

/// A new password replaces the old one, and an e-mail address that was changed is the one to log in with.
#[test]
fn logs_in_with_what_was_changed() {
    on_every_store(|client| {
        let ada = client.register("ada");
        let changed = json!({"user": {"email": "countess@example.org", "password": "battery staple"}});
        let changed = ada.put("/api/user", &changed);
        assert_eq!((changed.status, &changed.body["user"]["email"]), (200, &json!("countess@example.org")));
        let log_in = |email: &str, password: &str| {
            let body = json!({"user": {"email": email, "password": password}});
            client.post("/api/users/login", &body).status
        };
        assert_eq!(log_in("countess@example.org", "correct horse"), 401);
        assert_eq!(log_in("ada@example.org", "battery staple"), 401);
        assert_eq!(log_in("countess@example.org", "battery staple"), 200);
        // Nothing to change is no error.
        assert_eq!(ada.put("/api/user", &json!({"user": {}})).status, 200);
    });
}

/// After so many wrong passwords the right one does not help either, for a while; other accounts are not touched, and
/// what was no attempt does not count.
#[test]
fn slows_down_who_guesses() {
    let mut umbel = Umbel::new(Store::Sqlite);
    umbel.set("UMBEL__GATEWAY__LOGIN_FAILURES_MAX", "3");
    let running = umbel.run();
    let client = running.client();
    client.register("ada");
    client.register("bob");
    let log_in = |name: &str, password: &str| {
        let body = json!({"user": {"email": format!("{name}@example.org"), "password": password}});
        client.post("/api/users/login", &body)
    };
    for _ in 0..5 {
        assert_eq!(log_in("ada", "").status, 422);
        assert_eq!(log_in("ada", "correct horse").status, 200);
    }
    for _ in 0..3 {
        assert_eq!(error(log_in("ada", "guess")), (401, json!({"credentials": ["invalid"]})));
    }
    let refused = log_in("ada", "correct horse");
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.body["errors"]["credentials"].is_array(), "{refused:?}");
    assert_eq!(log_in("bob", "correct horse").status, 200);
}

/// Right passwords are no guesses, however many come at once, or are given up before they are answered.
#[test]
fn right_passwords_at_once_are_no_guesses() {
    let mut umbel = Umbel::new(Store::Sqlite);
    umbel.set("UMBEL__GATEWAY__LOGIN_FAILURES_MAX", "2");
    let running = umbel.run();
    let client = running.client();
    client.register("ada");
    let log_in = |client: Client| {
        let body = json!({"user": {"email": "ada@example.org", "password": "correct horse"}});
        std::thread::spawn(move || client.post("/api/users/login", &body).status)
    };
    let at_once: Vec<_> = (0..8).map(|_| log_in(client.clone())).collect();
    let statuses: Vec<_> = at_once.into_iter().map(|one| one.join().unwrap()).collect();
    assert_eq!(statuses, [200; 8]);
}
