//! What this process has in hand, and what it remembers of what it had.
//!
//! A channel that dies takes its deliveries back: RabbitMQ gives them to somebody, often to the same
//! process. Handlers that were at work then go on, and what they answer is for the new delivery. What was
//! not begun keeps waiting with the new one. So an outage costs no work twice where it can be helped, and
//! nobody is taken for a killer of processes who only had a bad connection.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use lapin::options::{BasicAckOptions, BasicNackOptions};
use lapin::{Acker, BasicProperties, Channel};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::counts::Counted;
use crate::Timestamp;
use crate::verdict::Verdict;

/// How many are remembered: more than are ever in hand at once.
const REMEMBERED: usize = 16_384;

/// Acknowledgements are written and not answered. Those of the last while before a channel was lost may not have been
/// heard: a broker that was killed, or frozen for two heartbeats, gives such messages out again, as new ones.
const UNHEARD: Duration = Duration::from_mins(1);
/// For so long a message that comes again is taken for one of these. Later it is one that somebody published anew.
const AGAIN: Duration = Duration::from_hours(1);

/// A message as it came.
#[derive(Debug)]
pub(super) struct Original {
    pub(super) properties: BasicProperties,
    pub(super) body: Vec<u8>,
}

/// Which message, and which of its copies: what is remembered of an original must not be taken for true of its
/// copy, or the last one would be lost where the broker had heard an acknowledgement after all. The same goes for
/// what an outbox hands over once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Which {
    pub(super) id: Uuid,
    pub(super) copies: i64,
    pub(super) again_at: i64,
    /// The SHA-256 of its body, if it came without an id. Each delivery of it is given another.
    pub(super) body: Option<[u8; 32]>,
}

/// One delivery on one channel.
pub(super) struct Tag {
    acker: Acker,
    /// The channel stays open for as long as something that came by it is in hand.
    _channel: Channel,
    _counted: Counted,
    _in_hand: Option<Arc<()>>,
}

impl Tag {
    pub(super) fn new(acker: Acker, channel: Channel, counted: Counted, in_hand: Option<Arc<()>>) -> Self {
        Self {
            acker,
            _channel: channel,
            _counted: counted,
            _in_hand: in_hand,
        }
    }

    /// Acknowledges; false if the broker has taken the delivery back.
    pub(super) async fn ack(&self) -> bool {
        // An error tells that the channel ended meanwhile, a false one that it had ended before.
        self.acker.ack(BasicAckOptions::default()).await.unwrap_or(false)
    }

    /// Gives it back at its old place.
    pub(super) async fn give_back(&self) -> bool {
        let options = BasicNackOptions {
            multiple: false,
            requeue: true,
        };
        self.acker.nack(options).await.unwrap_or(false)
    }

    pub(super) fn alive(&self) -> bool {
        self.acker.usable()
    }
}

/// Nothing: it was settled.
type Grip = Option<Tag>;

/// A message in hand. Its delivery may be replaced by a newer one of the same message.
pub(super) struct Slot {
    pub(super) id: Uuid,
    which: Which,
    pub(super) original: Arc<Original>,
    grip: Mutex<Grip>,
    pub(super) lost: CancellationToken,
    hands: Arc<Hands>,
}

impl Slot {
    fn grip(&self) -> MutexGuard<'_, Grip> {
        self.grip.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is still this process's.
    pub(super) fn alive(&self) -> bool {
        !self.hands.gone.is_cancelled() && self.grip().as_ref().is_some_and(Tag::alive)
    }

    /// Lets go of it, to settle it; nothing if the broker has taken it back, or it was settled.
    pub(super) fn take(&self) -> Option<Tag> {
        if !self.alive() {
            return None;
        }
        self.grip().take()
    }

    /// Whether the broker has taken the delivery back, and nobody has settled it.
    fn is_lost(&self) -> bool {
        self.grip().as_ref().is_some_and(|tag| !tag.alive())
    }

