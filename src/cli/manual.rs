//! `freeport man` and `freeport completions`: what the arguments say, for man(1) and for shells. With
//! `freeport man --write FOLDER`, which packages are built with, all of it in files.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::args;
use super::exit::{Exit, Failure, MEANINGS};
use crate::model::settings::KEYS;

/// The shells whose completions are in packages, with the names that they look for.
const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "freeport.bash"),
    (Shell::Zsh, "_freeport"),
    (Shell::Fish, "freeport.fish"),
];

/// Prints the completions for a shell.
pub fn completions(shell: Shell) -> Result<Exit, Failure> {
    write(&completion(shell))
}

/// Prints the manual page of the program, or of one verb.
pub fn page(verb: Option<&str>) -> Result<Exit, Failure> {
    let mut program = args::command();
    program.build();
    let Some(verb) = verb else {
        return write(&whole(&program)?);
    };
    // What is below another one is named as its page is: `config-set`.
    let below = || {
        let (above, name) = verb.split_once('-')?;
        program.find_subcommand(above)?.find_subcommand(name)
    };
    let Some(command) = program.find_subcommand(verb).or_else(below) else {
        let names: Vec<&str> = program.get_subcommands().map(Command::get_name).collect();
        let failure = Failure::text(Exit::Usage, &format!("there is no command '{verb}'"));
        return Err(failure.hint(&format!("the commands are {}", names.join(", "))));
    };
    write(&one(command)?)
}

/// Writes all pages into the folder `man1` of this one, and the completions into `completions`.
pub fn write_all(folder: &Path) -> Result<Exit, Failure> {
    let mut program = args::command();
    program.build();
    let pages = folder.join("man1");
    put(&pages.join("freeport.1"), &whole(&program)?)?;
    let mut commands: Vec<&Command> = program.get_subcommands().collect();
    while let Some(command) = commands.pop() {
        let name = format!("{}.1", display_name(command));
        put(&pages.join(name), &one(command)?)?;
        commands.extend(command.get_subcommands());
    }
    for (shell, name) in COMPLETIONS {
        put(&folder.join("completions").join(name), &completion(shell))?;
    }
    Ok(Exit::Done)
}

fn completion(shell: Shell) -> Vec<u8> {
    // Nobody is to complete what is hidden; clap_complete does not look at that.
    let mut program = args::command().mut_subcommand("man", |man| {
        let shown = man.get_arguments().filter(|arg| !arg.is_hide_set());
        let about = man.get_about().cloned().unwrap_or_default();
        Command::new("man").about(about).args(shown)
    });
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut program, "freeport", &mut text);
    text
}

/// The page of the program.
fn whole(program: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(program.clone());
    let mut text = title(program);
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    man.render_subcommands_section(&mut text)?;
    text.extend(sections().into_bytes());
    Ok(text)
}

/// The page of a verb. What its help says in the end belongs to the description, but for the examples.
fn one(command: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let mut text = title(command);
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    let help = command.get_after_long_help();
    let help = help.map(ToString::to_string).unwrap_or_default();
    let (more, examples) = help.split_once("Examples:\n").unwrap_or((&help, ""));
    let mut roff = Roff::new();
    for paragraph in more
        .split("\n\n")
        .map(str::trim)
        .filter(|it| !it.is_empty())
    {
        roff.control("PP", []).text([roman(paragraph)]);
    }
    roff.to_writer(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut roff = Roff::new();
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in examples.lines() {
            roff.text([roman(line.trim())]);
        }
        roff.control("fi", []);
    }
    roff.control("SH", ["SEE ALSO"])
        .text([bold("freeport"), roman("(1)")]);
    roff.to_writer(&mut text)?;
    Ok(text)
}

/// The page's title. `Man` leaves out an empty date, so that what follows would take its place.
fn title(command: &Command) -> Vec<u8> {
    let name = display_name(command).to_uppercase().replace('-', "\\-");
    let version = env!("CARGO_PKG_VERSION");
    format!(".TH {name} 1 \"\" \"freeport {version}\" \"User Commands\"\n").into_bytes()
}

/// What the page is called: `freeport-config-set`.
fn display_name(command: &Command) -> &str {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
}

