//! Programs that start the command in their arguments. Data: what stands before that command.

use super::layers::Word;
use super::options::operand;

/// A program that starts another one.
struct Launcher {
    names: &'static [&'static str],
    /// The words that make it do so, one after the other.
    verbs: &'static [&'static str],
    /// The options that have a value.
    valued: &'static [&'static str],
    /// What comes before the command.
    before: Before,
    /// Whether options after the command are taken for its own, unless a `--` comes first.
    eats_options: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing.
    Nothing,
    /// So many arguments.
    Arguments(usize),
    /// Assignments of variables.
    Assignments,
    /// A `--`, and whatever is before it.
    Dashes,
    /// The command may be a package with a version.
    Package,
}

const fn plain(names: &'static [&'static str], valued: &'static [&'static str]) -> Launcher {
    with(names, &[], valued, Before::Nothing)
}

const fn with(
    names: &'static [&'static str],
    verbs: &'static [&'static str],
    valued: &'static [&'static str],
    before: Before,
) -> Launcher {
    Launcher {
        names,
        verbs,
        valued,
        before,
        eats_options: false,
    }
}

const LAUNCHERS: &[Launcher] = &[
    with(
        &["env"],
        &[],
        &["-u", "--unset", "-C", "--chdir", "-P", "-a", "--argv0"],
        Before::Assignments,
    ),
    with(&["cross-env"], &[], &[], Before::Assignments),
    with(
        &["sudo"],
        &[],
        &[
            "-u", "--user", "-g", "--group", "-h", "--host", "-p", "--prompt", "-C", "-D",
            "--chdir", "-R", "--chroot", "-r", "--role", "-t", "--type", "-T", "-U",
        ],
        Before::Assignments,
    ),
    plain(&["doas"], &["-u", "-C"]),
    plain(&["pkexec"], &["--user", "-u"]),
    plain(&["nice"], &["-n", "--adjustment"]),
    plain(&["ionice"], &["-c", "-n", "--class", "--classdata"]),
    plain(&["time", "gtime"], &["-f", "--format", "-o", "--output"]),
    plain(&["exec"], &["-a"]),
    plain(
        &[
            "nohup",
            "setsid",
            "command",
            "chronic",
            "unbuffer",
            "caffeinate",
            "tini",
            "dumb-init",
        ],
        &[],
    ),
    plain(
        &["stdbuf"],
        &["-i", "--input", "-o", "--output", "-e", "--error"],
    ),
    with(
        &["timeout"],
        &[],
        &["-s", "--signal", "-k", "--kill-after"],
        Before::Arguments(1),
    ),
    with(&["taskset"], &[], &[], Before::Arguments(1)),
    with(&["direnv"], &["exec"], &[], Before::Arguments(1)),
    Launcher {
        eats_options: true,
        ..plain(&["dotenv"], &["-e", "-c", "-v", "-p", "-f"])
    },
    with(&["dotenvx"], &["run"], &[], Before::Dashes),
    plain(
        &["env-cmd"],
        &["-f", "--file", "-e", "-r", "--environments"],
    ),
    with(&["mise"], &["exec"], &[], Before::Dashes),
    with(&["mise"], &["x"], &[], Before::Dashes),
    with(&["op"], &["run"], &[], Before::Dashes),
    with(&["doppler"], &["run"], &[], Before::Dashes),
    with(&["infisical"], &["run"], &[], Before::Dashes),
    with(&["bundle"], &["exec"], &["--gemfile"], Before::Nothing),
    with(&["poetry"], &["run"], &POETRY, Before::Nothing),
    with(&["pipenv"], &["run"], &["--python"], Before::Nothing),
    with(
        &["pdm"],
        &["run"],
        &["-p", "--project", "--venv"],
        Before::Nothing,
    ),
    with(&["rye"], &["run"], &["--pyproject"], Before::Nothing),
    with(
        &["hatch"],
        &["run"],
        &["-e", "--env", "-p", "--project"],
        Before::Nothing,
    ),
    with(
        &["pixi"],
        &["run"],
        &["-e", "--environment", "--manifest-path"],
        Before::Nothing,
    ),
    with(
        &["conda", "mamba", "micromamba"],
        &["run"],
        &["-n", "--name", "-p", "--prefix", "--cwd"],
        Before::Nothing,
    ),
    with(&["uv"], &["run"], &UV, Before::Nothing),
    with(&["uv"], &["tool", "run"], &UV, Before::Package),
    with(&["uvx"], &[], &UV, Before::Package),
    with(
        &["pipx"],
        &["run"],
        &["--spec", "--python", "--pip-args"],
        Before::Package,
    ),
    with(&["npx"], &[], &NPX, Before::Package),
    with(&["pnpx"], &[], &NPX, Before::Package),
    with(&["bunx"], &[], &["-p", "--package"], Before::Package),
    with(&["bun"], &["x"], &["-p", "--package"], Before::Package),
];

const POETRY: [&str; 6] = ["-C", "--directory", "-P", "--project", "--python", "--env"];

const UV: [&str; 16] = [
    "-p",
    "--python",
    "--with",
    "-w",
    "--with-editable",
    "--with-requirements",
    "--from",
    "--extra",
    "--group",
    "--only-group",
    "--no-group",
    "--env-file",
    "--project",
    "--directory",
    "--package",
    "--index-url",
];

const NPX: [&str; 6] = [
    "-p",
    "--package",
    "-w",
    "--workspace",
    "--prefix",
    "--loglevel",
];

/// The command that a launcher starts.
pub struct Launched {
    /// Where it begins.
    pub at: usize,
    /// From where on variables are assigned.
    pub assigned_from: Option<usize>,
    /// Whether its name may be that of a package, with a version.
    pub is_package: bool,
    /// Whether what is added after it needs a `--` first.
    pub needs_dashes: bool,
}

/// What these words start, when they are those of a launcher with this name.
pub fn launched(name: &str, words: &[Word]) -> Option<Launched> {
    LAUNCHERS
        .iter()
        .filter(|launcher| launcher.names.contains(&name))
        .find_map(|launcher| launcher.starts(words))
}

impl Launcher {
    fn starts(&self, words: &[Word]) -> Option<Launched> {
        let mut from = 1;
        for verb in self.verbs {
            let (at, _) = operand(words, from, self.valued);
            if words.get(at)?.text != *verb {
                return None;
            }
            from = at + 1;
        }
        let (mut at, dashes) = operand(words, from, self.valued);
        let mut assigned_from = None;
        match self.before {
            Before::Arguments(count) => at += count,
            Before::Assignments => {
                assigned_from = Some(at);
                while words.get(at).is_some_and(|word| word.text.contains('=')) {
                    at += 1;
                }
            }
            Before::Dashes => {
                at = words.iter().position(|word| word.text == "--")? + 1;
            }
            Before::Nothing | Before::Package => {}
        }
        (at < words.len()).then_some(Launched {
            at,
            assigned_from,
            is_package: self.before == Before::Package,
            needs_dashes: self.eats_options && !dashes,
        })
    }
}

/// Programs that give a command more rights than its caller has.
pub fn gains_rights(name: &str) -> bool {
    ["sudo", "doas", "pkexec", "su", "run0", "runuser"].contains(&name)
}
