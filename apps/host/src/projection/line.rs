//! One generation on its way along the log.

use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};

use futures_util::future::{join, maybe_done, poll_immediate};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use umbel_core::{
    Position, Projection, RecordedEvent,
    document::{Changes, Direction, DocumentWrite},
    projection::Verdict,
    store::{
        AllPage, Generation, LoadDocuments, Phase, ReadAll, SaveProjection, SaveProjectionError, SaveTables,
        Selector, StoreError, SwitchError, SwitchProjection,
    },
    tables::Sql,
};

use crate::inline::Rule;

use super::{
    follower::Follower,
    hook::Owed,
    list,
    page::{self, Poison, Trouble},
};

/// A checkpoint over events of others is saved at least every so many events.
const IDLE_CHECKPOINT_EVERY: u64 = 10_000;

/// A generation as this node follows it.
pub(super) struct Line<'a, P: Projection> {
    follower: &'a Follower<P>,
    /// The name its checkpoint is kept under.
    checkpoint: String,
    phase: Phase,
    /// Whether appends write its documents: then there is nothing to project, only to tell.
    joined: bool,
    /// The rule, where appends shall do so.
    rule: Option<Arc<Rule>>,
    /// Events up to here are replayed to it, and concern no hook.
    live_after: Position,
    /// The collections to empty before anything is projected, as what is in them nobody knows: no generation was there before.
    /// Nothing once that is done, or not needed.
    to_clear: Vec<String>,
    /// Up to here events are taken one by one: the changes of one of them have failed, and those before it need not
    /// wait for it.
    singly_to: Position,
    /// The page behind a position, read while what is before it was saved.
    ahead: Option<(Position, AllPage)>,
    /// Where the checkpoint stands in the store.
    saved: Position,
    /// Everything up to here is in the documents.
    reached: Position,
    /// Whether it serves, and has been at the end of the log.
    is_live: bool,
    /// The event that could not be projected last, by its position, and how often in a row.
    failed: (Position, u32),
    /// What the hook is still to be called for.
    owed: Owed,
}

/// How a round ended.
enum Round {
    /// There may be more to read right now.
    More,
    /// It has come to the end of the log.
    AtHead,
    /// It serves now, which is another plan.
    Switched,
    /// Appends do not write its documents any more, which is another plan.
    Left,
}

impl<'a, P: Projection> Line<'a, P> {
    pub(super) fn new(follower: &'a Follower<P>, generation: &Generation) -> Self {
        // One that is built beside another has names of its own.
        let rule = follower.rule.as_ref().filter(|rule| rule.is_for(generation)).map(Arc::clone);
        let joined = rule.is_some() && generation.joined;
        let is_first = generation.phase == Phase::Serving
            && generation.position == Position::START
            && !generation.joined;
        Self {
            joined,
            rule,
            follower,
            checkpoint: generation.checkpoint(),
            phase: generation.phase,
            live_after: generation.live_after,
            to_clear: if is_first { generation.collections.clone() } else { Vec::new() },
            singly_to: Position::START,
            ahead: None,
            saved: generation.position,
            reached: generation.position,
            is_live: false,
            failed: (Position::START, 0),
            owed: Owed::default(),
        }
    }

    /// Follows the log until told to stop, between two transactions, or until another plan is due. Failures are logged and tried
    /// again.
    pub(super) async fn follow(mut self, stop: watch::Receiver<bool>) {
        self.go_on(stop).await;
        self.follower.take_over(std::mem::take(&mut self.owed));
    }

