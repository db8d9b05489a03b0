//! A set of keys with their ends, in as little memory as it takes: 16 bytes and some room for each.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Parts with a lock each: a part is rebuilt in a moment, and nobody waits for more than the exchange of two pointers.
const PARTS: usize = 256;
/// Of so many places so many may be taken.
const FULL: (usize, usize) = (7, 8);
/// How much more room there is after there was none, in percent.
const GROWTH: usize = 140;
/// The first room of a part.
const LEAST: usize = 8;

/// What belongs to a key.
pub(crate) trait Value: Copy {
    /// Of two for one key the one that counts.
    fn merge(self, other: Self) -> Self;
    /// Whether `other` says what this did not.
    fn is_news(self, other: Self) -> bool;
}

impl Value for () {
    fn merge(self, (): Self) -> Self {}

    fn is_news(self, (): Self) -> bool {
        false
    }
}

impl Value for i64 {
    fn merge(self, other: Self) -> Self {
        self.max(other)
    }

    fn is_news(self, other: Self) -> bool {
        self < other
    }
}

/// Keys are kept as 96 bits of a keyed hash, and the part that they are in is 8 more: that one of 10 million stands for
/// a key that is not there is less likely than 1 in 10^24.
#[derive(Debug)]
pub(crate) struct Table<V> {
    hashers: [RandomState; 2],
    parts: Box<[RwLock<Part<V>>]>,
    taken: AtomicUsize,
    /// Who writes: what they build beside a part must still be its content when it takes the part's place.
    writing: Mutex<()>,
}

#[derive(Debug)]
struct Part<V> {
    slots: Box<[Slot<V>]>,
    taken: usize,
}

#[derive(Debug, Clone, Copy)]
struct Slot<V> {
    tag: [u32; 3],
    /// Seconds since 1970, rounded up; 0 for a free place.
    expires: u32,
    value: V,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    part: usize,
    tag: [u32; 3],
}

