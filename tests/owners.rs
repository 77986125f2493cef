//! Whose a claim is: for which process it can be made, and who may renew it and give it back.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use serde_json::{Value, json};
use support::agent::Agent;
use support::app::{App, Wire, fails, succeeds};
use support::processes::{Process, Server};
use support::{Home, NOBODY, finish, may_be_others, ports, wait_for};

fn claim_for(port: u16, pid: &Value) -> Value {
    json!({"cmd": "CLAIM", "port": port, "pid": pid})
}

fn sleeper(home: &Home) -> Process {
    Process::start(home.command("sleep").arg("600"))
}

#[test]
fn a_claim_is_for_a_live_process_of_the_same_user() {
    let home = Home::new();
    let app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::block(4);
    let other = sleeper(&home);
    let lease = wire.done(&claim_for(port, &json!(other.pid())));
    assert_eq!(
        (&lease["reservation"]["pid"], &lease["reservation"]["name"]),
        (&json!(other.pid()), &json!("sleep"))
    );
    // Its own, named or not.
    for request in [
        json!({"cmd": "CLAIM", "port": port + 1}),
        claim_for(port + 1, &json!(std::process::id())),
    ] {
        assert_eq!(
            wire.done(&request)["reservation"]["pid"],
            std::process::id()
        );
    }
    for (pid, code) in [
        (json!(0), "not_permitted"),
        (json!(1), "not_permitted"),
        (json!(-1), "bad_request"),
        (json!(4_194_305), "bad_request"),
        (json!(u64::from(u32::MAX)), "bad_request"),
        (json!(u64::MAX), "bad_request"),
        (json!("1234"), "bad_request"),
        (json!(12.5), "bad_request"),
    ] {
        wire.refused(&claim_for(port + 2, &pid), code);
    }
    // A process that has ended cannot claim, whether anybody has waited for it or not.
    let mut ended = home.command("true").spawn().unwrap();
    wait_for("a process to end", || {
        (!support::processes::is_alive(ended.id())).then_some(())
    });
    wire.refused(&claim_for(port + 2, &json!(ended.id())), "bad_request");
    ended.wait().unwrap();
    wire.refused(&claim_for(port + 2, &json!(ended.id())), "bad_request");
    assert_eq!(wire.status_of(port + 2), "");
    assert!(!app.process.has_ended());
}

#[test]
fn a_claim_is_not_for_another_users_process() {
    if !may_be_others("a process of another user") {
        return;
    }
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::one();
    let theirs = Server::start(&home, &format!("--uid {NOBODY}"));
    let mut agent = Agent::start(&home);
    let told = wire.refused(&claim_for(port, &json!(theirs.pid)), "not_permitted");
    assert!(
        told.contains(&format!("(pid {}) belongs to uid {NOBODY}", theirs.pid)),
        "{told}"
    );
    assert_eq!(wire.status_of(port), "");
    // And where they listen is not free.
    let claim = json!({"cmd": "CLAIM", "port": theirs.port});
    let told = fails(agent.ask(&claim), "port_taken");
    assert!(told.contains(&format!("(pid {}", theirs.pid)), "{told}");
    // Nor do they reach this app.
    let ran = finish(&mut home.freeport_as(NOBODY, "status"));
    assert_ne!(ran.code, 0, "{ran:?}");
}

