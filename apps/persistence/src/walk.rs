//! Verifying step by step, as far as it is the same for every store: where a check stands, what it may still tell, and whether what is
//! missing was removed.

/// One check on its way through what grows with the log, in the order of an index: each step looks at what is behind where the one before
/// ended.
#[derive(Debug)]
pub(crate) struct Walk {
    after: String,
    /// What the step before has seen and the next one must know.
    seen: String,
    found: Vec<String>,
    room: usize,
    more: bool,
}

/// Positions that hold nothing, from the one to the other.
pub(crate) type Gap = (i64, i64);

/// So many gaps are told at most.
pub(crate) const GAPS_MAX: usize = 20;

/// How many positions hold no event, where that is not what was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    head: i64,
    missing: i64,
    removed: i64,
}

/// What was removed for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) events: i64,
    pub(crate) versions: i64,
}

impl Walk {
    /// Begins behind this place, and tells of so much at most.
    pub(crate) fn new(start: &str, room: usize) -> Self {
        Self { after: start.to_owned(), seen: "{}".to_owned(), found: Vec::new(), room, more: true }
    }

    /// Whether there may be more to tell.
    pub(crate) fn goes_on(&self) -> bool {
        self.more && self.found.len() < self.room
    }

    /// Where the next step begins.
    pub(crate) fn after(&self) -> &str {
        &self.after
    }

    pub(crate) fn seen(&self) -> &str {
        &self.seen
    }

    /// How much may still be told.
    pub(crate) fn left(&self) -> i64 {
        i64::try_from(self.room.saturating_sub(self.found.len())).unwrap_or(i64::MAX)
    }

    /// Where the next step ends: at what comes next, or, when nothing does, behind everything, where steps carry something, which is
    /// only known whole there. `None`: there is no further step.
    pub(crate) fn upto(&mut self, next: Option<String>, end: Option<&str>) -> Option<String> {
        self.more = next.is_some();
        next.or_else(|| end.map(str::to_owned))
    }

    /// A step has come to where it ends, and found something there.
    pub(crate) fn came(&mut self, upto: String, found: impl IntoIterator<Item = String>) {
        self.after = upto;
        self.found.extend(found);
        self.found.truncate(self.room);
    }

    /// The next step must know this.
    pub(crate) fn carry(&mut self, seen: Option<String>) {
        self.seen = seen.unwrap_or_else(|| "{}".to_owned());
    }

    pub(crate) fn found(self) -> Vec<String> {
        self.found
    }
}

impl Removed {
    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            events: self.events.saturating_add(other.events),
            versions: self.versions.saturating_add(other.versions),
        }
    }

    /// What is wrong when so many of the positions up to the head hold no event, with what was removed before the head was read and
    /// after all were counted. Counting takes many steps, and what is removed during them may be counted or not: so as many may be
    /// missing as before or after, or between these.
    pub(crate) fn against(self, after: Self, head: i64, missing: i64) -> Option<Missing> {
        let removed = after.events;
        let wrong = !(self.events..=removed).contains(&missing);
        wrong.then_some(Missing { head, missing, removed })
    }
}

impl Missing {
    /// Whether some are missing that were not removed.
    pub(crate) const fn is_more(self) -> bool {
        self.missing > self.removed
    }

    /// All of it in one finding, with the gaps, which come in order. The audit tells how many events were removed and not which, so what may
    /// be missing cannot be told from what must not, but by its stream.
    pub(crate) fn told(self, gaps: &[Gap]) -> String {
        let Self { head, missing, removed } = self;
        let place = |(first, last): &Gap| {
            if first == last { first.to_string() } else { format!("{first} to {last}") }
        };
        let places: Vec<_> = gaps.iter().take(GAPS_MAX).map(place).collect();
        let more = if gaps.len() > GAPS_MAX { ", and further on" } else { "" };
        let wrong = format!("up to position {head}, {missing} are missing and {removed} were removed");
        if places.is_empty() || !self.is_more() {
            return wrong;
        }
        let nothing = format!("nothing is at {}{more}", places.join(", "));
        if removed == 0 {
            return format!("{wrong}: {nothing}");
        }
        format!(
            "{wrong}, so {} more than may be; {nothing}, of which any may be what was removed: the findings of versions name streams that \
             lack events",
            missing - removed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_ends_behind_everything_or_when_it_has_told_enough() {
        let mut walk = Walk::new("0", 3);
        let mut steps = vec![Some("2".to_owned()), Some("4".to_owned()), None].into_iter();
        let mut ends = Vec::new();
        while walk.goes_on() {
            let Some(upto) = walk.upto(steps.next().flatten(), Some("end")) else { break };
            ends.push((walk.after().to_owned(), upto.clone(), walk.left()));
            walk.came(upto, [format!("step {}", ends.len())]);
        }
        let end = |after: &str, upto: &str, left| (after.to_owned(), upto.to_owned(), left);
        assert_eq!(ends, [end("0", "2", 3), end("2", "4", 2), end("4", "end", 1)]);
        assert_eq!(walk.found(), ["step 1", "step 2", "step 3"]);

        let mut walk = Walk::new("0", 1);
        assert_eq!(walk.upto(None, None), None);
        walk.came("1".to_owned(), ["one".to_owned(), "two".to_owned()]);
        assert!(!walk.goes_on());
        assert_eq!(walk.found(), ["one"]);
    }

    #[test]
    fn what_is_removed_while_it_is_counted_is_no_damage() {
        let removed = |events| Removed { events, versions: events };
        for missing in [3, 4, 5] {
            assert_eq!(removed(3).against(removed(5), 9, missing), None);
        }
        assert!(removed(3).against(removed(5), 9, 2).is_some());
        let told = removed(3).against(removed(3), 9, 4).map(|missing| missing.told(&[]));
        assert_eq!(told.as_deref(), Some("up to position 9, 4 are missing and 3 were removed"));
    }

    #[test]
    fn gaps_are_told_in_order_and_beside_how_many_may_be() {
        let missing = |missing, removed| Missing { head: 99, missing, removed };
        let gaps = [(2, 2), (10, 12)];
        assert_eq!(
            missing(4, 0).told(&gaps),
            "up to position 99, 4 are missing and 0 were removed: nothing is at 2, 10 to 12"
        );
        let told = missing(4, 3).told(&gaps);
        assert!(told.contains("so 1 more than may be; nothing is at 2, 10 to 12, of which any"), "{told}");
        assert!(told.contains("the findings of versions"), "{told}");
        assert!(!missing(4, 5).told(&gaps).contains("nothing is at"));
        let many: Vec<_> = (1..30).map(|at| (2 * at, 2 * at)).collect();
        assert!(missing(29, 0).told(&many).ends_with(" 38, 40, and further on"));
    }
}