impl<V: Value + Default> Table<V> {
    pub(crate) fn new() -> Self {
        Self {
            hashers: [RandomState::new(), RandomState::new()],
            parts: (0..PARTS).map(|_| RwLock::new(Part::with_room(0))).collect(),
            taken: AtomicUsize::new(0),
            writing: Mutex::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    pub(crate) fn get(&self, key: &str) -> Option<V> {
        if self.len() == 0 {
            return None;
        }
        let place = self.place(key);
        let part = self.read(place.part);
        part.find(place.tag).map(|nth| part.slots[nth].value)
    }

    /// Whether it was news.
    pub(crate) fn insert(&self, key: &str, expires: u32, value: V) -> bool {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let place = self.place(key);
        let is_full = {
            let part = self.read(place.part);
            (part.taken + 1) * FULL.1 > part.slots.len() * FULL.0
        };
        if is_full {
            let room = self.read(place.part).slots.len() * GROWTH / 100;
            let larger = self.read(place.part).rebuilt(room.max(LEAST), 0);
            *self.write(place.part) = larger;
        }
        let news = self.write(place.part).put(Slot {
            tag: place.tag,
            expires: expires.max(1),
            value,
        });
        if news == News::Key {
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
        news != News::None
    }

    /// Forgets the keys of part `nth` whose end has come at `now`, if they are worth the work.
    pub(crate) fn tidy(&self, nth: usize, now: u32) {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let nth = nth % PARTS;
        let (expired, taken) = {
            let part = self.read(nth);
            let expired = part.slots.iter().filter(|slot| slot.is_over(now)).count();
            (expired, part.taken)
        };
        if expired == 0 || expired * 8 < taken {
            return;
        }
        let left = taken - expired;
        let room = if left == 0 { 0 } else { (left * 5 / 4).max(LEAST) };
        let smaller = self.read(nth).rebuilt(room, now);
        *self.write(nth) = smaller;
        self.taken.fetch_sub(expired, Ordering::Relaxed);
    }

    fn place(&self, key: &str) -> Place {
        let (first, second) = (self.hashers[0].hash_one(key), self.hashers[1].hash_one(key));
        #[expect(clippy::cast_possible_truncation, reason = "these bits, and then those")]
        Place {
            part: second as usize % PARTS,
            tag: [(first >> 32) as u32, first as u32, (second >> 32) as u32],
        }
    }

    fn read(&self, part: usize) -> RwLockReadGuard<'_, Part<V>> {
        self.parts[part].read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, part: usize) -> RwLockWriteGuard<'_, Part<V>> {
        self.parts[part].write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(PartialEq, Eq)]
enum News {
    None,
    Value,
    Key,
}

impl<V> Slot<V> {
    fn is_over(&self, now: u32) -> bool {
        self.expires != 0 && self.expires <= now
    }
}

impl<V: Value + Default> Part<V> {
    fn with_room(room: usize) -> Self {
        let free = Slot {
            tag: [0; 3],
            expires: 0,
            value: V::default(),
        };
        Self {
            slots: vec![free; room].into_boxed_slice(),
            taken: 0,
        }
    }

    /// The same with other room, without what is over at `now`.
    fn rebuilt(&self, room: usize, now: u32) -> Self {
        let mut other = Self::with_room(room);
        for slot in &self.slots {
            if slot.expires > now {
                other.put(*slot);
            }
        }
        other
    }

    /// The place where the search for a tag begins: its first 32 bits, spread over however many places there are.
    fn start(&self, tag: [u32; 3]) -> usize {
        ((u64::from(tag[0]) * self.slots.len() as u64) >> 32) as usize
    }

    fn find(&self, tag: [u32; 3]) -> Option<usize> {
        let room = self.slots.len();
        if room == 0 {
            return None;
        }
        let mut nth = self.start(tag);
        // There is always a free place.
        loop {
            let slot = &self.slots[nth];
            if slot.expires == 0 {
                return None;
            }
            if slot.tag == tag {
                return Some(nth);
            }
            nth += 1;
            if nth == room {
                nth = 0;
            }
        }
    }

    fn put(&mut self, new: Slot<V>) -> News {
        let mut nth = self.start(new.tag);
        loop {
            let slot = &mut self.slots[nth];
            if slot.expires == 0 {
                *slot = new;
                self.taken += 1;
                return News::Key;
            }
            if slot.tag == new.tag {
                let is_news = slot.value.is_news(new.value);
                slot.value = slot.value.merge(new.value);
                slot.expires = slot.expires.max(new.expires);
                return if is_news { News::Value } else { News::None };
            }
            nth = (nth + 1) % self.slots.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_until_they_are_over_and_no_others_are() {
        let table = Table::<()>::new();
        assert!(table.get("0").is_none());
        for n in 0_u32..50_000 {
            assert!(table.insert(&n.to_string(), 100 + n % 2 * 100, ()));
        }
        assert!(!table.insert("7", 200, ()), "known");
        assert_eq!(table.len(), 50_000);
        for n in 0..50_000 {
            assert!(table.get(&n.to_string()).is_some(), "{n}");
            assert!(table.get(&format!("x{n}")).is_none(), "x{n}");
        }
        for part in 0..PARTS {
            table.tidy(part, 100);
        }
        assert_eq!(table.len(), 25_000);
        for n in 0..50_000 {
            assert_eq!(table.get(&n.to_string()).is_some(), n % 2 == 1, "{n}");
        }
        for part in 0..PARTS {
            table.tidy(part, 200);
        }
        assert_eq!(table.len(), 0);
        assert!(
            table
                .parts
                .iter()
                .all(|part| part.read().unwrap().slots.is_empty())
        );
    }

    #[test]
    fn of_two_values_the_higher_counts_and_an_end_is_never_earlier() {
        let table = Table::<i64>::new();
        assert!(table.insert("u", 10, 5));
        assert!(!table.insert("u", 5, 4));
        assert!(table.insert("u", 5, 9));
        assert_eq!((table.get("u"), table.len()), (Some(9), 1));
        (0..PARTS).for_each(|part| table.tidy(part, 9));
        assert_eq!(table.get("u"), Some(9));
    }

    #[test]
    fn a_key_takes_less_than_40_bytes() {
        assert_eq!((size_of::<Slot<()>>(), size_of::<Slot<i64>>()), (16, 24));
        let table = Table::<i64>::new();
        let mut most = 0;
        for n in 0_usize..200_000 {
            table.insert(&n.to_string(), 1, 0);
            if n > 100_000 && n.is_multiple_of(5_000) {
                let places: usize = table.parts.iter().map(|p| p.read().unwrap().slots.len()).sum();
                most = most.max(places * size_of::<Slot<i64>>() / n);
            }
        }
        assert!(most < 40, "{most} bytes for each of the larger kind");
    }
}
