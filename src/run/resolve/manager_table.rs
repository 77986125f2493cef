//! The package managers: their commands, and which of their options have values. Data only.

/// A package manager.
#[derive(Clone, Copy)]
pub struct Manager {
    /// Its name.
    pub name: &'static str,
    /// What runs a script.
    pub run: &'static [&'static str],
    /// What runs a program.
    pub exec: &'static [&'static str],
    /// What the words that run scripts without `run` may be.
    pub short: Short,
    /// The options that have a value.
    pub valued: &'static [&'static str],
    /// The options that name another folder.
    pub folder: &'static [&'static str],
    /// What leads to scripts of other packages.
    pub workspace: &'static [&'static str],
    /// What it makes of a `--` after a script's name.
    pub dashes: Dashes,
    /// What it makes of a `--` after the program that it is to run.
    pub exec_dashes: Dashes,
}

/// Which scripts run without `run`.
#[derive(Clone, Copy)]
pub enum Short {
    /// These.
    Only(&'static [&'static str]),
    /// All but those with the name of a command.
    AllBut(&'static [&'static str]),
}

/// What becomes of a `--`, and of the options after it and before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dashes {
    /// Options are passed on after it only, and it is left out.
    Needed,
    /// All is passed on, and it with it.
    Kept,
    /// All is passed on, and a `--` that comes first is left out.
    Dropped,
}

/// Those that are known; npm comes first.
pub const MANAGERS: [Manager; 5] = [
    Manager {
        name: "npm",
        run: &["run", "run-script", "rum", "urn"],
        exec: &["exec", "x"],
        short: Short::Only(&["start", "test", "stop", "restart"]),
        valued: &[
            "--prefix",
            "-C",
            "-w",
            "--workspace",
            "--loglevel",
            "--userconfig",
            "--registry",
            "--cache",
            "--script-shell",
            "-p",
            "--package",
        ],
        folder: &["--prefix", "-C"],
        workspace: &["-w", "--workspace", "-ws", "--workspaces"],
        dashes: Dashes::Needed,
        exec_dashes: Dashes::Needed,
    },
    Manager {
        name: "pnpm",
        run: &["run", "run-script"],
        exec: &["exec", "dlx"],
        short: Short::AllBut(&[
            "add", "i", "install", "remove", "rm", "update", "up", "link", "unlink", "publish",
            "pack", "audit", "list", "ls", "outdated", "why", "store", "config", "init", "create",
            "import", "rebuild", "prune", "fetch", "deploy", "patch", "env", "setup", "root",
            "bin",
        ]),
        valued: &[
            "-C",
            "--dir",
            "-F",
            "--filter",
            "--filter-prod",
            "--loglevel",
            "--reporter",
            "--workspace-concurrency",
            "--package",
            "--registry",
        ],
        folder: &["-C", "--dir"],
        workspace: &[
            "-F",
            "--filter",
            "--filter-prod",
            "-r",
            "--recursive",
            "-w",
            "--workspace-root",
        ],
        dashes: Dashes::Kept,
        exec_dashes: Dashes::Kept,
    },
    Manager {
        // What it is up to version 1; later ones keep each `--`.
        name: "yarn",
        run: &["run"],
        exec: &["exec", "dlx"],
        short: Short::AllBut(&[
            "add",
            "install",
            "remove",
            "upgrade",
            "up",
            "link",
            "unlink",
            "publish",
            "pack",
            "audit",
            "list",
            "outdated",
            "why",
            "config",
            "init",
            "create",
            "import",
            "cache",
            "global",
            "info",
            "set",
            "plugin",
            "rebuild",
            "dedupe",
            "npm",
            "constraints",
            "bin",
        ]),
        valued: &["--cwd", "-p", "--package", "--registry", "--mutex"],
        folder: &["--cwd"],
        workspace: &["workspace", "workspaces"],
        dashes: Dashes::Dropped,
        exec_dashes: Dashes::Needed,
    },
    Manager {
        name: "bun",
        run: &["run"],
        exec: &[],
        short: Short::AllBut(&[
            "add", "install", "i", "remove", "rm", "update", "link", "unlink", "pm", "test",
            "build", "init", "create", "upgrade", "repl", "exec", "outdated", "publish", "patch",
        ]),
        valued: &[
            "--cwd",
            "-r",
            "--preload",
            "-c",
            "--config",
            "--env-file",
            "-F",
            "--filter",
            "--shell",
        ],
        folder: &["--cwd"],
        workspace: &["-F", "--filter", "--workspaces"],
        dashes: Dashes::Dropped,
        exec_dashes: Dashes::Kept,
    },
    Manager {
        name: "deno",
        run: &["task"],
        exec: &[],
        short: Short::Only(&[]),
        valued: &["--cwd", "-c", "--config", "-f", "--filter"],
        folder: &["--cwd"],
        workspace: &["-f", "--filter", "-r", "--recursive"],
        dashes: Dashes::Kept,
        exec_dashes: Dashes::Kept,
    },
];
