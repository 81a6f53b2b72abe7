//! Uniqueness reservations.

use umbel_core::{
    ExpectedVersion::{Any, NoStream},
    store::{Append, AppendError, Claim, ClaimName, Claims, ListClaims},
};

use super::{Events, StoreUnderTest, read_log, stream};

fn names(values: &[&str]) -> Vec<ClaimName> {
    values.iter().map(|value| ClaimName::new("test.name", *value)).collect()
}

fn claims(owner: &str, take: &[&str], release: &[&str]) -> Claims {
    Claims { owner: owner.into(), take: names(take), release: names(release), from: None }
}

fn claim(owner: &str, take: &[&str], release: &[&str]) -> Append {
    Append { claims: claims(owner, take, release), ..Append::default() }
}

fn taken(value: &str, owner: &str) -> AppendError {
    AppendError::Claimed { claim: ClaimName::new("test.name", value), owner: owner.into() }
}

/// UX-05: a claim held by another owner is refused with scope, value and owner, and the events with it. Its
/// owner may take it again, and the same value in another scope is another claim.
pub async fn a_claim_has_one_owner<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let with_claim =
        |name: &str| Append { claims: claims(name, &["ada"], &[]), ..events.append(name, Any, 1) };
    store.append(with_claim("user-1")).await.unwrap();
    assert_eq!(store.append(with_claim("user-2")).await, Err(taken("ada", "user-1")));
    assert!(store.stream_info(stream("user-2")).await.is_err());
    store.append(with_claim("user-1")).await.unwrap();
    let mut other_scope = claim("user-2", &[], &[]);
    other_scope.claims.take = vec![ClaimName::new("test.email", "ada")];
    store.append(other_scope).await.unwrap();
    // Values are compared byte by byte.
    store.append(claim("user-2", &["Ada"], &[])).await.unwrap();
    assert_eq!(read_log(&store).await.len(), 2);
}

/// UX-05: given back, a claim is free for others from that commit on; giving back and taking at once keeps it.
pub async fn a_released_claim_is_free<S: StoreUnderTest>(store: S) {
    store.append(claim("one", &["x", "y"], &[])).await.unwrap();
    store.append(claim("one", &["z"], &["x"])).await.unwrap();
    store.append(claim("two", &["x"], &[])).await.unwrap();
    assert_eq!(store.append(claim("two", &["y"], &[])).await, Err(taken("y", "one")));
    assert_eq!(store.append(claim("one", &["x"], &[])).await, Err(taken("x", "two")));
    store.append(claim("two", &["x"], &["x"])).await.unwrap();
    assert_eq!(store.append(claim("one", &["x"], &[])).await, Err(taken("x", "two")));
}

/// UX-05: one claim refused refuses them all; CD-04: a failed append keeps no claim.
pub async fn claims_of_one_append_stand_or_fall_together<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    store.append(claim("one", &["x"], &[])).await.unwrap();
    assert_eq!(store.append(claim("two", &["free", "x"], &[])).await, Err(taken("x", "one")));
    store.append(claim("three", &["free"], &[])).await.unwrap();

    store.append(events.append("s", NoStream, 1)).await.unwrap();
    let failed = Append { claims: claims("s", &["wanted"], &[]), ..events.append("s", NoStream, 1) };
    assert!(matches!(store.append(failed).await, Err(AppendError::StreamExists { .. })));
    store.append(claim("two", &["wanted"], &[])).await.unwrap();
}

