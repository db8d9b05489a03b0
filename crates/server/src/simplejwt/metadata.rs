//! What Django REST framework answers to `OPTIONS`: what a view is called, and which fields it takes.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::View;
use super::answer::{Refusal, body};

/// In the order of `SimpleMetadata`.
#[derive(Serialize)]
struct Metadata {
    name: &'static str,
    description: &'static str,
    renders: [&'static str; 2],
    parses: [&'static str; 3],
    actions: Actions,
}

#[derive(Serialize)]
struct Actions {
    #[serde(rename = "POST")]
    post: Fields,
}

/// Name, and whether it is only shown.
struct Fields(Vec<(String, bool)>);

#[derive(Serialize)]
struct Field {
    #[serde(rename = "type")]
    kind: &'static str,
    required: bool,
    read_only: bool,
    label: String,
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, read_only) in &self.0 {
            let field = Field {
                kind: "string",
                required: !read_only,
                read_only: *read_only,
                label: label(name),
            };
            map.serialize_entry(name, &field)?;
        }
        map.end()
    }
}

/// The answer to `OPTIONS`. `username` is what the name of who logs in is called.
pub(super) fn metadata(view: View, username: &str) -> Result<String, Refusal> {
    let taken = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), false)).collect();
    let (name, description, fields): (_, _, Vec<(String, bool)>) = match view {
        View::Obtain { sliding: false } => (
            "Token Obtain Pair",
            "Takes a set of user credentials and returns an access and refresh JSON web\n\
             token pair to prove the authentication of those credentials.",
            taken(&[username, "password"]),
        ),
        View::Obtain { sliding: true } => (
            "Token Obtain Sliding",
            "Takes a set of user credentials and returns a sliding JSON web token to\n\
             prove the authentication of those credentials.",
            taken(&[username, "password"]),
        ),
        View::Refresh => (
            "Token Refresh",
            "Takes a refresh type JSON web token and returns an access type JSON web\n\
             token if the refresh token is valid.",
            vec![("refresh".to_owned(), false), ("access".to_owned(), true)],
        ),
        View::RefreshSliding => (
            "Token Refresh Sliding",
            "Takes a sliding JSON web token and returns a new, refreshed version if the\n\
             token's refresh period has not expired.",
            taken(&["token"]),
        ),
        View::Verify => (
            "Token Verify",
            "Takes a token and indicates if it is valid.  This view provides no\n\
             information about a token's fitness for a particular use.",
            taken(&["token"]),
        ),
        View::Blacklist => (
            "Token Blacklist",
            "Takes a token and blacklists it. Must be used with the\n\
             `rest_framework_simplejwt.token_blacklist` app installed.",
            taken(&["refresh"]),
        ),
    };
    body(&Metadata {
        name,
        description,
        renders: ["application/json", "text/html"],
        parses: [
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        ],
        actions: Actions { post: Fields(fields) },
    })
}

/// As Django makes it of a field's name: `user_name` is `User name`.
fn label(name: &str) -> String {
    let text = name.replace('_', " ").to_lowercase();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => text,
    }
}