    async fn go_on(&mut self, mut stop: watch::Receiver<bool>) {
        let mut head = self.follower.bus.head();
        let mut pause = self.follower.settings.store_retry_min();
        self.show();
        while !*stop.borrow() {
            head.borrow_and_update();
            let outcome = self.round().await;
            self.follower.troubles.tell(self.phase, outcome.as_ref().err().map(ToString::to_string));
            match outcome {
                Ok(Round::More) => pause = self.follower.settings.store_retry_min(),
                Ok(Round::AtHead) => {
                    self.is_live = self.phase == Phase::Serving;
                    pause = self.follower.settings.store_retry_min();
                    let woken = async {
                        tokio::select! {
                            _ = head.changed() => {}
                            _ = stop.changed() => {}
                        }
                    };
                    // Elapsed: another process may have appended.
                    drop(timeout(self.follower.settings.projection_poll(), woken).await);
                }
                Ok(Round::Left) => {
                    tracing::info!(projection = P::NAME, generation = self.checkpoint, reached = %self.reached,
                        "events were appended without its documents; it follows the log");
                    return;
                }
                Ok(Round::Switched) => {
                    tracing::info!(projection = P::NAME, generation = self.checkpoint, position = %self.saved,
                        "has caught up and serves readers now");
                    return;
                }
                Err(Trouble::Retired) => {
                    tracing::info!(projection = P::NAME, generation = self.checkpoint, "was retired");
                    return;
                }
                Err(trouble @ Trouble::Stopped { .. }) => {
                    tracing::error!(projection = P::NAME, generation = self.checkpoint, reached = %self.reached,
                        error = %trouble, "projection has stopped");
                    while !*stop.borrow() && stop.changed().await.is_ok() {}
                }
                Err(trouble) => pause = self.wait_after(&trouble, pause, &mut stop).await,
            }
        }
        if self.reached > self.saved && !self.joined {
            match self.save(Vec::new(), Vec::new(), self.reached).await {
                Ok(()) | Err(Trouble::Retired) => {}
                // Costs only that these events are looked at again.
                Err(error) => {
                    tracing::warn!(projection = P::NAME, %error, "checkpoint not saved while stopping");
                }
            }
        }
    }

    async fn wait_after(
        &self,
        trouble: &Trouble,
        pause: Duration,
        stop: &mut watch::Receiver<bool>,
    ) -> Duration {
        tracing::error!(projection = P::NAME, generation = self.checkpoint, reached = %self.reached, error = %trouble,
            retry_in_ms = pause.as_millis(), "projection is held up");
        tokio::select! {
            () = sleep(pause) => {}
            _ = stop.changed() => {}
        }
        self.follower.settings.store_retry_after(pause)
    }

    /// One page of the log.
    async fn round(&mut self) -> Result<Round, Trouble> {
        self.call_hook().await;
        let may_join = self.rule.is_some() && !self.joined && self.follower.may_join();
        let is_due = self.phase == Phase::Building || may_join;
        let round = match self.page().await {
            Ok(Round::AtHead) if is_due => self.switch().await,
            round => round,
        };
        self.call_hook().await;
        round
    }

    /// The next page, without telling anybody of it.
    async fn page(&mut self) -> Result<Round, Trouble> {
        if !self.to_clear.is_empty() {
            self.clear().await?;
        }
        let singly = self.reached < self.singly_to;
        let limit = if singly { 1 } else { self.follower.settings.projection_batch };
        let ahead = self.ahead.take().filter(|(after, _)| *after == self.reached && !singly);
        // Where the log ends by a page of before, it may have gone on since.
        let was_ahead = ahead.is_some();
        let mut page = match ahead {
            Some((_, page)) => page,
            None => self.read(self.request(self.reached, limit)).await?,
        };
        let page_end = page.scanned_to.max(self.reached);
        if self.joined {
            return self.pass(page, page_end).await;
        }
        let ahead = self.read(self.request(page_end, limit));
        // Not beside a hook, which may take its time, nor while an event holds this up.
        let is_free = self.follower.hook.is_none() && self.failed.0 <= self.reached;
        let goes_on = page_end < page.head && !singly && is_free;
        let mut reading = pin!(maybe_done(async move {
            // What fails is asked for again, in its turn.
            if goes_on { ahead.await.ok() } else { None }
        }));
        // Asked for before anything is made of this one.
        poll_immediate(reading.as_mut()).await;
        let (mut changes, poison) = page::changes::<P>(&page.events);
        let changes_nothing = changes.is_empty();
        let statements = changes.take_statements();
        // If it is alone, it is known whose the changes are.
        let alone = if limit == 1 { page.events.last().cloned() } else { None };
        // What comes before an event that cannot be projected is not held up by it.
        let scanned_to = poison.as_ref().map_or(page_end, Poison::before);
        // That one of its events led to nothing is awaited on other nodes, too.
        let passes = |event: &RecordedEvent| (self.saved.next()..=scanned_to).contains(&event.position);
        let is_idle = changes_nothing && !page.events.iter().any(passes);
        let is_hooked = self.follower.hook.is_some();
        page.events
            .retain(|event| is_hooked && (self.live_after.next()..=scanned_to).contains(&event.position));
        let live = page.events;
        let taking = async {
            if !is_idle || !live.is_empty() {
                let writes = self.load_and_apply(changes).await?;
                self.owed.claim(self.follower, live).await?;
                self.save(writes, statements, scanned_to).await
            } else if scanned_to.get() - self.saved.get() >= IDLE_CHECKPOINT_EVERY {
                self.save(Vec::new(), Vec::new(), scanned_to).await
            } else {
                self.reached = scanned_to;
                Ok(())
            }
        };
        let (taken, ()) = join(taking, reading.as_mut()).await;
        match taken {
            Err(trouble) if trouble.is_of_changes() => {
                let Some(event) = alone else {
                    self.singly_to = scanned_to;
                    return Ok(Round::More);
                };
                return self.fail(&Poison { event, reason: trouble.to_string() });
            }
            taken => taken?,
        }
        self.show();
        let next = reading.as_mut().take_output().flatten();
        self.ahead = next.filter(|_| self.reached == page_end).map(|page| (page_end, page));
        match poison {
            // Another node has moved the checkpoint, and not so far.
            Some(poison) if self.reached < poison.before() => Ok(Round::More),
            Some(poison) => self.fail(&poison),
            None if page_end < page.head || was_ahead => Ok(Round::More),
            None => Ok(Round::AtHead),
        }
    }

