//! The account's rules: what each command leads to, given what happened before.

use contracts::{
    FieldProblem, Invalid, Problem,
    accounts::{BioChanged, EmailChanged, ImageChanged, Registered, Rejection, UniqueField, UsernameChanged},
};
use serde_json::json;
use umbel_core::{EventSet, Payload};
use umbel_testkit::aggregate::{given, given_nothing};
use uuid::Uuid;

use super::*;

const ID: Uuid = Uuid::from_u128(7);

fn create() -> CreateAccount {
    CreateAccount {
        user_id: ID,
        username: "Jake_W".into(),
        email: "Jake@Example.com".into(),
        password_hash: PasswordHash("$argon2id$1".into()),
    }
}

fn change() -> ChangeAccount {
    ChangeAccount { user_id: ID, username: None, email: None, password_hash: None, bio: None, image: None }
}

fn registered() -> Registered {
    Registered { user_id: ID, username: "Jake_W".into(), email: "Jake@Example.com".into() }
}

fn password_set(hash: &str) -> PasswordSet {
    PasswordSet { user_id: ID, password_hash: PasswordHash(hash.into()) }
}

fn jake() -> User {
    new_user(&registered())
}

fn invalid(field: &str, problem: Problem) -> FieldProblem {
    FieldProblem { field: field.into(), problem }
}

/// CD-01: a free name and address; they are kept as sent and compared in lower case.
#[test]
fn registers_under_a_free_name() {
    given_nothing::<Account>()
        .when(create())
        .then([AccountEvent::from(registered()), password_set("$argon2id$1").into()])
        .replies(jake())
        .takes([("accounts.username", "jake_w"), ("accounts.email", "jake@example.com")])
        .releases([]);
}

/// CD-02, CD-03: whoever comes second learns which field is taken.
#[test]
fn a_taken_name_or_address_is_named() {
    given_nothing::<Account>()
        .when(create())
        .then_if_claimed("accounts.username", "jake_w", Rejection::Taken(UniqueField::Username))
        .then_if_claimed("accounts.email", "jake@example.com", Rejection::Taken(UniqueField::Email))
        .then_if_claimed("articles.slug", "jake", None)
        .then([AccountEvent::from(registered()), password_set("$argon2id$1").into()]);
    given::<Account>([registered()])
        .when(ChangeAccount { username: Some("Ann".into()), ..change() })
        .then_if_claimed("accounts.username", "ann", Rejection::Taken(UniqueField::Username))
        .then([UsernameChanged { user_id: ID, username: "Ann".into() }]);
}

#[test]
fn the_same_registration_twice_happens_once() {
    given::<Account>([registered()]).when(create()).then_nothing().replies(jake()).takes([]);
}

/// CD-02: every field that is wrong is named.
#[test]
fn refuses_blank_fields_all_at_once() {
    let expected = Invalid(vec![invalid("username", Problem::Blank), invalid("email", Problem::Blank)]);
    given_nothing::<Account>()
        .when(CreateAccount { username: " ".into(), email: String::new(), ..create() })
        .then_rejected(expected.clone());
    given::<Account>([registered()])
        .when(ChangeAccount { username: Some(String::new()), email: Some(String::new()), ..change() })
        .then_rejected(expected);
}

#[test]
fn a_new_name_takes_its_claim_and_frees_the_old() {
    given::<Account>([registered()])
        .when(ChangeAccount { username: Some("Jacob".into()), ..change() })
        .then([UsernameChanged { user_id: ID, username: "Jacob".into() }])
        .replies(User { username: "Jacob".into(), ..jake() })
        .takes([("accounts.username", "jacob")])
        .releases([("accounts.username", "jake_w")]);
}

#[test]
fn the_same_name_in_other_letters_keeps_its_claim() {
    given::<Account>([registered()])
        .when(ChangeAccount { username: Some("JAKE_W".into()), ..change() })
        .then([UsernameChanged { user_id: ID, username: "JAKE_W".into() }])
        .takes([])
        .releases([]);
}

#[test]
fn a_claim_follows_the_latest_name() {
    given::<Account>([AccountEvent::from(registered()), renamed("Jacob"), renamed("Jonas")])
        .when(ChangeAccount { username: Some("Jacob".into()), ..change() })
        .then([renamed("Jacob")])
        .takes([("accounts.username", "jacob")])
        .releases([("accounts.username", "jonas")]);
}

fn renamed(username: &str) -> AccountEvent {
    UsernameChanged { user_id: ID, username: username.into() }.into()
}

#[test]
fn everything_changes_at_once() {
    given::<Account>([registered()])
        .when(ChangeAccount {
            user_id: ID,
            username: Some("Jacob".into()),
            email: Some("jacob@example.com".into()),
            password_hash: Some(PasswordHash("$argon2id$2".into())),
            bio: Some("Works.".into()),
            image: Some("https://example.com/j.png".into()),
        })
        .then([
            renamed("Jacob"),
            EmailChanged { user_id: ID, email: "jacob@example.com".into() }.into(),
            password_set("$argon2id$2").into(),
            BioChanged { user_id: ID, bio: Some("Works.".into()) }.into(),
            ImageChanged { user_id: ID, image: Some("https://example.com/j.png".into()) }.into(),
        ])
        .takes([("accounts.username", "jacob"), ("accounts.email", "jacob@example.com")])
        .releases([("accounts.username", "jake_w"), ("accounts.email", "jake@example.com")]);
}

#[test]
fn what_is_the_same_does_not_happen() {
    given::<Account>([registered()])
        .when(ChangeAccount { username: Some("Jake_W".into()), bio: Some(String::new()), ..change() })
        .then_nothing()
        .replies(jake());
}

#[test]
fn an_empty_text_takes_the_bio_away() {
    let wrote = BioChanged { user_id: ID, bio: Some("Works.".into()) };
    given::<Account>([AccountEvent::from(registered()), wrote.into()])
        .when(ChangeAccount { bio: Some(String::new()), ..change() })
        .then([BioChanged { user_id: ID, bio: None }])
        .replies(jake());
}

#[test]
fn nobody_cannot_be_changed() {
    given_nothing::<Account>().when(change()).then_rejected(Rejection::UnknownUser);
}

/// The hash's event is not in the published language, so its sample is here. It stays readable for ever.
#[test]
fn the_private_event_decodes_its_sample() {
    let sample = json!({ "user_id": ID, "password_hash": "$argon2id$1" });
    let event_type = "accounts.password_set/1".parse().unwrap();
    let event = AccountEvent::decode(&event_type, &Payload::json(&sample).unwrap()).unwrap().unwrap();
    assert_eq!(event.encode().unwrap().data.decode::<serde_json::Value>().unwrap(), sample);
    assert!(!format!("{event:?}").contains("argon2id"), "a hash does not belong into a log line");
}
