//! Keys of subjects that were damaged: found when the store is verified, and no obstacle to forgetting whose they are.

use umbel_core::{
    Subject,
    store::{Act, Rule},
};
use umbel_testkit::conformance::Events;

use super::{
    support::{adapter, schema},
    upkeep::{archive, perform},
    verify::{damage, found},
};
use crate::{SubjectKey, Upkeep, conformance::sealed};

/// OP-29: given a subject's key that is another one, or none, when the store is verified, then that is found; and whoever wants the subject
/// forgotten gets it.
#[tokio::test]
async fn a_wrong_key_is_found_and_can_be_dropped() {
    let schema = schema();
    let (adapter, events) = (adapter(&schema).await, Events::default());
    sealed::fill(adapter.clone(), &events).await;
    perform(&adapter, archive(1)).await;
    assert_eq!(adapter.verify().await, Ok(vec![]));
    damage(&schema, "CREATE TABLE {}.aside AS SELECT * FROM {}.subject_keys").await;
    damage(&schema, "ALTER TABLE {}.subject_keys DROP CONSTRAINT subject_keys_key_check").await;
    for (sql, told) in [
        (
            r"UPDATE {}.subject_keys SET key = decode(repeat('07', 32), 'hex') WHERE subject = 'ada'",
            "at position 1 holds personal data of ada, which its key does not open: that is another one",
        ),
        (
            r"UPDATE {}.subject_keys SET key = decode(repeat('07', 32), 'hex') WHERE subject = 'bob'",
            "at position 2 holds personal data of bob, which its key does not open: that is another one",
        ),
        (
            r"UPDATE {}.subject_keys SET key = '\x01' WHERE subject = 'ada'",
            "holds personal data of ada, whose key has 1 bytes instead of 32",
        ),
    ] {
        damage(&schema, sql).await;
        let mut findings = found(&adapter, 1).await;
        // The constraint that had to go is missed, too.
        findings.retain(|finding| finding.rule != Rule::Schema);
        let [finding] = &findings[..] else { panic!("{sql}: {findings:#?}") };
        assert!(finding.rule == Rule::SubjectKeys && finding.what.contains(told), "{sql}: {finding:#?}");
        let mend = "DELETE FROM {}.subject_keys; INSERT INTO {}.subject_keys SELECT * FROM {}.aside";
        damage(&schema, mend).await;
    }
    damage(&schema, r"UPDATE {}.subject_keys SET key = '\x01'").await;
    let subjects = ["ada", "bob"].map(|name| Subject::new(name).unwrap());
    let keys = async || adapter.find_subject_keys(subjects.to_vec()).await.unwrap();
    assert_eq!(keys().await, [Some(SubjectKey::Damaged), Some(SubjectKey::Damaged)]);
    for subject in subjects.clone() {
        perform(&adapter, events.perform(Act::ForgetSubject { subject })).await;
    }
    assert_eq!(keys().await, [Some(SubjectKey::Forgotten), Some(SubjectKey::Forgotten)]);
}
