//! Keys whose names are the user's own: webhooks, exchanges, queues, purposes of tokens.

/// The sections, and the fields that each name in them may have; none if the name itself holds the value.
const SECTIONS: [(&str, &[&str]); 4] = [
    ("tokens.purposes.", &["lifetime", "one_time"]),
    ("webhooks.", &["url", "secret", "events"]),
    ("exchanges.", &[]),
    (
        "queues.",
        &["type", "retries", "max_attempts", "dead_letters", "bindings"],
    ),
];

/// Whether the key names something of the user's own, in a field that there is.
pub(crate) fn is_own(key: &str) -> bool {
    SECTIONS.iter().any(|(section, fields)| {
        let Some(rest) = key.strip_prefix(section) else {
            return false;
        };
        if fields.is_empty() {
            return !rest.is_empty();
        }
        // Queues have names with dots in them, fields have not.
        rest.rsplit_once('.').is_some_and(|(name, field)| {
            let dots = *section == "queues." || !name.contains('.');
            !name.is_empty() && dots && fields.contains(&field)
        })
    })
}

/// What to say of a key that begins like one of these and has no such field.
pub(crate) fn unknown_field(key: &str) -> Option<String> {
    let (section, fields) = SECTIONS.iter().find(|(section, _)| key.starts_with(section))?;
    let section = section.trim_end_matches('.');
    if fields.is_empty() {
        return Some(format!("is no key; write [{section}] and NAME = \"topic\""));
    }
    Some(format!("is no key; [{section}.NAME] takes {}", fields.join(", ")))
}

/// Whether a table of nothing says something here: a name that was written down and has no field.
pub(crate) fn names_something(table: &str) -> bool {
    SECTIONS
        .iter()
        .any(|(section, _)| table.starts_with(section) && table.len() > section.len())
}
