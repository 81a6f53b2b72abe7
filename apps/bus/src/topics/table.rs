//! The table of topics and subscribers: an immutable snapshot, and how one follows from another. Pure but for
//! the mailboxes that it names and does not touch.

use std::{
    any::TypeId,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    error::TopicError,
    log::LogTopic,
    mailbox::Mailbox,
    name::{Carried, check_name},
    pattern::Patterns,
    ring::Ring,
    subscription::SubscriberId,
};

/// All topics and subscribers at one moment. Replaced as a whole, so that publishers never wait.
#[derive(Clone, Default)]
pub(crate) struct Table {
    topics: HashMap<Arc<str>, Arc<Entry>>,
    /// Of these, those that kinds of notices name themselves.
    of_notices: HashMap<TypeId, Arc<Entry>>,
    /// In the order in which they first subscribed.
    members: Vec<Arc<Member>>,
}

/// One topic.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    /// What it carries; `None` as long as only the settings have named it: then it takes whatever comes.
    pub(crate) carried: Option<Carried>,
    /// Whether it is in the table of notices, too.
    of_notice: bool,
    /// What of the log is published on it; `None` when it is none of the log, so that anybody may publish.
    pub(crate) log: Option<Arc<LogTopic>>,
    /// To those who listen, if anybody ever did.
    pub(crate) ring: Option<Ring>,
    /// The subscribers whose patterns match, in the order in which they first subscribed.
    pub(crate) attached: Vec<Arc<Member>>,
    pub(crate) life: Life,
}

/// What a topic is registered as.
pub(crate) struct Registration {
    pub(crate) carried: Carried,
    pub(crate) of_notice: bool,
    pub(crate) log: Option<Arc<LogTopic>>,
}

/// Whether a topic is still there, seen from whatever was published on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life(Arc<AtomicBool>);

/// One subscriber with its present subscription.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: Arc<SubscriberId>,
    pub(crate) patterns: Patterns,
    /// Whether it gets topics of the log only, as it catches up with them.
    pub(crate) only_of_log: bool,
    pub(crate) lease: Duration,
    /// The same for all subscriptions of one subscriber, until it unsubscribes.
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Life {
    pub(crate) fn is_over(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn end(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Member {
    /// Whether its patterns match a topic that is none of the log, and it gets nothing of it.
    pub(crate) fn misses(&self, name: &str) -> bool {
        self.only_of_log && self.patterns.match_name(name)
    }
}

impl Entry {
    /// Whether it takes what is published as this.
    pub(crate) fn takes(&self, published: Carried) -> Result<(), Carried> {
        self.carried.filter(|carried| carried.type_id != published.type_id).map_or(Ok(()), Err)
    }
}

impl Table {
    /// A table with topics that carry whatever comes.
    pub(crate) fn with_names(names: &[String]) -> Self {
        let mut table = Self::default();
        for name in names {
            let name = Arc::<str>::from(name.as_str());
            let entry = table.fresh(&name);
            table.topics.insert(name, Arc::new(entry));
        }
        table
    }

    pub(crate) fn topic(&self, name: &str) -> Option<&Arc<Entry>> {
        self.topics.get(name)
    }

    /// The topic that this kind of notices names itself.
    pub(crate) fn topic_of_notice(&self, notice: TypeId) -> Option<&Arc<Entry>> {
        self.of_notices.get(&notice)
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.topics.values()
    }

    pub(crate) fn members(&self) -> &[Arc<Member>] {
        &self.members
    }

    pub(crate) fn member(&self, id: &SubscriberId) -> Option<&Arc<Member>> {
        self.members.iter().find(|member| *member.id == *id)
    }

    /// The table with this topic, attached to all whose patterns match it; `None` when it was there already
    /// as it shall be.
    pub(crate) fn with_topic(
        &self,
        name: &Arc<str>,
        Registration { carried, of_notice, log }: Registration,
        limit: usize,
    ) -> Result<Option<Self>, TopicError> {
        check_name(name)?;
        let known = self.topic(name);
        if let Some(carries) = known.and_then(|known| known.takes(carried).err()) {
            let (topic, carries, wanted) = (Arc::clone(name), carries.name, carried.name);
            return Err(TopicError::Carries { topic, carries, wanted });
        }
        if known.is_some_and(|known| known.carried.is_some() && known.log.is_none() && log.is_some()) {
            return Err(TopicError::NotOfTheLog { topic: Arc::clone(name) });
        }
        if known.is_some_and(|known| known.carried.is_some() && known.of_notice >= of_notice) {
            return Ok(None);
        }
        if known.is_none() && self.topics.len() >= limit {
            return Err(TopicError::TooManyTopics { limit });
        }
        let entry = known.map_or_else(|| self.fresh(name), |known| Entry::clone(known));
        let of_notice = of_notice || entry.of_notice;
        let log = entry.log.clone().or(log);
        let attached = self.matching(name, log.is_some());
        let mut table = self.clone();
        table.put(Entry { carried: Some(carried), of_notice, log, attached, ..entry });
        Ok(Some(table))
    }

    /// The table with a ring for those who listen to this topic, which is there.
    pub(crate) fn with_ring(&self, name: &str, ring: Ring) -> Self {
        let mut table = self.clone();
        if let Some(entry) = self.topic(name) {
            table.put(Entry { ring: Some(ring), ..Entry::clone(entry) });
        }
        table
    }

    /// The table without this topic.
    pub(crate) fn without_topic(&self, name: &str) -> Self {
        let mut table = self.clone();
        if let Some(entry) = table.topics.remove(name) {
            table.of_notices.retain(|_, known| known.name != entry.name);
        }
        table
    }

    /// The table with this subscriber in place of what it was before, attached to all topics that match.
    pub(crate) fn with_member(&self, member: Member, limit: usize) -> Result<Self, TopicError> {
        check_name(member.id.name())?;
        let known = self.members.iter().position(|known| known.id == member.id);
        if known.is_none() && self.members.len() >= limit {
            return Err(TopicError::TooManySubscribers { limit });
        }
        let mut table = self.clone();
        let member = Arc::new(member);
        match known.and_then(|at| table.members.get_mut(at)) {
            Some(place) => *place = member,
            None => table.members.push(member),
        }
        table.attach_all();
        Ok(table)
    }

    /// The table without this subscriber.
    pub(crate) fn without_member(&self, id: &SubscriberId) -> Self {
        let mut table = self.clone();
        table.members.retain(|member| *member.id != *id);
        table.attach_all();
        table
    }

    fn fresh(&self, name: &Arc<str>) -> Entry {
        Entry {
            name: Arc::clone(name),
            carried: None,
            of_notice: false,
            log: None,
            ring: None,
            attached: self.matching(name, false),
            life: Life::default(),
        }
    }

    fn matching(&self, name: &str, of_log: bool) -> Vec<Arc<Member>> {
        let wants =
            |member: &&Arc<Member>| member.patterns.match_name(name) && (of_log || !member.only_of_log);
        self.members.iter().filter(wants).cloned().collect()
    }

    fn attach_all(&mut self) {
        let entries: Vec<_> = self.topics.values().map(|entry| Entry::clone(entry)).collect();
        for entry in entries {
            let attached = self.matching(&entry.name, entry.log.is_some());
            self.put(Entry { attached, ..entry });
        }
    }

    fn put(&mut self, entry: Entry) {
        let entry = Arc::new(entry);
        if let Some(carried) = entry.carried.filter(|_| entry.of_notice) {
            self.of_notices.insert(carried.type_id, Arc::clone(&entry));
        }
        self.topics.insert(Arc::clone(&entry.name), entry);
    }
}
