//! Real development servers through `freeport run`: each is on the port that it was told, also when
//! the one that it would take by itself is somebody else's, and leaves nothing behind.
//!
//! `tests/frameworks/install.sh` installs them; what is not installed is skipped, and says so.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

#[path = "dbus/network.rs"]
mod network;
#[path = "frameworks/own.rs"]
mod own;
#[path = "frameworks/reload.rs"]
mod reload;
#[path = "frameworks/serve.rs"]
mod serve;
#[path = "frameworks/server.rs"]
mod server;

use reload::{copy_reloads, reloads};
use serve::{Site, installed, project};
use server::{Server, moved, open, serves, told};
use support::processes::has_ipv6;

/// Those of a project that is installed. A project is used by one test only, as what it has built is
/// in its folder.
fn all_serve(name: &str, servers: &[Server]) {
    if let Some(folder) = project(name) {
        servers.iter().for_each(|server| serves(&folder, server));
    }
}

/// A configuration by which vite and astro send a header.
const HEADER: &str = "export default { server: { headers: { 'x-shop': 'shop-one' } } };\n";

#[test]
fn vite() {
    let site = "vite-shop";
    all_serve(
        "vite",
        &[
            told("npx vite", "vite", 5173, site),
            told("npm run dev", "dev", 5173, site),
            told("npm run named", "named", 5300, site),
        ],
    );
    if project("pnpm").is_some() {
        all_serve("vite", &[told("pnpm dev", "dev", 5173, site)]);
    }
    reloads("vite", "npm run dev", 5173, "vite.config.js", HEADER);
    vite_does_not_share_localhost_with_another_server();
}

fn vite_does_not_share_localhost_with_another_server() {
    let Some(folder) = project("vite") else {
        return;
    };
    // By itself it would start beside a server on the other address.
    for at in ["127.0.0.1", "::1"] {
        let site = Site::new(&folder);
        if !site.has(&[5173]) || at == "::1" && !has_ipv6() {
            return;
        }
        let other = site.occupy_at(at, 5173);
        let run = site.run("npx vite");
        let port = run.other_port(5173, &other);
        run.answers(port, "vite-shop");
        run.ends(port);
    }
}

#[test]
fn next() {
    all_serve("next", &[open("npm run dev", "dev", 3000, "next-shop")]);
    let text = "export default { devIndicators: false, headers: async () => \
                [{ source: '/', headers: [{ key: 'x-shop', value: 'shop-one' }] }] };\n";
    reloads("next", "npm run dev", 3000, "next.config.mjs", text);
}

#[test]
fn astro() {
    let named = Server {
        is_local: true,
        ..moved("npm run named", "named", 4400, "astro-shop")
    };
    all_serve(
        "astro",
        &[told("npm run dev", "dev", 4321, "astro-shop"), named],
    );
    reloads("astro", "npm run dev", 4321, "astro.config.mjs", HEADER);
}

#[test]
fn nuxt() {
    all_serve("nuxt", &[open("npm run dev", "dev", 3000, "nuxt-shop")]);
    two_nuxts_do_not_take_the_site_for_the_hot_reload();
}

fn two_nuxts_do_not_take_the_site_for_the_hot_reload() {
    let Some(folder) = project("nuxt") else {
        return;
    };
    let site = Site::new(&folder);
    if !site.has(&[3000, 24678]) {
        return;
    }
    // What the first one has.
    let (web, reload) = (site.occupy(3000), site.occupy(24678));
    let run = site.run("npm run dev");
    let port = run.other_port(3000, &web);
    run.answers(port, "nuxt-shop");
    run.ends(port);
    assert!(reload.is_alive());
}

#[test]
fn webpack() {
    let server = open("npm run dev", "dev", 8080, "webpack-shop");
    all_serve("webpack", &[server]);
}

#[test]
fn django_and_flask() {
    let site = "python-shop";
    all_serve(
        "python",
        &[
            told("python manage.py runserver", "django", 8000, site),
            told("python manage.py runserver 8123", "django", 8123, site),
            told("flask --app app run", "flask", 5000, site),
            told("flask --app app run --debug", "flask", 5000, site),
        ],
    );
    if let Some(folder) = project("python") {
        copy_reloads(&folder, "python manage.py runserver", 8000, "manage.py");
        copy_reloads(&folder, "flask --app app run --debug", 5000, "app.py");
    }
}

#[test]
fn uvicorn_and_gunicorn() {
    let site = "python-shop";
    all_serve(
        "python",
        &[
            told("uvicorn app:asgi", "uvicorn", 8000, site),
            told("uvicorn app:asgi --reload", "uvicorn", 8000, site),
            told("gunicorn app:wsgi", "gunicorn", 8000, site),
            told(
                "gunicorn -b 127.0.0.1:8200 app:wsgi",
                "gunicorn",
                8200,
                site,
            ),
        ],
    );
    if let Some(folder) = project("python") {
        copy_reloads(&folder, "uvicorn app:asgi --reload", 8000, "app.py");
        copy_reloads(&folder, "gunicorn --reload app:wsgi", 8000, "app.py");
    }
}

#[test]
fn python_serves_a_folder() {
    let folder = project("python").unwrap_or_else(|| installed().join("../../tests/frameworks"));
    for server in [
        open(
            "python3 -m http.server",
            "http.server",
            8000,
            "Directory listing",
        ),
        open(
            "python3 -m http.server {port}",
            "http.server",
            8000,
            "Directory listing",
        ),
    ] {
        serves(&folder, &server);
    }
}
