//! What is seen of commands, and what becomes of them for port 3001.

use std::ffi::OsString;
use std::path::Path;

use super::*;
use crate::model::Protocol;
use crate::run::words;
use proptest::strategy::Strategy as _;

mod python;
mod scripts;

const SHOP: &str = r#"{
  "name": "shop",
  "scripts": {
    "dev": "vite",
    "dev:api": "PORT=4000 node api.js",
    "five": "vite --port 5000",
    "astro-five": "astro dev --port 5000",
    "by-port": "next dev -p $PORT",
    "outer": "npm run dev",
    "open": "npm run dev -- --open",
    "through-pnpm": "pnpm dev",
    "build-first": "tsc && vite",
    "background": "vite & tsc -w",
    "watched": "tsc -w & vite",
    "piped": "vite | tee log",
    "logged": "vite > log 2>&1",
    "commented": "vite # the server",
    "grouped": "(vite)",
    "ended": "vite;",
    "quoted": "vite --config 'my vite.js'",
    "shell": "sh -c \"vite\"",
    "a": "npm run b", "b": "yarn a",
    "web": "cd web && npm run dev",
    "nested": "freeport run -- vite",
    "root": "sudo vite",
    "both": "concurrently \"vite\" \"npm:dev:api\"",
    "parallel": "run-p dev dev:api",
    "start": "next start",
    "ignores": "cross-env PORT=4000 vite",
    "heeds": "cross-env PORT=4000 next dev",
    "cra": "react-scripts start",
    "dashes": "flask run -- x",
    "broken": "vite 'x",
    "empty": "",
    "number": 5
  }
}"#;

fn files(file: &Path) -> Option<String> {
    let text = match file.to_str()? {
        "/shop/package.json" => SHOP,
        "/shop/web/package.json" => r#"{"scripts": {"dev": "astro dev"}}"#,
        "/deno/deno.json" => r#"{"tasks": {"dev": {"command": "vite"}, "x": "next dev"}}"#,
        "/broken/package.json" => "{\n  \"scripts\": {\n    \"dev\": vite\n  }\n}",
        "/bom/package.json" => "\u{feff}{\"scripts\": {\"dev\": \"vite\"}}",
        "/modern/.yarnrc.yml" => "",
        "/modern/package.json" | "/managed/package.json" => {
            r#"{"packageManager": "yarn@4.1.0", "scripts": {"dev": "vite", "outer": "npm run dev"}}"#
        }
        _ => return None,
    };
    Some(text.to_owned())
}

fn argv(line: &str) -> Vec<OsString> {
    let line = words::parse(line).unwrap();
    let words = line.commands.into_iter().flat_map(|command| command.words);
    words.map(|word| word.text.into()).collect()
}

fn seen(line: &str) -> Resolved {
    resolve(&argv(line), Path::new("/shop"), &files).unwrap()
}

fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

fn ports() -> Vec<Named> {
    vec![(Some("web".into()), port(3001), Protocol::Tcp)]
}

fn told(resolved: &Resolved) -> String {
    let arguments = resolved.arguments(&ports()).unwrap();
    let arguments = arguments
        .iter()
        .map(|word| words::quote(word.to_str().unwrap()));
    arguments.collect::<Vec<_>>().join(" ")
}

/// Checks lines such as `next: next dev => next dev -p 3001`: the framework, or `-`, the command,
/// and what it becomes, where that is something else.
fn check(cases: &str) {
    for case in cases.lines().map(str::trim).filter(|case| !case.is_empty()) {
        let (framework, case) = case.split_once(": ").unwrap();
        let (line, becomes) = case.split_once(" => ").unwrap_or((case, case));
        let resolved = seen(line);
        let name = resolved.framework.map_or("-", |framework| framework.name);
        assert_eq!(name, framework, "{line}");
        assert_eq!(told(&resolved), becomes, "{line}");
    }
}