    /// Takes a newer delivery instead of a lost one; gives it back if there is no need of it.
    fn renew(&self, newer: Tag) -> Option<Tag> {
        let mut grip = self.grip();
        if grip.as_ref().is_some_and(|tag| !tag.alive()) {
            *grip = Some(newer);
            None
        } else {
            Some(newer)
        }
    }

    /// What is to become of the message when the broker delivers it again.
    pub(super) fn remember(&self, fate: Fate) {
        *self.grip() = None;
        self.hands.remember(self.which, fate);
    }
}

/// What was taken back and never begun.
impl Drop for Slot {
    fn drop(&mut self) {
        if self.is_lost() {
            self.hands.remember(self.which, Fate::Innocent);
        } else {
            self.hands.let_go(&self.which);
        }
    }
}

/// What is known of a message that is delivered again.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fate {
    /// This process had it, and lives.
    Innocent,
    /// Its handling ended, and the broker could not be told.
    Decided(Verdict),
    /// All about it is written, and the broker could not be told. What was written need not be that it is done: nothing is
    /// written again.
    Over,
    /// The same, and it was acknowledged on a channel that was lost soon after: the broker may have heard.
    Unheard,
}

/// What to do with a message that may have been here before.
pub(super) enum Again {
    /// Nothing: whoever has it in hand goes on with the new delivery.
    Renewed,
    /// It was here before.
    Known(Tag, Fate),
    /// Somebody else had it, or a process that is dead.
    Stranger(Tag),
}

#[derive(Default)]
struct Inner {
    held: HashMap<Which, Weak<Slot>>,
    known: HashMap<Which, Fate>,
    order: VecDeque<Which>,
    told: HashMap<Which, Told>,
    told_order: VecDeque<(Timestamp, Which)>,
    /// Those without an id of their own that are in one of the maps, or were until a moment ago.
    nameless: HashMap<[u8; 32], Vec<Which>>,
}

/// An acknowledgement that was written.
struct Told {
    at: Timestamp,
    /// Its channel is gone.
    lost: CancellationToken,
}

/// The hands of one consumer.
pub(super) struct Hands {
    inner: Mutex<Inner>,
    /// The consumer is gone, as if its process had died.
    gone: CancellationToken,
}

