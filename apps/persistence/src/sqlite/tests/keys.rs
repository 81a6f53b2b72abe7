//! Keys of subjects that were damaged: found when the file is verified, and no obstacle to forgetting whose they are.

use umbel_core::{
    Subject,
    store::{Finding, Rule},
};

use super::{
    verify::{damage, found},
    *,
};
use crate::{SubjectKey, conformance::sealed};

/// OP-29: given a subject's key that is another one, or none, when the store is verified, then that is found; and whoever wants the subject
/// forgotten gets it.
#[tokio::test]
async fn a_wrong_key_is_found_and_can_be_dropped() {
    let (directory, events) = (directory(), Events::default());
    let path = directory.path().join("umbel.db");
    let store = Arc::new(Sqlite::open(&path).unwrap());
    sealed::fill(store.clone(), &events).await;
    store.perform(events.perform(Act::Archive { through: position(1) }), NOW).await.unwrap();
    assert_eq!(found(&path).await, []);
    damage(&path, "CREATE TABLE aside AS SELECT * FROM subject_keys");
    for (sql, told) in [
        (
            "UPDATE subject_keys SET key = zeroblob(32) WHERE subject = 'ada'",
            "position 1 holds personal data of ada, which its key does not open: that is another one",
        ),
        (
            "UPDATE subject_keys SET key = zeroblob(32) WHERE subject = 'bob'",
            "position 2 holds personal data of bob, which its key does not open: that is another one",
        ),
        (
            "UPDATE subject_keys SET key = x'01' WHERE subject = 'ada'",
            "the key of ada has 1 bytes instead of 32",
        ),
    ] {
        damage(&path, sql);
        let findings = found(&path).await;
        let is_told = |finding: &Finding| finding.rule == Rule::SubjectKeys && finding.what.contains(told);
        assert!(findings.len() == 1 && is_told(&findings[0]), "{sql}: {findings:#?}");
        damage(&path, "DELETE FROM subject_keys; INSERT INTO subject_keys SELECT * FROM aside");
    }
    damage(&path, "UPDATE events SET event_id = randomblob(16) WHERE position = 2");
    let findings = found(&path).await;
    assert!(findings.len() == 1 && findings[0].what.contains("was changed or put there"), "{findings:#?}");

    damage(&path, "UPDATE subject_keys SET key = x'01'");
    let subjects = ["ada", "bob"].map(|name| Subject::new(name).unwrap());
    let keys = async || store.find_subject_keys(subjects.to_vec()).await.unwrap();
    assert_eq!(keys().await, [Some(SubjectKey::Damaged), Some(SubjectKey::Damaged)]);
    for subject in subjects.clone() {
        store.perform(events.perform(Act::ForgetSubject { subject }), NOW).await.unwrap();
    }
    assert_eq!(keys().await, [Some(SubjectKey::Forgotten), Some(SubjectKey::Forgotten)]);
    assert_eq!(found(&path).await, []);
}