#[test]
fn frameworks_are_told_their_port() {
    check(
        r#"
        vite: vite => vite --port 3001 --strictPort
        vite: vite dev => vite dev --port 3001 --strictPort
        vite: vite ./web --host => vite ./web --host --port 3001 --strictPort
        -: vite build
        vite preview: vite preview => vite preview --port 3001 --strictPort
        vite: vite --port 5000 => vite --port 3001 --strictPort
        vite: vite --port=5000 --strictPort => vite --port=3001 --strictPort
        vite: vite --port 1 --port 2 => vite --port 1 --port 3001 --strictPort
        vite: vite -- --port 5000 => vite --port 3001 --strictPort -- --port 5000
        vite: ./node_modules/.bin/vite => ./node_modules/.bin/vite --port 3001 --strictPort
        vite: react-router dev => react-router dev --port 3001 --strictPort
        next: next dev => next dev -p 3001
        next: next dev -p5000 => next dev -p3001
        next: next dev --port 5000 web => next dev --port 3001 web
        -: next build
        create-react-app: react-scripts start
        angular: ng serve --open => ng serve --open --port 3001
        storybook: storybook dev => storybook dev -p 3001 --exact-port
        webpack-dev-server: webpack serve --port auto => webpack serve --port 3001
        -: webpack
        eleventy: eleventy --serve => eleventy --serve --port=3001
        -: eleventy
        deno serve: deno serve main.ts => deno serve --port 3001 main.ts
        deno serve: deno serve --port=1 main.ts x => deno serve --port=3001 main.ts x
        rails: bundle exec rails s => bundle exec rails s -p 3001
        rails: bin/rails server -e test => bin/rails server -e test -p 3001
        artisan: php artisan serve => php artisan serve --port=3001
        php -S: php -S localhost:8000 -t public => php -S localhost:3001 -t public
        -: php index.php
        spring boot: ./mvnw spring-boot:run
        hugo: hugo server -D => hugo server -D --port 3001
        cargo-leptos: cargo leptos watch
        -: cargo run
        "#,
    );
}

#[test]
fn launchers_are_looked_through() {
    check(
        r#"
        vite: npx vite => npx vite --port 3001 --strictPort
        vite: npx -y vite@latest => npx -y vite@latest --port 3001 --strictPort
        vite: npx -p vite -- vite dev => npx -p vite -- vite dev --port 3001 --strictPort
        vite: npx vite -c x.js => npx vite -c x.js --port 3001 --strictPort
        vite: deno run -A npm:vite@7 => deno run -A npm:vite@7 --port 3001 --strictPort
        vite: npx -c 'vite --host' => npx -c 'vite --host --port 3001 --strictPort'
        angular: npx @angular/cli@19 serve => npx @angular/cli@19 serve --port 3001
        vite: npm exec vite => npm exec vite -- --port 3001 --strictPort
        vite: npm exec -- vite --host => npm exec -- vite --host --port 3001 --strictPort
        vite: npm exec vite -- --host => npm exec vite -- --host --port 3001 --strictPort
        vite: npm exec -c 'vite' => npm exec -c 'vite --port 3001 --strictPort'
        vite: pnpm exec vite => pnpm exec vite --port 3001 --strictPort
        vite: pnpm dlx vite => pnpm dlx vite --port 3001 --strictPort
        vite: pnpm vite => pnpm vite --port 3001 --strictPort
        vite: yarn vite --host => yarn vite --host --port 3001 --strictPort
        vite: yarn exec vite => yarn exec vite -- --port 3001 --strictPort
        vite: yarn exec -- vite => yarn exec -- vite --port 3001 --strictPort
        vite: yarn dlx -p vite vite => yarn dlx -p vite vite --port 3001 --strictPort
        vite: bunx --bun vite => bunx --bun vite --port 3001 --strictPort
        vite: bun x vite => bun x vite --port 3001 --strictPort
        vite: bun vite => bun vite --port 3001 --strictPort
        angular: node node_modules/@angular/cli/bin/ng.js serve => node node_modules/@angular/cli/bin/ng.js serve --port 3001
        vite: node node_modules/vite/bin/vite.js => node node_modules/vite/bin/vite.js --port 3001 --strictPort
        next: node --inspect ./node_modules/.bin/next dev => node --inspect ./node_modules/.bin/next dev -p 3001
        -: node server.js
        vite: env -u X A=B vite => env -u X A=B vite --port 3001 --strictPort
        next: env PORT=4000 next dev => env PORT=3001 next dev -p 3001
        -: env PORT=4000 node x.js => env PORT=3001 node x.js
        flask: env FLASK_RUN_PORT=1 flask run => env FLASK_RUN_PORT=3001 flask run --port 3001
        cargo-leptos: env LEPTOS_SITE_ADDR=0.0.0.0:1 cargo leptos serve => env LEPTOS_SITE_ADDR=0.0.0.0:3001 cargo leptos serve
        vite: cross-env NODE_ENV=x vite => cross-env NODE_ENV=x vite --port 3001 --strictPort
        vite: dotenv -e .env -- vite => dotenv -e .env -- vite --port 3001 --strictPort
        vite: dotenv -e .env vite => dotenv -e .env vite -- --port 3001 --strictPort
        vite: nice -n 5 time vite => nice -n 5 time vite --port 3001 --strictPort
        vite: timeout -k 1 60 vite => timeout -k 1 60 vite --port 3001 --strictPort
        vite: direnv exec . vite => direnv exec . vite --port 3001 --strictPort
        vite: mise exec node@22 -- vite => mise exec node@22 -- vite --port 3001 --strictPort
        flask: nodemon --exec 'flask run' => nodemon --exec 'flask run --port 3001'
        -: nodemon x.js
        "#,
    );
}

