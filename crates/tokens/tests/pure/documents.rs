//! The table of standards names tests that exist.

use std::fs;
use std::path::Path;

fn source(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source(&path, all);
        } else if path.extension().is_some_and(|end| end == "rs") {
            all.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_security_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let mut all = String::new();
    source(&root.join("crates"), &mut all);
    let mut named = 0;
    for text in page.split('`').skip(1).step_by(2) {
        let name = text.rsplit("::").next().unwrap();
        // Tests are sentences: no other name in the table has so many words.
        let plain = name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if plain && name.matches('_').count() >= 3 {
            assert!(all.contains(&format!("fn {name}(")), "no test is called {name}");
            named += 1;
        }
    }
    assert!(named > 50, "{named} named");
}
