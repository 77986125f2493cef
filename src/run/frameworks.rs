//! The table of frameworks: what starts each, what tells it its port, and what it does by itself.
//! Data only; `docs/frameworks.md` says the same for people.
//!
//! A fact that was seen in a run names the version in `seen_with`; the others are from the
//! framework's own documentation or source.

use super::framework::Heeds::{No, Yes};
use super::framework::WhenBusy::{Asks, Fails, TakesAnother, TakesAnotherUnlessTold, Unknown};
use super::framework::{Framework, Start, Told, Verbs};

/// Every framework that is known. What comes first is looked for first.
pub fn all() -> &'static [Framework] {
    FRAMEWORKS
}

/// The value of most rows: what differs is said in each.
const PLAIN: Framework = Framework {
    name: "",
    started_by: &[],
    told: LONG,
    strict: &[],
    variables: &[],
    heeds: No,
    default_port: 0,
    when_busy: Unknown,
    seen_with: "",
};

/// `--port N`.
const LONG: Told = option(&["--port"], &["--port", "{port}"]);
/// The same, where the last of several counts.
const LONG_LAST: Told = last_of(&["--port"], &["--port", "{port}"]);
/// `--port N`, which `-p N` is short for.
const LONG_OR_P: Told = option(&["--port", "-p"], &["--port", "{port}"]);
/// The same, where the last of several counts.
const LONG_OR_P_LAST: Told = last_of(&["--port", "-p"], &["--port", "{port}"]);
/// `-p N`.
const P: Told = option(&["-p", "--port"], &["-p", "{port}"]);
/// The same, where the last of several counts.
const P_LAST: Told = last_of(&["-p", "--port"], &["-p", "{port}"]);
/// `-b ADDRESS:N`.
const BIND: Told = option(&["-b", "--bind"], &["-b", "127.0.0.1:{port}"]);

const fn option(names: &'static [&'static str], written: &'static [&'static str]) -> Told {
    Told::Option {
        names,
        written,
        first: false,
        last_counts: false,
    }
}

const fn last_of(names: &'static [&'static str], written: &'static [&'static str]) -> Told {
    Told::Option {
        names,
        written,
        first: false,
        last_counts: true,
    }
}

const fn program(programs: &'static [&'static str], verbs: Verbs) -> Start {
    Start {
        programs,
        is_module: false,
        verbs,
    }
}

const fn module(programs: &'static [&'static str], verbs: Verbs) -> Start {
    Start {
        programs,
        is_module: true,
        verbs,
    }
}

