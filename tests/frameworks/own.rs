//! Servers that people write themselves, of which nothing is known but what they ask for.

use std::path::{Path, PathBuf};
use std::process::Command;

use freeport::platform::seam::Seam;

use crate::reload::copy_reloads;
use crate::serve::Site;
use crate::server::{Server, moved, open, serves};
use crate::support::{Home, skipped, there_is};

#[test]
fn a_node_server_of_ones_own() {
    if !there_is("node") || !there_is("npm") {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frameworks/projects/node");
    let site = "node-shop";
    for server in [
        open("node server.js", "node", 3000, site),
        open("npm run dev", "dev", 3000, site),
        moved("npm run fixed", "fixed", 3000, site),
    ] {
        serves(&folder, &server);
    }
    copy_reloads(&folder, "node --watch server.js", 3000, "server.js");
}

/// A server of Rust's standard library, whose port is written in it.
fn rust_server(home: &Home, port: u16) -> Option<PathBuf> {
    let source = home.write(
        "shop/shop.rs",
        &format!(
            r#"use std::io::{{Read as _, Write as _}};
fn main() {{
    for stream in std::net::TcpListener::bind(("127.0.0.1", {port})).unwrap().incoming() {{
        let mut stream = stream.unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nrust-shop\n");
    }}
}}
"#
        ),
    );
    let folder = source.parent().unwrap().to_owned();
    // Where it is found may hang on the user's own home.
    let mut command = Command::new("rustc");
    let made = command
        .args(["--edition", "2024", "shop.rs"])
        .current_dir(&folder)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        skipped("rustc cannot be run");
        return None;
    }
    Some(folder)
}

#[test]
fn a_rust_server_with_the_usual_port() {
    let home = Home::new();
    let Some(folder) = rust_server(&home, 3000) else {
        return;
    };
    let server = Server {
        is_local: true,
        ..moved("./shop", "shop", 3000, "rust-shop")
    };
    serves(&folder, &server);
}

#[test]
fn a_server_with_a_port_that_nobody_can_know() {
    const OWN: u16 = 4987;
    let home = Home::new();
    let Some(folder) = rust_server(&home, OWN) else {
        return;
    };
    let free = Site::new(&folder);
    if free.has(&[OWN, 3000]) {
        let run = free.run("./shop");
        run.answers(OWN, "rust-shop");
        let note = run.wait("it is told", || run.notes().into_iter().next());
        assert_eq!(note, format!("the app listens on {OWN}, not on 3000"));
        // It was there before it could be held.
        run.has_by(OWN, &["advisory"]);
        assert_eq!(free.freeport("query 3000").code, 3);
        run.ends(OWN);
    }
    if !Seam::is_supported() {
        return skipped("it cannot be moved without a seam");
    }
    let busy = Site::new(&folder);
    if busy.has(&[OWN, 3000]) {
        let _other = busy.occupy(OWN);
        let run = busy.run("./shop");
        run.answers(3000, "rust-shop");
        let note = format!("the app asked for {OWN}, moved to 3000: http://localhost:3000");
        assert_eq!(run.notes(), [note]);
        run.ends(3000);
    }
}
