//! The commands in groups, as `freeport --help` shows them: clap has one list of them only.

use std::fmt::Write as _;

use clap::Command;
use clap::builder::StyledStr;
use clap::builder::styling::Styles;

/// The groups, and the commands in each.
const GROUPS: [(&str, &[&str]); 5] = [
    ("See and free ports", &["list", "tui", "why", "kill"]),
    ("Start commands on ports", &["run", "docker", "wait", "env"]),
    (
        "Keep ports",
        &[
            "allocate",
            "reserve",
            "pool",
            "claim",
            "register",
            "heartbeat",
            "release",
            "free",
            "query",
            "suggest",
        ],
    ),
    (
        "Look after what is kept",
        &[
            "cleanup", "log", "config", "export", "import", "backup", "restore",
        ],
    ),
    (
        "The app",
        &["status", "doctor", "app", "autostart", "completions", "man"],
    ),
];

/// The form of the help.
pub(super) fn template(command: &Command, styles: &Styles) -> StyledStr {
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut text = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    for (title, names) in GROUPS {
        let _ = write!(text, "\n{header}{title}:{header:#}\n");
        for verb in names
            .iter()
            .filter_map(|name| command.find_subcommand(name))
        {
            let (name, about) = (verb.get_name(), verb.get_about().cloned());
            let aliases: Vec<&str> = verb.get_visible_aliases().collect();
            let alias = match aliases.as_slice() {
                [] => String::new(),
                some => format!(" [alias: {}]", some.join(", ")),
            };
            let about = about.unwrap_or_default();
            let _ = writeln!(text, "  {literal}{name:<11}{literal:#}  {about}{alias}");
        }
    }
    let _ = write!(
        text,
        "\n{header}Options:{header:#}\n{{options}}{{after-help}}"
    );
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group_and_fits_a_terminal() {
        let command = super::super::command();
        let grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        let mut sorted = grouped.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), grouped.len(), "no command is in two groups");
        let mut all: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        all.sort_unstable();
        assert_eq!(sorted, all);
        for verb in command.get_subcommands() {
            let about = verb
                .get_about()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(about.len() <= 65, "{}: {}", verb.get_name(), about.len());
        }
    }
}
