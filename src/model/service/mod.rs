//! What a process serves, in the words that developers use: `vite`, `django`, `postgres`.
//!
//! The names are data (`table`); this file only finds which row applies to a command line.

mod table;

use serde::{Deserialize, Serialize};
use table::{PROGRAMS, RUNTIMES, Runtime, SCRIPTS};

/// What kind of thing a process is, which decides where it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Something that a developer runs to develop: a dev server, a script, a build output.
    Development,
    /// A database, broker or cache.
    Database,
    /// A server for production use, or a proxy.
    Server,
    /// A desktop application or an editor.
    Application,
    /// A part of the operating system or the desktop.
    System,
    /// None of the known ones.
    #[serde(other)]
    Unknown,
}

/// The name and kind of what a process serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The name shown: `vite`, `python app.py`, `postgres`.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
}

/// Names what the program `name` with the arguments `args` (the command line, `args[0]` included)
/// serves.
pub fn identify(name: &str, args: &[String]) -> Service {
    let title = args.first().map_or("", |first| title_word(first));
    for candidate in [name, title] {
        if let Some(program) = PROGRAMS
            .iter()
            .find(|program| program.names.contains(&candidate))
        {
            return Service {
                name: program.service.to_owned(),
                kind: program.kind,
            };
        }
    }
    let runtime = RUNTIMES.iter().find(|runtime| {
        [name, title]
            .iter()
            .any(|candidate| is_version_of(candidate, runtime.program))
    });
    match runtime {
        Some(runtime) => script_of(runtime, args),
        None => Service {
            name: name.to_owned(),
            kind: Kind::Unknown,
        },
    }
}

/// The program in a process title or path: `next-server (v15)`, `nginx: master process`,
/// `/usr/bin/python3` give `next-server`, `nginx`, `python3`.
fn title_word(first: &str) -> &str {
    let word = if first.starts_with('/') {
        first
    } else {
        first.split([' ', ':']).next().unwrap_or(first)
    };
    base(word)
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether `candidate` is `program` with or without a version: `python3.11` is `python`.
fn is_version_of(candidate: &str, program: &str) -> bool {
    candidate.strip_prefix(program).is_some_and(|rest| {
        rest.bytes()
            .all(|b| b.is_ascii_digit() || b == b'.' || b == b'-')
    })
}

/// What a runtime (node, python, java …) runs, from its arguments.
fn script_of(runtime: &Runtime, args: &[String]) -> Service {
    let mut rest = args.iter().skip(1).map(String::as_str);
    let development = |name: String| Service {
        name,
        kind: Kind::Development,
    };
    while let Some(arg) = rest.next() {
        if runtime.module_flags.contains(&arg) {
            let Some(module) = rest.next() else { break };
            return development(
                known(module).map_or_else(|| label(runtime, module), str::to_owned),
            );
        }
        if runtime.code_flags.contains(&arg) {
            return development(format!("{} {arg}", runtime.program));
        }
        if runtime.value_flags.contains(&arg) {
            rest.next();
        } else if !arg.starts_with('-') {
            if runtime.subcommands.contains(&arg) {
                continue;
            }
            return development(known(arg).map_or_else(|| label(runtime, arg), str::to_owned));
        }
    }
    development(runtime.program.to_owned())
}

/// The row for a script path, module or main class: by the package in `node_modules`, by the
/// file's name, or by the file's name without its ending.
fn known(script: &str) -> Option<&'static str> {
    let file = base(script);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let package = script.rsplit_once("node_modules/").map(|(_, inside)| {
        let parts = if inside.starts_with('@') { 2 } else { 1 };
        let end = inside
            .match_indices('/')
            .nth(parts - 1)
            .map_or(inside.len(), |(at, _)| at);
        &inside[..end]
    });
    let row = |wanted: &str| {
        SCRIPTS
            .iter()
            .find(|(names, _)| names.contains(&wanted))
            .map(|(_, service)| *service)
    };
    package
        .and_then(row)
        .or_else(|| row(file))
        .or_else(|| row(stem))
        .or_else(|| row(script))
}

