//! What came in, as Python would have it, as far as a field of text can tell.

/// A value. Of lists and objects within, only that they are.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool,
    Int(String),
    Float(String),
    Text(Text),
    List,
    Dict(Vec<(String, Value)>),
    /// A file of a form.
    File,
}

/// A text, with what Python's may hold and ours may not.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Text {
    /// U+FFFD stands for what is no character.
    pub(super) text: String,
    /// The first half of a pair that has no other half.
    pub(super) surrogate: Option<u32>,
}

impl Value {
    /// The name of its type in Python.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::List => "list",
            Self::Dict(_) => "dict",
            Self::File => "InMemoryUploadedFile",
        }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Text {
            text,
            surrogate: None,
        })
    }
}
