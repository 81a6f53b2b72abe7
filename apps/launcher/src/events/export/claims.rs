//! The claims of an export. They are listed page by page while others append, so no list is of one moment. But when two lists that follow
//! upon each other are the same, it is what was held in between; and when they are not, both together have it, but for what was taken
//! and given up again in that time.

use std::{
    hash::{DefaultHasher, Hasher},
    io::{self, BufReader, BufWriter, Seek, Write},
    mem,
};

use serde_json::{Deserializer, StreamDeserializer, de::IoRead};
use tempfile::SpooledTempFile;
use umbel_core::{
    process_manager,
    store::{Claim, ClaimName, ListClaims},
};

use crate::{
    events::lines::ClaimLine,
    print::json_line,
    tool::{Done, PAGE, Stop, Tool},
};

/// Bytes of a list that are kept in memory; what goes beyond is put aside into a file that has no name.
const KEPT_BYTES: usize = 1 << 20;

/// A list of the claims that were held, in its order.
pub(super) struct Listing {
    lines: StreamDeserializer<'static, IoRead<BufReader<SpooledTempFile>>, ClaimLine>,
    next: Option<Claim>,
    /// Of all of it.
    hash: u64,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) claims: u64,
    /// How many of these changed in between: whether they were held at the last event is not known.
    pub(super) moved: u64,
}

impl Listing {
    /// Lists what is held now, without the claims of processes: what these belong to, their states, is not exported.
    pub(super) async fn of_now(tool: &Tool) -> Done<Self> {
        let aside = |error: io::Error| Stop::from(error).while_at(|| "putting claims aside".to_owned());
        let mut listing = Begun::new();
        let mut after = None;
        loop {
            let page = tool.store().list_claims(ListClaims { scope: None, after, limit: PAGE }).await?;
            let Some(last) = page.last() else { return listing.end().map_err(aside) };
            after = Some(last.name.clone());
            let of_apps = page.into_iter().filter(|claim| claim.name.scope != process_manager::COLLECTION);
            of_apps.into_iter().try_for_each(|claim| listing.add(claim)).map_err(aside)?;
        }
    }

    /// Whether both are the same.
    pub(super) const fn is(&self, other: &Self) -> bool {
        self.hash == other.hash
    }

    /// Writes what was held before or is held now; of a claim that has another owner now, the one that it has.
    pub(super) fn write_with(mut self, mut now: Self, out: &mut impl Write) -> io::Result<Written> {
        let mut written = Written::default();
        while let Some(claim) = now.advance()? {
            while let Some(gone) = self.next_if(|name| *name < claim.name)? {
                written.put(out, gone, true)?;
            }
            let before = self.next_if(|name| *name == claim.name)?;
            let moved = before.as_ref() != Some(&claim);
            written.put(out, claim, moved)?;
        }
        while let Some(gone) = self.advance()? {
            written.put(out, gone, true)?;
        }
        Ok(written)
    }

    /// The next one if it is like this.
    fn next_if(&mut self, wanted: impl FnOnce(&ClaimName) -> bool) -> io::Result<Option<Claim>> {
        if self.next.as_ref().is_some_and(|claim| wanted(&claim.name)) { self.advance() } else { Ok(None) }
    }

    fn advance(&mut self) -> io::Result<Option<Claim>> {
        let next = self.lines.next().transpose()?.map(|line| line.claim);
        Ok(mem::replace(&mut self.next, next))
    }
}

/// A list that is being put aside.
struct Begun {
    kept: BufWriter<SpooledTempFile>,
    hasher: DefaultHasher,
}

impl Begun {
    fn new() -> Self {
        Self { kept: BufWriter::new(tempfile::spooled_tempfile(KEPT_BYTES)), hasher: DefaultHasher::new() }
    }

    fn add(&mut self, claim: Claim) -> io::Result<()> {
        let line = json_line(&ClaimLine { claim })?;
        self.hasher.write(&line);
        self.kept.write_all(&line)
    }

    fn end(self) -> io::Result<Listing> {
        let mut kept = self.kept.into_inner().map_err(io::IntoInnerError::into_error)?;
        kept.rewind()?;
        let lines = Deserializer::from_reader(BufReader::new(kept)).into_iter();
        let mut listing = Listing { lines, next: None, hash: self.hasher.finish() };
        listing.advance()?;
        Ok(listing)
    }
}

impl Written {
    fn put(&mut self, out: &mut impl Write, claim: Claim, moved: bool) -> io::Result<()> {
        self.claims += 1;
        self.moved += u64::from(moved);
        out.write_all(&json_line(&ClaimLine { claim })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::lines::Beside;

    fn claims(text: &str) -> impl Iterator<Item = Claim> {
        text.split_whitespace().map(|text| {
            let (value, owner) = text.split_once(':').unwrap();
            Claim { name: ClaimName::new("test.name", value), owner: owner.to_owned() }
        })
    }

    fn listing(text: &str) -> Listing {
        let mut begun = Begun { kept: BufWriter::new(tempfile::spooled_tempfile(30)), ..Begun::new() };
        claims(text).for_each(|claim| begun.add(claim).unwrap());
        begun.end().unwrap()
    }

    /// OP-15: what is on either of two lists is written once, in order, and what is not on both alike is counted.
    #[test]
    fn what_is_held_on_either_side_is_written() {
        for (before, now, expected, moved) in [
            ("", "", "", 0),
            ("a:1 b:2 c:3", "a:1 b:2 c:3", "a:1 b:2 c:3", 0),
            ("", "a:1", "a:1", 1),
            ("a:1 d:4", "", "a:1 d:4", 2),
            ("a:1 c:3 e:5", "b:1 c:4 d:7", "a:1 b:1 c:4 d:7 e:5", 5),
            ("b:1", "a:1 b:1", "a:1 b:1", 1),
        ] {
            let (before, now, mut out) = (listing(before), listing(now), Vec::new());
            assert_eq!(before.is(&now), moved == 0);
            let written = before.write_with(now, &mut out).unwrap();
            let lines = out.split_inclusive(|byte| *byte == b'\n');
            let found: Vec<_> = lines
                .map(|line| match Beside::read(line) {
                    Some(Ok(Beside::Claim(claim))) => claim,
                    other => panic!("{other:?} is no claim"),
                })
                .collect();
            assert_eq!(found, claims(expected).collect::<Vec<_>>());
            assert_eq!(written, Written { claims: found.len() as u64, moved });
        }
    }
}