#[test]
fn who_may_renew_and_give_back_a_claim() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let (mut owner, mut stranger) = (Agent::start(&home), Agent::start(&home));
    let port = ports::one();
    let lease = succeeds(owner.ask(&json!({"cmd": "CLAIM", "port": port})));
    let heartbeat = json!({"cmd": "HEARTBEAT", "port": port});
    let release = json!({"cmd": "RELEASE", "ports": [port]});
    let with = |request: &Value, key: &str, value: Value| {
        let mut request = request.clone();
        request[key] = value;
        request
    };
    for request in [&heartbeat, &release] {
        let told = fails(stranger.ask(request), "not_permitted");
        assert!(
            told.contains(&format!("port {port} can be "))
                && told.contains(&format!("(pid {})", owner.pid())),
            "{told}"
        );
        for wrong in [
            json!(""),
            json!("0"),
            json!("' OR 1=1 --"),
            lease["token"].as_str().unwrap().to_uppercase().into(),
        ] {
            if wrong != lease["token"] {
                fails(
                    stranger.ask(&with(request, "token", wrong)),
                    "not_permitted",
                );
            }
        }
        // What the owner started is not the owner.
        owner.fork();
        fails(owner.child(&json!({"ask": request})), "not_permitted");
        owner.tell(&json!({"end": "SIGKILL"}));
        // The owner, what it was started by, who shows the token, and who asks for the user.
        for by in ["owner", "above", "token", "user"] {
            if request["cmd"] == "RELEASE" && wire.status_of(port).is_empty() {
                succeeds(owner.ask(&json!({"cmd": "CLAIM", "port": port})));
            }
            let token = owner.ask(&heartbeat)["token"].clone();
            succeeds(match by {
                "owner" => owner.ask(request),
                "above" => wire.ask(request),
                "token" => stranger.ask(&with(request, "token", token)),
                _ => stranger.ask(&with(request, "as_user", json!(true))),
            });
        }
    }
    assert_eq!(wire.status_of(port), "");
}

#[test]
fn a_child_can_be_claimed_for_and_its_parent_decides() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let (mut parent, mut stranger) = (Agent::start(&home), Agent::start(&home));
    let port = ports::one();
    let child = parent.fork();
    let lease = succeeds(parent.ask(&claim_for(port, &json!(child))));
    assert_eq!(lease["reservation"]["pid"], child);
    fails(
        stranger.ask(&json!({"cmd": "RELEASE", "ports": [port]})),
        "not_permitted",
    );
    succeeds(parent.ask(&json!({"cmd": "HEARTBEAT", "port": port})));
    // The parent that listens there itself is not the child.
    parent.child(&json!({"listen": port}));
    assert_eq!(wire.status_of(port), "active");
    parent.tell(&json!({"end": "SIGKILL"}));
    wait_for("the claim to end", || {
        wire.status_of(port).is_empty().then_some(())
    });
}

#[test]
fn a_token_carries_a_claim_over_to_another_process() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let (mut first, mut second) = (Agent::start(&home), Agent::start(&home));
    let port = ports::one();
    let lease = succeeds(first.ask(&json!({"cmd": "CLAIM", "port": port, "service": "web"})));
    let again = json!({"cmd": "CLAIM", "port": port, "token": lease["token"]});
    let moved = succeeds(second.ask(&again));
    assert_eq!(
        (&moved["renewed"], &moved["token"]),
        (&json!(true), &lease["token"])
    );
    assert_eq!(
        (
            &moved["reservation"]["pid"],
            &moved["reservation"]["service"]
        ),
        (&json!(second.pid()), &json!("web"))
    );
    first.kill();
    assert_eq!(wire.status_of(port), "claimed");
    // The claim of a process that has ended is over, whoever shows its token.
    second.kill();
    wait_for("the claim to end", || {
        wire.status_of(port).is_empty().then_some(())
    });
    let anew = wire.done(&again);
    assert_eq!(anew["renewed"], false);
    assert_ne!(anew["token"], lease["token"]);
}

#[test]
fn a_claim_of_nobody_lives_by_its_lease_and_its_token() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let mut agent = Agent::start(&home);
    let port = ports::block(2);
    let detached = json!({"cmd": "CLAIM", "port": port, "detached": true, "service": "web"});
    let lease = succeeds(agent.ask(&detached));
    assert_eq!(
        (&lease["reservation"]["pid"], &lease["reservation"]["key"]),
        (&Value::Null, &Value::Null)
    );
    fails(
        agent.ask(&json!({"cmd": "RELEASE", "ports": [port]})),
        "not_permitted",
    );
    fails(agent.ask(&detached), "port_taken");
    fails(
        agent.ask(&json!({"cmd": "CLAIM", "port": port})),
        "port_taken",
    );
    agent.kill();
    assert_eq!(wire.status_of(port), "claimed");
    // Any process of the user may listen there.
    let server = Server::start(&home, &format!("--port {port}"));
    assert_eq!(wire.status_of(port), "active");
    assert_eq!(wire.listeners(port)[0]["conflict"], Value::Null);
    drop(server);
    wire.done(&json!({"cmd": "RELEASE", "ports": [port], "token": lease["token"]}));
    // But not be there already.
    let server = Server::start(&home, &format!("--port {}", port + 1));
    let told = wire.refused(
        &json!({"cmd": "CLAIM", "port": port + 1, "detached": true}),
        "port_taken",
    );
    assert!(told.contains(&format!("(pid {},", server.pid)), "{told}");
}