/// `node server.js`; a file that is only called index or main is named by its folder too.
fn label(runtime: &Runtime, script: &str) -> String {
    let is_file = script.contains('/') || script.ends_with(".jar") || script.ends_with(".java");
    if runtime.dotted_names && !is_file {
        return script.rsplit('.').next().unwrap_or(script).to_owned();
    }
    let file = base(script);
    let stem = file.split('.').next().unwrap_or(file);
    let folder = script
        .rsplit('/')
        .nth(1)
        .filter(|folder| !folder.is_empty() && *folder != ".");
    match folder {
        Some(folder) if ["index", "main", "__main__", "cli"].contains(&stem) => {
            format!("{} {folder}/{file}", runtime.program)
        }
        _ => format!("{} {file}", runtime.program),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_named() {
        let cases = [
            (
                "node",
                "node /srv/shop/node_modules/vite/bin/vite.js --port 3000",
                "vite",
            ),
            ("node", "node /srv/shop/node_modules/.bin/vite", "vite"),
            ("next-server", "next-server (v15.1.0)", "next"),
            (
                "node",
                "node /a/node_modules/@angular/cli/bin/ng.js serve",
                "angular",
            ),
            ("node", "node --inspect server.js", "node server.js"),
            ("node", "node -r dotenv/config server.js", "node server.js"),
            ("node", "node api/index.js", "node api/index.js"),
            ("node", "node -e code", "node -e"),
            ("node", "node", "node"),
            ("deno", "deno run -A main.ts", "deno main.ts"),
            ("python3", "python3 -m http.server 8000", "http.server"),
            (
                "python3.11",
                "/usr/bin/python3.11 manage.py runserver 8000",
                "django",
            ),
            ("python3", "python3 /venv/bin/uvicorn app:app", "uvicorn"),
            (
                "uvicorn",
                "/venv/bin/python /venv/bin/uvicorn app:app",
                "uvicorn",
            ),
            ("python3", "python3 -m flask run", "flask"),
            ("python3", "python3 tools/app.py", "python app.py"),
            ("gunicorn", "gunicorn: master [shop]", "gunicorn"),
            ("ruby", "puma 6.4.0 (tcp://localhost:3000) [shop]", "puma"),
            ("ruby", "ruby bin/rails server", "rails"),
            (
                "java",
                "java -Xmx1g -jar /opt/shop/target/shop-1.0.jar",
                "java shop-1.0.jar",
            ),
            ("java", "java -cp a:b com.example.ShopServer", "ShopServer"),
            ("java", "java Server.java", "java Server.java"),
            ("java", "java -cp x kafka.Kafka server.properties", "kafka"),
            (
                "postgres",
                "/usr/lib/postgresql/15/bin/postgres -D /data",
                "postgres",
            ),
            ("redis-server", "redis-server 127.0.0.1:6379", "redis"),
            ("nginx", "nginx: master process /usr/sbin/nginx", "nginx"),
            (
                "docker-proxy",
                "/usr/bin/docker-proxy -proto tcp",
                "docker-proxy",
            ),
            ("php", "php artisan serve", "laravel"),
            ("shop", "target/debug/shop --port 1", "shop"),
        ];
        for (name, command, expected) in cases {
            let words: Vec<String> = if command.contains(": ") || command.contains(" (") {
                vec![command.to_owned()]
            } else {
                command.split(' ').map(str::to_owned).collect()
            };
            assert_eq!(identify(name, &words).name, expected, "{command}");
        }
    }

    #[test]
    fn no_name_stands_in_two_rows() {
        let mut names: Vec<&str> = PROGRAMS.iter().flat_map(|p| p.names).copied().collect();
        names.extend(
            SCRIPTS
                .iter()
                .flat_map(|(n, _)| *n)
                .copied()
                .filter(|n| !names.contains(n))
                .collect::<Vec<_>>(),
        );
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn an_empty_command_line_has_the_name_of_its_program() {
        assert_eq!(
            identify("kworker", &[]),
            Service {
                name: "kworker".into(),
                kind: Kind::Unknown
            }
        );
    }
}