    /// A page of the log. What is built anew has nothing of what was removed before, whoever has removed it: until it serves and has come to
    /// the end of the log, the store is asked.
    fn read(&self, request: ReadAll) -> impl Future<Output = Result<AllPage, StoreError>> + use<P> {
        let (store, is_live) = (self.follower.store.clone(), self.is_live);
        async move { if is_live { store.read_all(request).await } else { store.read_all_stored(request).await } }
    }

    /// What is asked for behind a position.
    fn request(&self, after: Position, limit: u32) -> ReadAll {
        ReadAll {
            from: Some(after.next()),
            direction: Direction::Forward,
            limit,
            selector: Selector { names: Some(Arc::clone(&self.follower.names)), ..Selector::all() },
        }
    }

    /// A page whose events have written their documents themselves: unless somebody appended without doing so.
    async fn pass(&mut self, page: AllPage, page_end: Position) -> Result<Round, Trouble> {
        if !page.events.is_empty() && !self.is_still_joined().await? {
            return Ok(Round::Left);
        }
        self.reached = page_end;
        if page_end.get().saturating_sub(self.saved.get()) >= IDLE_CHECKPOINT_EVERY {
            // Whoever appends moves it, too.
            self.save(Vec::new(), Vec::new(), page_end).await?;
            self.reached = page_end;
        }
        self.show();
        Ok(if page_end < page.head { Round::More } else { Round::AtHead })
    }

    async fn is_still_joined(&mut self) -> Result<bool, Trouble> {
        let kept = list::<P>(&self.follower.store).await?;
        let own = kept.iter().find(|one| one.checkpoint() == self.checkpoint);
        self.saved = own.map_or(self.saved, |own| own.position);
        Ok(own.is_some_and(|own| own.joined))
    }

    /// For what is committed by now.
    async fn call_hook(&mut self) {
        self.owed.call(self.follower, self.saved).await;
        if self.phase == Phase::Serving {
            self.follower.call_for_left(self.saved).await;
        }
    }

    /// The event behind what was reached cannot be projected: it holds this up, or is passed over.
    fn fail(&mut self, poison: &Poison) -> Result<Round, Trouble> {
        let Poison { event, reason } = poison;
        let position = event.position;
        let attempts = if self.failed.0 == position { self.failed.1.saturating_add(1) } else { 1 };
        self.failed = (position, attempts);
        match page::judge::<P>(poison, attempts) {
            Verdict::Retry => Err(Trouble::Event { position, reason: reason.clone() }),
            Verdict::Stop => Err(Trouble::Stopped { position, reason: reason.clone() }),
            Verdict::Skip => {
                tracing::error!(projection = P::NAME, generation = self.checkpoint, %position, error = reason,
                    "an event that cannot be projected is skipped");
                self.reached = position;
                self.show();
                Ok(Round::More)
            }
        }
    }