const FRAMEWORKS: &[Framework] = &[
    // JavaScript
    Framework {
        name: "vite preview",
        started_by: &[program(&["vite"], Verbs::Only(&["preview"]))],
        told: LONG_LAST,
        strict: &["--strictPort"],
        default_port: 4173,
        when_busy: TakesAnother,
        ..PLAIN
    },
    Framework {
        name: "vite",
        started_by: &[
            program(&["vite"], Verbs::AllBut(&["build", "optimize"])),
            program(&["react-router", "vitepress"], Verbs::Only(&["dev"])),
            program(&["remix"], Verbs::Only(&["vite:dev"])),
        ],
        told: LONG_LAST,
        strict: &["--strictPort"],
        default_port: 5173,
        when_busy: TakesAnother,
        seen_with: "7.3, 8.3",
        ..PLAIN
    },
    Framework {
        name: "next",
        started_by: &[program(&["next"], Verbs::Only(&["dev", "start"]))],
        told: P_LAST,
        heeds: Yes,
        default_port: 3000,
        when_busy: TakesAnotherUnlessTold,
        seen_with: "15.5, 16.4",
        ..PLAIN
    },
    Framework {
        name: "create-react-app",
        started_by: &[program(
            &["react-scripts", "react-app-rewired", "craco"],
            Verbs::Only(&["start"]),
        )],
        told: Told::Nowhere,
        heeds: Yes,
        default_port: 3000,
        when_busy: Asks,
        ..PLAIN
    },
    Framework {
        name: "nuxt",
        started_by: &[program(
            &["nuxt", "nuxi", "nuxt-cli"],
            Verbs::Only(&["dev", "preview"]),
        )],
        told: LONG_OR_P_LAST,
        variables: &[("NUXT_PORT", "{port}"), ("NITRO_PORT", "{port}")],
        heeds: Yes,
        default_port: 3000,
        when_busy: TakesAnother,
        seen_with: "3.21",
        ..PLAIN
    },
    Framework {
        name: "astro",
        started_by: &[program(&["astro"], Verbs::Only(&["dev", "preview"]))],
        default_port: 4321,
        when_busy: TakesAnother,
        seen_with: "5.18",
        ..PLAIN
    },
    Framework {
        name: "angular",
        started_by: &[program(
            &["ng", "@angular/cli"],
            Verbs::Only(&["serve", "s", "dev"]),
        )],
        default_port: 4200,
        when_busy: Asks,
        ..PLAIN
    },
    Framework {
        name: "webpack-dev-server",
        started_by: &[
            program(
                &["webpack", "webpack-cli"],
                Verbs::Only(&["serve", "server", "s"]),
            ),
            program(&["webpack-dev-server"], Verbs::Any),
        ],
        told: LONG_LAST,
        variables: &[("WEBPACK_DEV_SERVER_BASE_PORT", "{port}")],
        default_port: 8080,
        when_busy: TakesAnotherUnlessTold,
        seen_with: "5.2",
        ..PLAIN
    },
    Framework {
        name: "rspack",
        started_by: &[program(
            &["rspack"],
            Verbs::Only(&["serve", "server", "s", "dev"]),
        )],
        default_port: 8080,
        when_busy: Fails,
        seen_with: "1.7",
        ..PLAIN
    },
    Framework {
        name: "rsbuild",
        started_by: &[program(&["rsbuild"], Verbs::Only(&["dev", "preview"]))],
        default_port: 3000,
        when_busy: TakesAnother,
        seen_with: "1.7",
        ..PLAIN
    },
    Framework {
        name: "storybook",
        started_by: &[
            program(&["storybook", "sb"], Verbs::Only(&["dev"])),
            program(&["start-storybook"], Verbs::Any),
        ],
        told: P,
        strict: &["--exact-port"],
        variables: &[("SBCONFIG_PORT", "{port}")],
        default_port: 6006,
        when_busy: Asks,
        ..PLAIN
    },
    Framework {
        name: "vue-cli",
        started_by: &[program(&["vue-cli-service"], Verbs::Only(&["serve"]))],
        heeds: Yes,
        default_port: 8080,
        when_busy: TakesAnother,
        ..PLAIN
    },
    Framework {
        name: "gatsby",
        started_by: &[program(&["gatsby"], Verbs::Only(&["develop"]))],
        told: P,
        heeds: Yes,
        default_port: 8000,
        when_busy: Asks,
        ..PLAIN
    },
    Framework {
        name: "parcel",
        started_by: &[program(
            &["parcel"],
            Verbs::AllBut(&["build", "watch", "help"]),
        )],
        told: P_LAST,
        heeds: Yes,
        default_port: 1234,
        when_busy: TakesAnotherUnlessTold,
        seen_with: "2.16",
        ..PLAIN
    },
    Framework {
        name: "eleventy",
        started_by: &[program(
            &["eleventy", "@11ty/eleventy"],
            Verbs::With(&["--serve"]),
        )],
        told: option(&["--port"], &["--port={port}"]),
        default_port: 8080,
        when_busy: TakesAnother,
        seen_with: "2.0",
        ..PLAIN
    },
    Framework {
        name: "docusaurus",
        started_by: &[program(&["docusaurus"], Verbs::Only(&["start", "serve"]))],
        told: LONG_OR_P,
        default_port: 3000,
        when_busy: Asks,
        ..PLAIN
    },
    Framework {
        name: "ember",
        started_by: &[program(
            &["ember", "ember-cli"],
            Verbs::Only(&["serve", "server", "s"]),
        )],
        told: LONG_OR_P,
        heeds: Yes,
        default_port: 4200,
        ..PLAIN
    },
    Framework {
        name: "expo",
        started_by: &[program(&["expo"], Verbs::Only(&["start"]))],
        told: LONG_OR_P,
        variables: &[("RCT_METRO_PORT", "{port}")],
        default_port: 8081,
        when_busy: Asks,
        ..PLAIN
    },
    Framework {
        name: "wrangler",
        started_by: &[program(&["wrangler"], Verbs::Only(&["dev"]))],
        default_port: 8787,
        when_busy: TakesAnotherUnlessTold,
        ..PLAIN
    },
    Framework {
        name: "http-server",
        started_by: &[program(&["http-server"], Verbs::Any)],
        told: P,
        heeds: Yes,
        default_port: 8080,
        when_busy: TakesAnotherUnlessTold,
        seen_with: "14.1",
        ..PLAIN
    },
    Framework {
        name: "serve",
        started_by: &[program(&["serve"], Verbs::Any)],
        told: option(&["-l", "--listen", "-p"], &["-l", "{port}"]),
        heeds: Yes,
        default_port: 3000,
        when_busy: TakesAnother,
        seen_with: "14.2",
        ..PLAIN
    },
    Framework {
        name: "json-server",
        started_by: &[program(&["json-server"], Verbs::Any)],
        told: LONG_OR_P,
        default_port: 3000,
        when_busy: Fails,
        seen_with: "0.17",
        ..PLAIN
    },
    Framework {
        name: "live-server",
        started_by: &[program(&["live-server"], Verbs::Any)],
        told: option(&["--port"], &["--port={port}"]),
        heeds: Yes,
        default_port: 8080,
        when_busy: TakesAnother,
        ..PLAIN
    },
    Framework {
        name: "deno serve",
        started_by: &[program(&["deno"], Verbs::Only(&["serve"]))],
        told: Told::Option {
            names: &["--port"],
            written: &["--port", "{port}"],
            first: true,
            last_counts: false,
        },
        default_port: 8000,
        ..PLAIN
    },
    // Python
    Framework {
        name: "django",
        started_by: &[
            program(
                &["manage.py", "django-admin", "django-admin.py"],
                Verbs::Only(&["runserver", "runserver_plus"]),
            ),
            module(&["django"], Verbs::Only(&["runserver"])),
        ],
        told: Told::Argument {
            switches: &[
                "--noreload",
                "--nothreading",
                "--ipv6",
                "-6",
                "--insecure",
                "--nostatic",
                "--skip-checks",
                "--no-color",
                "--force-color",
                "--traceback",
                "--version",
            ],
        },
        default_port: 8000,
        when_busy: Fails,
        seen_with: "5.2",
        ..PLAIN
    },
    Framework {
        name: "flask",
        started_by: &[
            program(&["flask"], Verbs::Only(&["run"])),
            module(&["flask"], Verbs::Only(&["run"])),
        ],
        told: LONG_OR_P_LAST,
        variables: &[("FLASK_RUN_PORT", "{port}")],
        default_port: 5000,
        when_busy: Fails,
        seen_with: "3.1",
        ..PLAIN
    },
    Framework {
        name: "fastapi",
        started_by: &[
            program(&["fastapi"], Verbs::Only(&["dev", "run"])),
            module(&["fastapi"], Verbs::Only(&["dev", "run"])),
        ],
        told: LONG_LAST,
        heeds: Yes,
        default_port: 8000,
        when_busy: Fails,
        seen_with: "0.165",
        ..PLAIN
    },
    Framework {
        name: "uvicorn",
        started_by: &[
            program(&["uvicorn"], Verbs::Any),
            module(&["uvicorn"], Verbs::Any),
        ],
        told: LONG_LAST,
        variables: &[("UVICORN_PORT", "{port}")],
        default_port: 8000,
        when_busy: Fails,
        seen_with: "0.54",
        ..PLAIN
    },
    Framework {
        name: "gunicorn",
        started_by: &[
            program(&["gunicorn"], Verbs::Any),
            module(&["gunicorn"], Verbs::Any),
        ],
        told: BIND,
        // It is told nothing but PORT where its words cannot be changed: all addresses, then.
        heeds: Yes,
        default_port: 8000,
        when_busy: Fails,
        seen_with: "27.0",
        ..PLAIN
    },
    Framework {
        name: "hypercorn",
        started_by: &[
            program(&["hypercorn"], Verbs::Any),
            module(&["hypercorn"], Verbs::Any),
        ],
        told: BIND,
        default_port: 8000,
        when_busy: Fails,
        seen_with: "0.18",
        ..PLAIN
    },
    Framework {
        name: "daphne",
        started_by: &[
            program(&["daphne"], Verbs::Any),
            module(&["daphne"], Verbs::Any),
        ],
        told: P,
        default_port: 8000,
        when_busy: Fails,
        seen_with: "4.2",
        ..PLAIN
    },
    Framework {
        name: "waitress",
        started_by: &[
            program(&["waitress-serve"], Verbs::Any),
            module(&["waitress"], Verbs::Any),
        ],
        told: Told::Option {
            names: &["--port"],
            written: &["--port={port}"],
            first: true,
            last_counts: false,
        },
        default_port: 8080,
        when_busy: Fails,
        seen_with: "3.0",
        ..PLAIN
    },
    Framework {
        name: "streamlit",
        started_by: &[
            program(&["streamlit"], Verbs::Only(&["run", "hello"])),
            module(&["streamlit"], Verbs::Only(&["run", "hello"])),
        ],
        told: option(&["--server.port"], &["--server.port", "{port}"]),
        variables: &[("STREAMLIT_SERVER_PORT", "{port}")],
        default_port: 8501,
        when_busy: TakesAnotherUnlessTold,
        ..PLAIN
    },
    Framework {
        name: "mkdocs",
        started_by: &[
            program(&["mkdocs"], Verbs::Only(&["serve"])),
            module(&["mkdocs"], Verbs::Only(&["serve"])),
        ],
        told: last_of(&["-a", "--dev-addr"], &["-a", "127.0.0.1:{port}"]),
        default_port: 8000,
        when_busy: Fails,
        seen_with: "1.6",
        ..PLAIN
    },
    Framework {
        name: "http.server",
        started_by: &[module(&["http.server"], Verbs::Any)],
        told: Told::Argument {
            switches: &["--cgi"],
        },
        default_port: 8000,
        when_busy: Fails,
        seen_with: "3.11",
        ..PLAIN
    },
    // Ruby
    Framework {
        name: "rails",
        started_by: &[program(&["rails"], Verbs::Only(&["server", "s"]))],
        told: P,
        // Two servers of one folder would refuse to start over the same file.
        variables: &[("PIDFILE", "tmp/pids/server-{port}.pid")],
        heeds: Yes,
        default_port: 3000,
        when_busy: Fails,
        ..PLAIN
    },
    Framework {
        name: "puma",
        started_by: &[program(&["puma"], Verbs::Any)],
        told: P,
        heeds: Yes,
        default_port: 9292,
        when_busy: Fails,
        ..PLAIN
    },
    Framework {
        name: "rackup",
        started_by: &[program(&["rackup"], Verbs::Any)],
        told: P,
        default_port: 9292,
        when_busy: Fails,
        ..PLAIN
    },
    Framework {
        name: "jekyll",
        started_by: &[program(&["jekyll"], Verbs::Only(&["serve", "server", "s"]))],
        told: option(&["--port", "-P"], &["--port", "{port}"]),
        default_port: 4000,
        ..PLAIN
    },
    // PHP
    Framework {
        name: "artisan",
        started_by: &[program(&["artisan"], Verbs::Only(&["serve"]))],
        told: option(&["--port"], &["--port={port}"]),
        variables: &[("SERVER_PORT", "{port}")],
        default_port: 8000,
        when_busy: TakesAnother,
        ..PLAIN
    },
    Framework {
        name: "php -S",
        started_by: &[program(&["php"], Verbs::With(&["-S"]))],
        told: option(&["-S"], &["-S", "localhost:{port}"]),
        // It has none: the command always says it.
        default_port: 0,
        when_busy: Fails,
        ..PLAIN
    },
    Framework {
        name: "symfony",
        started_by: &[program(
            &["symfony"],
            Verbs::Only(&["server:start", "serve", "local:server:start"]),
        )],
        told: option(&["--port"], &["--port={port}"]),
        default_port: 8000,
        when_busy: TakesAnotherUnlessTold,
        ..PLAIN
    },
    // Java
    Framework {
        name: "spring boot",
        started_by: &[
            program(&["mvn", "mvnw"], Verbs::With(&["spring-boot:run"])),
            program(
                &["gradle", "gradlew"],
                Verbs::With(&["bootRun", ":bootRun"]),
            ),
        ],
        told: Told::Nowhere,
        variables: &[("SERVER_PORT", "{port}")],
        default_port: 8080,
        when_busy: Fails,
        ..PLAIN
    },
    Framework {
        name: "quarkus",
        started_by: &[
            program(&["quarkus"], Verbs::Only(&["dev"])),
            program(&["mvn", "mvnw"], Verbs::With(&["quarkus:dev"])),
            program(
                &["gradle", "gradlew"],
                Verbs::With(&["quarkusDev", ":quarkusDev"]),
            ),
        ],
        told: Told::Nowhere,
        variables: &[("QUARKUS_HTTP_PORT", "{port}")],
        default_port: 8080,
        when_busy: Fails,
        ..PLAIN
    },
    // Rust, Go
    Framework {
        name: "trunk",
        started_by: &[program(&["trunk"], Verbs::Only(&["serve"]))],
        variables: &[("TRUNK_SERVE_PORT", "{port}")],
        default_port: 8080,
        ..PLAIN
    },
    Framework {
        name: "cargo-leptos",
        started_by: &[
            program(
                &["cargo-leptos"],
                Verbs::Only(&["leptos", "serve", "watch"]),
            ),
            program(&["cargo"], Verbs::Only(&["leptos"])),
        ],
        told: Told::Nowhere,
        variables: &[("LEPTOS_SITE_ADDR", "127.0.0.1:{port}")],
        default_port: 3000,
        ..PLAIN
    },
    Framework {
        name: "hugo",
        started_by: &[program(&["hugo"], Verbs::Only(&["server", "serve"]))],
        told: LONG_OR_P,
        default_port: 1313,
        when_busy: TakesAnotherUnlessTold,
        ..PLAIN
    },
];
