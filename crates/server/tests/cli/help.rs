//! Help: every command has an example, and wrong usage is told in one line.

use crate::place::Place;

/// Follows the subcommands that help lists.
fn commands(place: &Place, path: &[&str], found: &mut Vec<(String, String)>) {
    let mut arguments = path.to_vec();
    arguments.push("--help");
    let help = place.run(&arguments).good();
    let names: Vec<String> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect();
    if names.is_empty() {
        found.push((path.join(" "), help));
    }
    for name in &names {
        let mut deeper = path.to_vec();
        deeper.push(name);
        commands(place, &deeper, found);
    }
}

#[test]
fn every_command_has_an_example_and_the_common_options() {
    let mut found = Vec::new();
    commands(&Place::sqlite(), &[], &mut found);
    assert!(
        found.len() >= 30,
        "{:?}",
        found.iter().map(|(path, _)| path).collect::<Vec<_>>()
    );
    for (path, help) in found {
        assert!(help.contains("Example"), "{path}: no example");
        assert!(
            help.contains(&format!("gatepost {path}")) || help.contains("gatepost --"),
            "{path}: {help}"
        );
        assert!(help.contains("--config") && help.contains("--json"), "{path}");
    }
}

#[test]
fn wrong_usage_is_one_line_and_code_2() {
    let place = Place::sqlite();
    place
        .run(&["token", "create", "--user", "1"])
        .refused(2, "--purpose");
    place.run(&["admin", "creat", "a@b.example"]).refused(2, "create");
    place
        .run(&["admin", "create", "nonsense"])
        .refused(2, "e-mail address");
    place.run(&["user", "list", "--limit", "0"]).refused(2, "--limit");
    assert_eq!(place.run(&["token"]).code, 2);
    assert!(!place.path("gatepost-data").exists(), "nothing was made");
}
