//! What was wrong with a form.

use serde::Serialize;

/// A problem shown beside its field, or above the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The field's name; none if it is about the whole form.
    pub field: Option<String>,
    /// The problem's code, as in the API; its words stand in `pages/strings/` under `fault.<code>`.
    pub code: String,
    /// What is said if there are no words for the code.
    pub detail: String,
    /// The `{min}` of its words.
    pub min: Option<usize>,
}

impl Fault {
    /// A problem of the whole form.
    pub fn new(code: impl Into<String>) -> Self {
        let code = code.into();
        Self {
            field: None,
            detail: code.clone(),
            code,
            min: None,
        }
    }

    /// It is about this field.
    #[must_use]
    pub fn on(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// What to say, in English, if there are no words for the code.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The least that would have been enough.
    #[must_use]
    pub fn min(mut self, min: usize) -> Self {
        self.min = Some(min);
        self
    }
}