impl Hands {
    pub(super) fn new(gone: CancellationToken) -> Self {
        Self {
            inner: Mutex::default(),
            gone,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message into hand.
    pub(super) fn take(
        self: &Arc<Self>,
        which: Which,
        original: Arc<Original>,
        tag: Tag,
        lost: CancellationToken,
    ) -> Arc<Slot> {
        let slot = Arc::new(Slot {
            id: which.id,
            which,
            original,
            grip: Mutex::new(Some(tag)),
            lost,
            hands: Arc::clone(self),
        });
        let mut inner = self.inner();
        if inner.held.len() >= REMEMBERED {
            inner.held.retain(|_, slot| slot.strong_count() > 0);
        }
        inner.held.insert(which, Arc::downgrade(&slot));
        if let Some(body) = which.body {
            let same = inner.nameless.entry(body).or_default();
            if !same.contains(&which) {
                same.push(which);
            }
        }
        slot
    }

    /// The message with this body and no id that was here on a channel that is lost, if there was one. The broker does not
    /// say: after it was killed it calls new what it gives out again.
    pub(super) fn nameless(&self, body: &[u8; 32], now: Timestamp) -> Option<Which> {
        let candidates = self.inner().nameless.get(body)?.clone();
        candidates.into_iter().find(|which| {
            // Upgraded outside the lock: should it be the last, its end locks as well.
            let held = self.inner().held.get(which).and_then(Weak::upgrade);
            if let Some(slot) = held {
                return slot.is_lost();
            }
            let inner = self.inner();
            inner.known.contains_key(which) || inner.is_unheard(which, now)
        })
    }

    /// A message that may have been here before.
    pub(super) fn again(&self, which: Which, tag: Tag, now: Timestamp) -> Again {
        // Upgraded outside the lock: should it be the last, its end locks as well.
        let held = self.inner().held.get(&which).and_then(Weak::upgrade);
        let tag = match held {
            Some(slot) => match slot.renew(tag) {
                None => return Again::Renewed,
                Some(tag) => tag,
            },
            None => tag,
        };
        let mut inner = self.inner();
        let fate = inner
            .known
            .remove(&which)
            .or_else(|| inner.was_told(which, now).then_some(Fate::Unheard));
        match fate {
            Some(fate) => Again::Known(tag, fate),
            None => Again::Stranger(tag),
        }
    }

    fn remember(&self, which: Which, fate: Fate) {
        let mut inner = self.inner();
        inner.held.remove(&which);
        if inner.known.insert(which, fate).is_none() {
            inner.order.push_back(which);
        }
        while inner.order.len() > REMEMBERED {
            if let Some(oldest) = inner.order.pop_front() {
                inner.known.remove(&oldest);
                inner.forget_body(&oldest);
            }
        }
    }

    /// A message left the hand. What is still to be known of it is in the other maps.
    fn let_go(&self, which: &Which) {
        if which.body.is_some() {
            let mut inner = self.inner();
            if !inner.known.contains_key(which) && !inner.told.contains_key(which) {
                inner.forget_body(which);
            }
        }
    }

    /// Lets go of everything, as the channels are closed: whoever still holds a part of a delivery holds nothing.
    pub(super) fn close(&self) {
        let held: Vec<_> = self.inner().held.drain().map(|(_, slot)| slot).collect();
        for slot in held.iter().filter_map(Weak::upgrade) {
            *slot.grip() = None;
        }
    }

    /// A message was acknowledged. The broker may not hear of it.
    pub(super) fn told(&self, slot: &Slot, now: Timestamp) {
        let mut inner = self.inner();
        inner.held.remove(&slot.which);
        while inner.told_order.len() >= REMEMBERED || inner.oldest_was_heard(now) {
            inner.drop_oldest_told();
        }
        inner.told_order.push_back((now, slot.which));
        let lost = slot.lost.clone();
        inner.told.insert(slot.which, Told { at: now, lost });
    }

    /// A channel is about to be given up for lost: what was acknowledged long before has been heard.
    pub(super) fn sift(&self, now: Timestamp) {
        let mut inner = self.inner();
        while inner
            .told_order
            .front()
            .is_some_and(|(at, _)| *at + UNHEARD < now)
        {
            inner.drop_oldest_told();
        }
    }
}

impl Inner {
    fn drop_oldest_told(&mut self) {
        if let Some((at, which)) = self.told_order.pop_front()
            && self.told.get(&which).is_some_and(|told| told.at == at)
        {
            self.told.remove(&which);
            self.forget_body(&which);
        }
    }

    /// Whether the oldest acknowledgement was heard by now, or is as good as forgotten.
    fn oldest_was_heard(&self, now: Timestamp) -> bool {
        self.told_order.front().is_some_and(|(at, which)| {
            let told = self.told.get(which).filter(|told| told.at == *at);
            *at + UNHEARD < now && told.is_none_or(|told| !told.lost.is_cancelled() || *at + AGAIN < now)
        })
    }

    /// Whether the message was acknowledged on a channel that was lost soon after.
    fn is_unheard(&self, which: &Which, now: Timestamp) -> bool {
        let told = self.told.get(which);
        told.is_some_and(|told| told.lost.is_cancelled() && now < told.at + AGAIN)
    }

    /// The same, and not once more.
    fn was_told(&mut self, which: Which, now: Timestamp) -> bool {
        let unheard = self.is_unheard(&which, now);
        if unheard {
            self.told.remove(&which);
        }
        unheard
    }

    /// A message without an id is in none of the maps any more.
    fn forget_body(&mut self, which: &Which) {
        if let Some(body) = which.body
            && let Some(same) = self.nameless.get_mut(&body)
        {
            same.retain(|other| other != which);
            if same.is_empty() {
                self.nameless.remove(&body);
            }
        }
    }
}