#[test]
fn shell_lines_are_changed_where_the_server_is() {
    check(
        r#"
        vite: sh -c vite => sh -c 'vite --port 3001 --strictPort'
        vite: bash -lc 'tsc && vite' => bash -lc 'tsc && vite --port 3001 --strictPort'
        vite: sh -c 'vite & tsc -w' => sh -c 'vite --port 3001 --strictPort & tsc -w'
        vite: sh -c 'vite | tee log' => sh -c 'vite --port 3001 --strictPort | tee log'
        vite: sh -c '(cd web; vite) # x' => sh -c '(cd web; vite --port 3001 --strictPort) # x'
        vite: sh -c 'if true; then vite; fi' => sh -c 'if true; then vite --port 3001 --strictPort; fi'
        vite: sh -c 'exec vite --port 5000' => sh -c 'exec vite --port 3001 --strictPort'
        vite: sh -c 'vite -- x' => sh -c 'vite --port 3001 --strictPort -- x'
        -: sh -c 'PORT=4000 node x.js' => sh -c 'PORT=3001 node x.js'
        -: sh -c 'export PORT=4000; node x.js' => sh -c 'export PORT=3001; node x.js'
        next: sh -c 'next dev -p $PORT'
        vite: sh -c 'vite --port ${PORT:-1}' => sh -c 'vite --port ${PORT:-1} --strictPort'
        vite: sh -c "sh -c 'vite'" => sh -c 'sh -c '\''vite --port 3001 --strictPort'\'''
        vite: sh -c 'npm run dev' => sh -c 'npm run dev -- --port 3001 --strictPort'
        vite: sh -c 'npm run dev && x' => sh -c 'npm run dev -- --port 3001 --strictPort && x'
        -: sh -c '$RUN'
        -: sh x.sh
        -: sh -c "vite 'x" => sh -c 'vite '\''x'
        vite: bash -o pipefail -c 'vite' => bash -o pipefail -c 'vite --port 3001 --strictPort'
        vite: concurrently vite 'tsc -w'
        "#,
    );
}

#[test]
fn ports_that_commands_name_are_seen() {
    for (line, named) in [
        ("vite", None),
        ("vite --port 5000", Some(5000)),
        ("npm run five", Some(5000)),
        ("npm run dev -- --port 5001", Some(5001)),
        ("env PORT=4000 node x", Some(4000)),
        ("env PORT=4000 vite", None),
        ("env PORT=4000 next dev -p 1", Some(1)),
        ("npm run heeds", Some(4000)),
        ("npm run ignores", None),
        ("webpack serve --port auto", None),
        ("vite --port 70000", None),
        ("manage.py runserver 127.0.0.1:8001", Some(8001)),
        ("sh -c 'PORT=$X node x'", None),
    ] {
        assert_eq!(seen(line).named.map(Port::get), named, "{line}");
    }
}

#[test]
fn placeholders_say_where_the_port_goes() {
    for (line, becomes) in [
        ("serve-it --at {port}", "serve-it --at 3001"),
        ("x a{port}b{port:web} {port", "x a3001b3001 '{port'"),
        ("vite --port {port}", "vite --port 3001 --strictPort"),
        ("vite --hmr {port}", "vite --hmr 3001"),
        (
            "manage.py runserver 0.0.0.0:{port}",
            "manage.py runserver 0.0.0.0:3001",
        ),
        (
            "sh -c 'x ${port} {{port}} {port}'",
            "sh -c 'x ${port} {{port}} 3001'",
        ),
        (
            "x {ports} {port:} {port:a{port}",
            "x '{ports}' '{port:}' '{port:a3001'",
        ),
    ] {
        let resolved = seen(line);
        assert_eq!(resolved.telling, Telling::Placeholder, "{line}");
        assert_eq!(told(&resolved), becomes, "{line}");
    }
    assert_eq!(seen("sh -c 'x ${port}'").telling, Telling::PerhapsVariable);
    let unknown = seen("x {port:db}").arguments(&ports()).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "{port:db} names a service that has no port here: those that have are web"
    );
    let several = [
        (Some("dns".into()), port(53), Protocol::Udp),
        (Some("web".into()), port(3001), Protocol::Tcp),
    ];
    let words = seen("x {port} {port:dns}").arguments(&several).unwrap();
    assert_eq!(words, ["x", "3001", "53"]);
    let words = seen("vite").arguments(&[]).unwrap();
    assert_eq!(words, ["vite"], "without a port there is nothing to tell");
}

