//! The keys of subjects, which only the store itself asks for: cases of the port.

use std::sync::Arc;

use tokio::task::JoinSet;
use umbel_core::{
    EventId, Metadata, Subject, Timestamp,
    store::{Act, Perform},
};
use uuid::Uuid;

use crate::{Adapter, SubjectKey};

const NOW: Timestamp = Timestamp::from_micros(1_769_860_800_000_000);

fn subject(name: &str) -> Subject {
    Subject::new(name).unwrap()
}

async fn create(adapter: &impl Adapter, keys: &[(&str, u8)]) -> Vec<SubjectKey> {
    let keys = keys.iter().map(|(name, byte)| (subject(name), [*byte; 32])).collect();
    adapter.create_subject_keys(keys, NOW).await.unwrap()
}

async fn find(adapter: &impl Adapter, names: &[&str]) -> Vec<Option<SubjectKey>> {
    adapter.find_subject_keys(names.iter().map(|name| subject(name)).collect()).await.unwrap()
}

async fn forget(adapter: &impl Adapter, name: &str) {
    let id = EventId(Uuid::from_u128(name.bytes().fold(1, |id, byte| id * 256 + u128::from(byte))));
    let act = Act::ForgetSubject { subject: subject(name) };
    adapter.perform(Perform { id, act, metadata: Metadata::default() }, NOW).await.unwrap();
}

fn known(byte: u8) -> SubjectKey {
    SubjectKey::Known([byte; 32])
}

/// A key is created once: whoever comes later gets the first. Answers come in the order of the question.
pub(super) async fn a_subject_has_one_key(adapter: impl Adapter) {
    assert_eq!(find(&adapter, &["ada", "bob"]).await, [None, None]);
    assert_eq!(find(&adapter, &[]).await, []);
    assert_eq!(create(&adapter, &[]).await, []);
    assert_eq!(create(&adapter, &[("bob", 1), ("Ådä, '", 2)]).await, [known(1), known(2)]);
    assert_eq!(create(&adapter, &[("ada", 3), ("bob", 4)]).await, [known(3), known(1)]);
    let found = find(&adapter, &["Ådä, '", "eve", "ada", "bob", "ada"]).await;
    assert_eq!(found, [Some(known(2)), None, Some(known(3)), Some(known(1)), Some(known(3))]);
}

/// A forgotten subject's key is gone for good, whether or not there was one.
pub(super) async fn a_forgotten_subject_has_no_key(adapter: impl Adapter) {
    create(&adapter, &[("ada", 1), ("bob", 2)]).await;
    forget(&adapter, "ada").await;
    forget(&adapter, "never heard of").await;
    let found = find(&adapter, &["ada", "bob", "never heard of"]).await;
    let forgotten = || SubjectKey::Forgotten;
    assert_eq!(found, [Some(forgotten()), Some(known(2)), Some(forgotten())]);
    let created = create(&adapter, &[("ada", 3), ("bob", 4), ("never heard of", 5)]).await;
    assert_eq!(created, [forgotten(), known(2), forgotten()]);
    assert_eq!(find(&adapter, &["ada"]).await, [Some(forgotten())]);
}

/// Many at once, some of whom have keys already.
pub(super) async fn many_subjects_have_their_own_keys(adapter: impl Adapter) {
    let names: Vec<_> = (0..600).map(|number| format!("subject-{number}")).collect();
    let key = |number: usize| u8::try_from(number % 251).unwrap();
    let all = || names.iter().map(String::as_str).enumerate();
    let even: Vec<_> =
        all().filter(|(number, _)| number % 2 == 0).map(|(number, name)| (name, key(number))).collect();
    create(&adapter, &even).await;
    let other: Vec<_> =
        all().map(|(number, name)| (name, key(number) ^ (u8::from(number % 2 == 0) * 255))).collect();
    let created = create(&adapter, &other).await;
    assert_eq!(created, (0..600).map(|number| known(key(number))).collect::<Vec<_>>());
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let found = find(&adapter, &names).await;
    assert_eq!(found, created.into_iter().map(Some).collect::<Vec<_>>());
}

/// Of many who create a key for one subject at once, all get the same.
pub(super) async fn racing_creators_get_one_key(adapter: impl Adapter) {
    let adapter = Arc::new(adapter);
    let mut tasks = JoinSet::new();
    for byte in 1..=20 {
        let adapter = adapter.clone();
        tasks.spawn(async move { create(&*adapter, &[("ada", byte)]).await.remove(0) });
    }
    let keys = tasks.join_all().await;
    assert!(keys.iter().all(|key| *key == keys[0]), "there are several keys");
    assert_eq!(find(&*adapter, &["ada"]).await, [Some(keys[0].clone())]);
}
