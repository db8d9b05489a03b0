//! "Did you mean": the nearest known key.

/// What to say about a key that nobody knows.
pub(crate) fn unknown(key: &str, known: &[String]) -> String {
    if let Some(text) = super::own::unknown_field(key) {
        return text;
    }
    let nearest = known
        .iter()
        .map(|k| (distance(key, k), k))
        .min_by_key(|(d, _)| *d);
    match nearest {
        Some((d, near)) if d <= 2.max(key.len() / 4) => format!("is not a key; did you mean {near}?"),
        _ => "is not a key; config.default.toml lists all of them".to_owned(),
    }
}

/// How many letters have to be put in, taken out or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let change = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_named_and_nonsense_is_not() {
        let known = ["http.bind".to_owned(), "mail.transport".to_owned()];
        assert!(unknown("htp.bind", &known).contains("http.bind"));
        assert!(unknown("mail.transprot", &known).contains("mail.transport"));
        assert!(unknown("colour.of.the.sea", &known).contains("config.default.toml"));
    }
}
