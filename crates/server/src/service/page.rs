//! Lists in parts: `limit` and `after` in, `items` and `next` out.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// How many at most in one answer: 50 unless asked otherwise, 1 to 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    const MOST: u16 = 500;

    /// As a number.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl From<Limit> for u32 {
    fn from(limit: Limit) -> Self {
        Self::from(limit.0)
    }
}

impl From<Limit> for i64 {
    fn from(limit: Limit) -> Self {
        Self::from(limit.0)
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(number) if (1..=Self::MOST).contains(&number) => Ok(Self(number)),
            _ => Err(serde::de::Error::custom("limit is a number from 1 to 500")),
        }
    }
}

/// One part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// What there is.
    pub items: Vec<T>,
    /// The `after` of the next part; none if this is the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of `rows`. A full one may have another after it, which may turn out empty.
    pub fn of<R>(rows: Vec<R>, limit: Limit, cursor: impl Fn(&R) -> String, item: impl Fn(R) -> T) -> Self {
        let next = if rows.len() < limit.get() {
            None
        } else {
            rows.last().map(cursor)
        };
        Self {
            items: rows.into_iter().map(item).collect(),
            next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_not_full_names_no_next_one() {
        let two = Limit(2);
        let page = Page::of(vec![1, 2], two, ToString::to_string, |n| n * 10);
        assert_eq!((page.items, page.next.as_deref()), (vec![10, 20], Some("2")));
        let page = Page::of(vec![1], two, ToString::to_string, |n| n);
        assert_eq!((page.items, page.next), (vec![1], None));
    }

    #[test]
    fn a_limit_is_a_number_from_1_to_500() {
        for good in ["1", "500"] {
            assert!(serde_urlencoded::from_str::<Vec<(String, Limit)>>(&format!("limit={good}")).is_ok());
        }
        for bad in ["0", "501", "-1", "ten", "", "99999999999"] {
            assert!(
                serde_urlencoded::from_str::<Vec<(String, Limit)>>(&format!("limit={bad}")).is_err(),
                "{bad}"
            );
        }
    }
}