#[test]
fn services_have_names() {
    for (line, service) in [
        ("npm run dev", "dev"),
        ("npm run outer", "outer"),
        ("npm start", "start"),
        ("vite", "vite"),
        ("/usr/bin/server --x", "server"),
        ("node server.js", "node"),
        ("env A=B ./server", "server"),
        ("npm run no-such", "npm"),
        ("sh -c 'a | b'", "a"),
        ("sh -c ''", "app"),
        (" ", "app"),
    ] {
        assert_eq!(seen(line).service, service, "{line}");
    }
}

#[test]
fn rights_are_seen_wherever_they_are() {
    for (line, gains) in [
        ("sudo -u x vite", true),
        ("sudo A=B vite", true),
        ("doas vite", true),
        ("sh -c 'a && sudo b'", true),
        ("npm run root", true),
        ("su -c 'vite' x", true),
        ("npm run dev", false),
        ("echo sudo", false),
    ] {
        assert_eq!(seen(line).gains_rights, gains, "{line}");
    }
    assert_eq!(
        told(&seen("sudo -u x vite")),
        "sudo -u x vite --port 3001 --strictPort"
    );
    assert_eq!(
        told(&seen("su -c 'vite' x")),
        "su -c 'vite --port 3001 --strictPort' x"
    );
}

#[test]
fn what_cannot_be_followed_is_said() {
    for (line, said) in [
        (
            "npm run a",
            "the script 'a' in /shop/package.json runs itself",
        ),
        ("yarn b", "the script 'b' in /shop/package.json runs itself"),
        (
            "npm -w web run dev",
            "scripts of other packages ('-w') are not looked into: start it in the package's folder, or say the port with {port}",
        ),
        (
            "npm run dev --workspace=web",
            "scripts of other packages ('--workspace') are not looked into: start it in the package's folder, or say the port with {port}",
        ),
        (
            "pnpm --filter web dev",
            "scripts of other packages ('--filter') are not looked into: start it in the package's folder, or say the port with {port}",
        ),
        (
            "yarn workspace web dev",
            "scripts of other packages ('workspace') are not looked into: start it in the package's folder, or say the port with {port}",
        ),
        (
            "sh -c 'vite & storybook dev'",
            "the command starts vite and storybook: wrap them one by one, for a port each",
        ),
    ] {
        let notes: Vec<String> = seen(line).notes.iter().map(Note::to_string).collect();
        assert_eq!(notes, [said], "{line}");
    }
    let deep = format!("{}vite", "nice ".repeat(100));
    assert_eq!(seen(&deep).notes, [Note::TooDeep]);
    for nested in ["freeport run -- vite", "npm run nested"] {
        assert!(seen(nested).is_nested, "{nested}");
        assert!(seen(nested).framework.is_none(), "{nested}");
    }
}

#[test]
fn arguments_that_are_not_text_are_kept() {
    let odd = crate::platform::os_text(vec![b'x', 0xff]);
    let command = [OsString::from("vite"), odd.clone()];
    let resolved = resolve(&command, Path::new("/shop"), &files).unwrap();
    assert_eq!(resolved.arguments(&ports()).unwrap()[1], odd);
    let empty = resolve(&[], Path::new("/shop"), &files).unwrap();
    assert_eq!(empty.arguments(&ports()).unwrap(), [""; 0]);
}

proptest::proptest! {
    #[test]
    fn any_command_can_be_looked_into(
        words in proptest::collection::vec(
            proptest::prop_oneof![
                proptest::sample::select(vec![
                    "npm", "run", "dev", "sh", "-c", "vite", "--", "--port", "5000", "env", "PORT=1",
                    "python", "-m", "http.server", "npx", "a", "bun", "yarn", "nice", "{port}",
                    "sh -c 'vite --port 1' && npm run a", "php", "-S", "deno", "serve", "gunicorn",
                    "concurrently", "-b", "nodemon", "sudo", "both",
                ]).prop_map(str::to_owned),
                "\\PC{0,12}",
            ],
            0..8,
        )
    ) {
        let command: Vec<OsString> = words.iter().map(OsString::from).collect();
        let resolved = resolve(&command, Path::new("/shop"), &files).unwrap();
        let becomes = resolved.arguments(&[(None, port(3001), Protocol::Tcp)]);
        if resolved.telling != Telling::Words && resolved.telling != Telling::Placeholder
            && let Ok(becomes) = becomes
        {
            // Only what has the port where it is to be may get the strict option.
            proptest::prop_assert!(becomes.len() <= command.len() + 1);
        }
        proptest::prop_assert!(reservation::check_name(&resolved.service).is_ok());
    }
}