fn put(file: &Path, text: &[u8]) -> Result<(), Failure> {
    let folder = file.parent().unwrap_or(file);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(file, text))
        .map_err(|error| {
            let message = format!("cannot write {}: {error}", file.display());
            Failure::text(Exit::Failed, &message)
        })
}

fn write(text: &[u8]) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    out.flush()?;
    Ok(Exit::Done)
}

/// What the arguments do not say, in roff.
fn sections() -> String {
    let statuses: String = MEANINGS
        .iter()
        .map(|(exit, meaning)| format!(".TP\n\\fB{}\\fR\n{meaning}\n", *exit as u8))
        .collect();
    let settings: String = KEYS
        .iter()
        .map(|key| {
            format!(
                ".TP\n\\fB{}\\fR = {}\n{}\n",
                key.name, key.default, key.meaning
            )
        })
        .collect();
    format!(
        ".SH SETTINGS\nWhat \\fBfreeport config\\fR shows and changes, with the defaults.\n{settings}\
         .SH \"EXIT STATUS\"\n{statuses}\
         .SH ENVIRONMENT\n\
         .TP\n\\fBFREEPORT_RUNTIME_DIR\\fR\nThe folder of the socket and the lock, instead of \\fI$XDG_RUNTIME_DIR/freeport\\fR.\n\
         .TP\n\\fBFREEPORT_DATA_DIR\\fR\nThe folder of the database and its backups, instead of \\fI$XDG_DATA_HOME/freeport\\fR.\n\
         .TP\n\\fBFREEPORT_LOG\\fR\nWhat the app logs to standard error: \\fBerror\\fR, \\fBwarn\\fR, \\fBinfo\\fR (the default), \\fBdebug\\fR.\n\
         .TP\n\\fBNO_COLOR\\fR\nPrint without colours.\n\
         .SH FILES\n\
         .TP\n\\fI$XDG_RUNTIME_DIR/freeport/freeport.sock\\fR\nThe socket on which the app answers.\n\
         .TP\n\\fI$XDG_DATA_HOME/freeport/freeport.db\\fR\nThe database: what is reserved, what happened, and the settings. Without \\fI$XDG_DATA_HOME\\fR, below \\fI~/.local/share\\fR.\n\
         .TP\n\\fI$XDG_DATA_HOME/freeport/backups\\fR\nCopies of the database: one of each day, and of what there was before a restore.\n\
         .TP\n\\fI$XDG_CONFIG_HOME/autostart/freeport.desktop\\fR\nThe entry that starts the app at login.\n\
         .TP\n\\fIfreeport.service\\fR\nThe unit of the user's systemd that runs the app without a tray icon, where a package brought it: \\fBsystemctl \\-\\-user enable \\-\\-now freeport\\fR. Not beside the entry above: one app runs at a time.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_neither_completed_nor_in_the_manual() {
        let mut program = args::command();
        program.build();
        let man = program.find_subcommand("man").unwrap();
        assert!(man.get_arguments().any(clap::Arg::is_hide_set), "there is");
        let page = one(man).unwrap();
        for (shell, name) in COMPLETIONS {
            let text = String::from_utf8(completion(shell)).unwrap();
            assert!(
                !text.contains("--write") && !text.contains("-l write"),
                "{name}"
            );
            assert!(
                text.contains("dry-run") && text.contains("heartbeat"),
                "{name}"
            );
        }
        let page = String::from_utf8(page).unwrap();
        assert!(!page.contains("write"), "{page}");
    }

    #[test]
    fn a_page_has_its_title_and_examples_of_their_own() {
        let mut program = args::command();
        program.build();
        let text = one(program.find_subcommand("kill").unwrap()).unwrap();
        let text = String::from_utf8(text).unwrap();
        let title = format!(
            ".TH FREEPORT\\-KILL 1 \"\" \"freeport {}\" \"User Commands\"\n",
            env!("CARGO_PKG_VERSION")
        );
        assert!(text.starts_with(&title), "{text}");
        let (before, examples) = text.split_once(".SH EXAMPLES\n").unwrap();
        assert!(
            before.contains("SIGTERM") && !before.contains("3000 8080"),
            "{before}"
        );
        assert!(
            examples.starts_with(".nf\nfreeport kill 3000\n"),
            "{examples}"
        );
    }
}