/// Given who must hold a claim, it passes from there to the owner, or is given up; else it is refused, and whoever is second
/// learns by whom it is held. So of several who saw the same holder one is let through.
pub async fn a_claim_passes_from_owner_to_owner<S: StoreUnderTest>(store: S) {
    let passes = |from: &str, mut append: Append| {
        append.claims.from = Some(from.into());
        append
    };
    let not_held = |value: &str, expected: &str| AppendError::NotHeld {
        claim: ClaimName::new("test.name", value),
        expected: expected.into(),
    };
    let early = store.append(passes("one", claim("two", &["x"], &[]))).await;
    assert_eq!(early, Err(not_held("x", "one")));
    store.append(claim("one", &["x"], &[])).await.unwrap();
    store.append(passes("one", claim("two", &["x"], &[]))).await.unwrap();
    assert_eq!(store.append(passes("one", claim("three", &["x"], &[]))).await, Err(taken("x", "two")));
    assert_eq!(store.append(passes("one", claim("two", &["x"], &[]))).await, Err(taken("x", "two")));
    store.append(passes("two", claim("two", &["x"], &[]))).await.unwrap();
    store.append(passes("two", claim("three", &[], &["x"]))).await.unwrap();
    assert_eq!(store.append(passes("two", claim("four", &[], &["x"]))).await, Err(not_held("x", "two")));
    store.append(claim("four", &["x"], &[])).await.unwrap();
}

/// UX-05: only its owner gives a claim back; giving back what nobody holds changes nothing.
pub async fn releasing_is_for_owners_only<S: StoreUnderTest>(store: S) {
    store.append(claim("one", &["x"], &[])).await.unwrap();
    assert_eq!(store.append(claim("two", &[], &["x"])).await, Err(taken("x", "one")));
    store.append(claim("two", &[], &["nobody's"])).await.unwrap();
    assert_eq!(store.append(claim("two", &["x"], &[])).await, Err(taken("x", "one")));
}

/// OP-14: claims are listed by scope and value, byte by byte, page by page, all or those of one scope; one that was given back is not,
/// and one that has passed on is its owner's.
pub async fn claims_are_listed_by_scope_and_value<S: StoreUnderTest>(store: S) {
    let by = |owner: &str, take: &[(&str, &str)]| {
        let take = take.iter().map(|(scope, value)| ClaimName::new(*scope, *value)).collect();
        Append { claims: Claims { owner: owner.into(), take, ..Claims::default() }, ..Append::default() }
    };
    let listed = async |scope: Option<&str>, limit: u32| {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = ListClaims { scope: scope.map(ToOwned::to_owned), after, limit };
            let page = store.ask(page).await.unwrap();
            assert!(page.len() <= limit.try_into().unwrap());
            let Some(last) = page.last() else { return all };
            after = Some(last.name.clone());
            all.extend(page.into_iter().map(|Claim { name, owner }| [name.scope, name.value, owner]));
        }
    };
    assert_eq!(listed(None, 1).await, [[""; 3]; 0]);
    store.append(by("two", &[("b", "z"), ("b", "ä"), ("b", ""), ("a-1", "x")])).await.unwrap();
    store.append(by("one", &[("B", "x"), ("b", "Z"), ("b", "y"), ("a", "x"), ("b", "gone")])).await.unwrap();
    let gone = Claims { release: vec![ClaimName::new("b", "gone")], ..by("one", &[]).claims };
    store.append(Append { claims: gone, ..Append::default() }).await.unwrap();
    let mut passed = by("three", &[("b", "y")]);
    passed.claims.from = Some("one".into());
    store.append(passed).await.unwrap();
    let of_b =
        [["b", "", "two"], ["b", "Z", "one"], ["b", "y", "three"], ["b", "z", "two"], ["b", "ä", "two"]];
    let others = [["B", "x", "one"], ["a", "x", "one"], ["a-1", "x", "two"]];
    for limit in [1, 2, 3, 100] {
        assert_eq!(listed(None, limit).await, [&others[..], &of_b].concat(), "by {limit}");
        assert_eq!(listed(Some("b"), limit).await, of_b, "by {limit}");
        assert_eq!(listed(Some("a"), limit).await, [["a", "x", "one"]], "by {limit}");
        assert_eq!(listed(Some("none"), limit).await, [[""; 3]; 0]);
    }
}