    /// Those who wait for visibility wait for what readers get.
    fn show(&self) {
        if self.phase != Phase::Serving {
            return;
        }
        match &self.rule {
            // Whoever appends knows sooner.
            Some(rule) if self.joined => rule.shows(self.reached),
            _ => drop(self.follower.progress.send_replace(self.reached)),
        }
    }

    /// It has caught up: from now on readers get its documents, unless those that they get have come further meanwhile. Where appends shall
    /// write them, they do so from now on, too, if others do not append in between: those of this process wait, so that what they append
    /// does not come in between for ever.
    async fn switch(&mut self) -> Result<Round, Trouble> {
        let _quiet = match &self.rule {
            Some(rule) => {
                let quiet = rule.quiet().await;
                match self.page().await? {
                    Round::AtHead => {}
                    round => return Ok(round),
                }
                Some(quiet)
            }
            None => None,
        };
        if self.reached > self.saved {
            self.save(Vec::new(), Vec::new(), self.reached).await?;
        }
        let request = SwitchProjection { checkpoint: self.checkpoint.clone(), expected: self.saved };
        match self.follower.store.switch_projection(request).await {
            Ok(()) => {
                self.follower.has_tried_to_join();
                Ok(Round::Switched)
            }
            // Others append as fast as this follows. It is kept up to date all the same, so those of this process shall not wait for it
            // again and again.
            Err(SwitchError::Behind { .. }) if self.phase == Phase::Serving => {
                self.follower.has_tried_to_join();
                Ok(Round::More)
            }
            Err(SwitchError::Behind { .. }) => Ok(Round::More),
            Err(SwitchError::CheckpointMoved { actual }) => {
                (self.saved, self.reached) = (actual, actual);
                Ok(Round::More)
            }
            Err(SwitchError::Retired) => Err(Trouble::Retired),
            Err(SwitchError::Store(error)) => Err(error.into()),
        }
    }

    async fn load_and_apply(&self, changes: Changes) -> Result<Vec<DocumentWrite>, Trouble> {
        let keys = changes.keys_to_load();
        if keys.is_empty() {
            return page::apply(changes, BTreeMap::new());
        }
        let request = LoadDocuments { checkpoint: self.checkpoint.clone(), keys: keys.clone() };
        let bodies = self.follower.store.load_documents(request).await?;
        let loaded: BTreeMap<_, _> =
            keys.into_iter().zip(bodies).filter_map(|(key, body)| Some((key, body?))).collect();
        page::apply(changes, loaded)
    }

    /// Removes what is in its collections, unless another node has begun already: the documents are of this generation.
    async fn clear(&mut self) -> Result<(), Trouble> {
        let request = SaveProjection {
            projection: self.checkpoint.clone(),
            expected: Position::START,
            position: Position::START,
            clear: self.to_clear.clone(),
            writes: Vec::new(),
        };
        self.commit(request, Vec::new()).await?;
        self.to_clear.clear();
        Ok(())
    }

    /// Commits documents, rows of tables and checkpoint. When another node was faster, its place becomes ours.
    async fn save(
        &mut self,
        writes: Vec<DocumentWrite>,
        statements: Vec<Sql>,
        position: Position,
    ) -> Result<(), Trouble> {
        let (projection, expected) = (self.checkpoint.clone(), self.saved);
        let request = SaveProjection { projection, expected, position, clear: Vec::new(), writes };
        self.commit(request, statements).await
    }

    async fn commit(&mut self, save: SaveProjection, statements: Vec<Sql>) -> Result<(), Trouble> {
        let (store, position) = (&self.follower.store, save.position);
        let saved = if statements.is_empty() {
            store.save_projection(save).await
        } else {
            store.save_tables(SaveTables { save, statements }).await
        };
        let stands = match saved {
            Ok(()) => position,
            Err(SaveProjectionError::Tables(error)) => return Err(Trouble::Tables(error)),
            Err(SaveProjectionError::CheckpointMoved { actual }) => actual,
            Err(SaveProjectionError::Retired) => return Err(Trouble::Retired),
            Err(SaveProjectionError::Store(error)) => {
                // The outcome may be unknown: look where the checkpoint stands before the next round.
                self.saved = self.follower.store.load_checkpoint(&self.checkpoint).await?;
                self.reached = self.saved;
                return Err(error.into());
            }
        };
        self.saved = stands;
        self.reached = stands;
        Ok(())
    }
}