#[test]
fn what_is_set_aside_is_claimed_for_its_project_only() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::one();
    wire.done(&json!({"cmd": "RESERVE", "ports": [port], "project": "shop", "service": "web"}));
    let (shop, blog) = (home.project("shop"), home.project("blog"));
    let mut stranger = Agent::start_in(&blog, &home);
    let mut owner = Agent::start_in(&shop, &home);
    let plain = json!({"cmd": "CLAIM", "port": port});
    let told = fails(stranger.ask(&plain), "port_taken");
    assert!(
        told.contains("reserved for shop web") && !told.contains("until"),
        "{told}"
    );
    fails(
        owner.ask(&json!({"cmd": "CLAIM", "port": port, "service": "api"})),
        "port_taken",
    );
    // The folder says for which project; so does the request.
    let lease = succeeds(owner.ask(&plain));
    assert_eq!(
        (
            &lease["reservation"]["kept"],
            &lease["reservation"]["service"]
        ),
        (&json!(true), &json!("web"))
    );
    let first = lease["token"].clone();
    // Given back, it is reserved as before.
    succeeds(owner.ask(&json!({"cmd": "RELEASE", "ports": [port]})));
    let row = wire.reservation(port);
    assert_eq!(
        (&row["status"], &row["pid"], &row["expires_at"]),
        (&json!("reserved"), &Value::Null, &Value::Null)
    );
    let lease = succeeds(
        stranger.ask(&json!({"cmd": "CLAIM", "port": port, "project": "shop", "ttl_s": 1})),
    );
    assert_ne!(lease["token"], first);
    // The claim of a process that has ended leaves it reserved, too.
    stranger.kill();
    wait_for("it to be reserved again", || {
        (wire.status_of(port) == "reserved").then_some(())
    });
    // A claim that has run out makes room for the next one, with a token of its own.
    let mut other = Agent::start_in(&shop, &home);
    let before = succeeds(owner.ask(&json!({"cmd": "CLAIM", "port": port, "ttl_s": 1})));
    wait_for("the lease to run out", || {
        (wire.status_of(port) == "stale").then_some(())
    });
    let after = succeeds(other.ask(&plain));
    assert_eq!(
        (&after["renewed"], &after["reservation"]["pid"]),
        (&json!(false), &json!(other.pid()))
    );
    assert_ne!(
        after["token"], before["token"],
        "who had it has no say any more"
    );
    fails(
        owner.ask(&json!({"cmd": "RELEASE", "ports": [port], "token": before["token"]})),
        "not_permitted",
    );
}

#[test]
fn a_project_is_not_freed_of_what_others_have_claimed() {
    let home = Home::new();
    let _app = App::start(&home);
    let mut wire = Wire::open(&home);
    let port = ports::block(2);
    let (mut owner, mut stranger) = (Agent::start(&home), Agent::start(&home));
    let free = json!({"cmd": "FREE", "project": "shop"});
    wire.done(&json!({"cmd": "RESERVE", "ports": [port, port + 1], "project": "shop"}));
    succeeds(owner.ask(&json!({"cmd": "CLAIM", "port": port + 1, "project": "shop"})));
    fails(stranger.ask(&free), "not_permitted");
    let status = [wire.status_of(port), wire.status_of(port + 1)];
    assert_eq!(status, ["reserved", "claimed"], "all of it, or nothing");
    succeeds(owner.ask(&free));
    assert_eq!(wire.status_of(port), "");
    // What was only reserved is nobody's in particular.
    wire.done(&json!({"cmd": "RESERVE", "ports": [port], "project": "shop"}));
    succeeds(stranger.ask(&free));
    succeeds(owner.ask(&json!({"cmd": "CLAIM", "port": port, "project": "shop"})));
    let mut as_user = free.clone();
    as_user["as_user"] = json!(true);
    succeeds(stranger.ask(&as_user));
    assert_eq!(wire.status_of(port), "");
}
