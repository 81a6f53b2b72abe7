//! Claims: at every position at most one owner.
//!
//! Appends with events have their place in the log, so the owners of a claim follow from position to position. An append
//! that only takes or gives back has no position: it may have taken effect anywhere between its sending and its
//! answer, and widens what is possible there. So what is reported is certain; what only such appends do
//! to each other may pass unseen.

use std::collections::{BTreeMap, BTreeSet};

use umbel_core::store::ClaimName;

use super::{
    Broken, Rule,
    attempt::{Outcome, Refusal, TriedClaims},
    evidence::{Case, Evidence, Place},
};

/// Owners that are possible; `None` is nobody.
type Owners<'a> = BTreeSet<Option<&'a str>>;

/// A time in which no append with a place changed the claim.
struct Span<'a> {
    /// The append before it, which did.
    after: Option<&'a Case<'a>>,
    /// From this position.
    from: u64,
    /// Up to before this one.
    until: u64,
    owners: Owners<'a>,
}

pub(super) fn check(evidence: &Evidence<'_>, broken: &mut Vec<Broken>) {
    let mut claims: BTreeMap<&ClaimName, Vec<&Case<'_>>> = BTreeMap::new();
    for case in &evidence.cases {
        let TriedClaims { take, release, .. } = &case.attempt.tried.claims;
        for claim in take.iter().chain(release).collect::<BTreeSet<_>>() {
            claims.entry(claim).or_default().push(case);
        }
    }
    for (claim, cases) in claims {
        let spans = follow(claim, &cases, broken);
        for case in cases {
            if let Outcome::Refused(Refusal::Claimed { claim: refused, owner }) = &case.attempt.outcome
                && refused == claim
            {
                let other = *owner != case.attempt.tried.claims.owner;
                let held = |span: &Span<'_>| case.meets(span) && span.owners.contains(&Some(owner.as_str()));
                if !other || !spans.iter().any(held) {
                    broken.push(case.breaks(Rule::Refusal, format!("{claim} was not {owner}'s then")));
                }
            }
        }
    }
}

/// Goes through all that happened to a claim, in the order of the log.
fn follow<'a>(claim: &ClaimName, cases: &[&'a Case<'a>], broken: &mut Vec<Broken>) -> Vec<Span<'a>> {
    let mut placed: Vec<_> = { cases.iter() }
        .filter(|case| case.is_stored())
        .filter_map(|case| Some((case.span()?.0, *case)))
        .collect();
    placed.sort_by_key(|(first, _)| *first);
    // The same append sent again.
    placed.dedup_by_key(|(first, _)| *first);
    let without_place = |case: &&&Case<'_>| case.may_have_stored && matches!(case.place, Place::NoEvents);
    let floating: Vec<_> = cases.iter().filter(without_place).copied().collect();

    let mut spans = vec![Span { after: None, from: 0, until: u64::MAX, owners: Owners::from([None]) }];
    for (position, case) in placed {
        if let Some(span) = spans.last_mut() {
            span.until = position;
            span.widen(claim, &floating);
            if !span.lets(case) {
                let since =
                    span.after.map_or_else(|| "the beginning".into(), |case| case.attempt.to_string());
                let what = format!("it touched {claim}, which was {:?}'s since {since}", span.owners);
                broken.push(case.breaks(Rule::Claim, what));
            }
        }
        let owner = case.attempt.tried.claims.owner_after(claim).flatten();
        spans.push(Span {
            after: Some(case),
            from: position,
            until: u64::MAX,
            owners: Owners::from([owner]),
        });
    }
    if let Some(span) = spans.last_mut() {
        span.widen(claim, &floating);
    }
    for case in floating.into_iter().filter(|case| matches!(case.attempt.outcome, Outcome::Stored { .. })) {
        if !spans.iter().any(|span| case.meets(span) && span.lets(case)) {
            broken.push(case.breaks(Rule::Claim, format!("{claim} was another's all that time")));
        }
    }
    spans
}

impl<'a> Span<'a> {
    /// Adds the owners that appends without a place may have led to.
    fn widen(&mut self, claim: &ClaimName, floating: &[&'a Case<'a>]) {
        let meeting: Vec<_> = floating.iter().filter(|case| case.meets(self)).collect();
        let mut before = 0;
        while before < self.owners.len() {
            before = self.owners.len();
            for case in &meeting {
                if self.lets(case) {
                    self.owners.extend(case.attempt.tried.claims.owner_after(claim));
                }
            }
        }
    }

    /// Whether nobody else need have held the claim.
    fn lets(&self, case: &Case<'_>) -> bool {
        let owner = case.attempt.tried.claims.owner.as_str();
        self.owners.contains(&None) || self.owners.contains(&Some(owner))
    }
}

impl Case<'_> {
    /// Whether it may have been decided in this time.
    fn meets(&self, span: &Span<'_>) -> bool {
        self.after < span.until && self.before > span.from
    }
}
