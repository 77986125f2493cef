//! `freeport man` and `freeport completions`: what the arguments say, for man(1) and for shells.

use std::io::{self, Write as _};

use clap_mangen::Man;

use super::args;
use super::exit::{Exit, Failure, MEANINGS};
use crate::model::settings::KEYS;

/// Prints the completions for a shell.
pub fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "freeport", &mut text);
    write(&text)
}

/// Prints the manual page of the program, or of one verb.
pub fn page(verb: Option<&str>) -> Result<Exit, Failure> {
    let mut program = args::command();
    program.build();
    let mut text = Vec::new();
    match verb {
        None => {
            // The statuses have a section of their own.
            let page = Man::new(program.after_long_help(None::<&str>));
            page.render(&mut text)?;
            text.extend(sections().into_bytes());
        }
        Some(verb) => {
            let names: Vec<String> = program
                .get_subcommands()
                .map(|command| command.get_name().to_owned())
                .collect();
            // What is below another one is named as its page is: `config-set`.
            let below = || {
                let (above, name) = verb.split_once('-')?;
                program.find_subcommand(above)?.find_subcommand(name)
            };
            let Some(command) = program.find_subcommand(verb).or_else(below) else {
                let failure = Failure::text(Exit::Usage, &format!("there is no command '{verb}'"));
                return Err(failure.hint(&format!("the commands are {}", names.join(", "))));
            };
            Man::new(command.clone()).render(&mut text)?;
        }
    }
    write(&text)
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
         .TP\n\\fI$XDG_CONFIG_HOME/autostart/freeport.desktop\\fR\nThe entry that starts the app at login.\n"
    )
}
