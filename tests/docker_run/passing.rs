//! What Freeport leaves alone: other commands, other machines, what it does not know, and what is not
//! to be read at all.

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt;

use crate::stand_in::Docker;
use crate::support::ports;

#[test]
fn other_commands_are_passed_on() {
    let docker = Docker::new();
    let p = ports::one();
    let _taken = TcpListener::bind(("127.0.0.1", p)).unwrap();
    for line in [
        "",
        "ps -a",
        "-v",
        "--version",
        "-D --context x ps --format {{.Names}}",
        &format!("compose up -p {p}:80"),
        &format!("run --help -p {p}:80 img"),
        &format!("exec -it web run -p {p}:80"),
        &format!("run img -p {p}:80"),
        &format!("run --network host -p {p}:80 img"),
        &format!("run -p {p} -p 127.0.0.1::{p} -P img"),
        &format!("run -p {p}:80/sctp img"),
        &format!("run --name -p img -p {p}:80"),
        "run --strict --quiet img --fallback",
        "container run",
        "run -- img -- x",
        "run -p",
    ] {
        docker.run(line).is_unchanged(line);
    }
    docker.run("-- ps -a").is_unchanged("ps -a");
    assert_eq!(docker.reserved(), [] as [serde_json::Value; 0]);
}

#[test]
fn the_exit_status_is_dockers() {
    let docker = Docker::new();
    for line in [
        "ps",
        "run img",
        "run -p 0:80 img",
        "create img",
        "run -d img",
    ] {
        for status in [0, 1, 125, 126, 127] {
            let came = docker.run_with(line, |command| {
                command.env("STAND_IN_STATUS", status.to_string());
            });
            assert_eq!(
                (came.ran.code, came.line()),
                (status, line.to_owned()),
                "{came:#?}"
            );
        }
    }
}

#[test]
fn without_docker_nothing_is_claimed() {
    let docker = Docker::new();
    let p = ports::one();
    let nothing = docker.home.path("nothing");
    for line in [format!("run -p {p}:80 img"), "ps".to_owned()] {
        let came = docker.run_with(&line, |command| {
            command.env("PATH", &nothing);
        });
        assert_eq!(came.ran.code, 127, "{came:#?}");
        assert_eq!(came.ran.err, "error: there is no command 'docker'\n");
    }
    for (mode, text, status) in [(0o644, "", 126), (0o755, "#!/no/such/interpreter\n", 126)] {
        let file = docker.home.write("broken/docker", text);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        for line in [
            format!("run -p {p}:80 img"),
            format!("run -d -p {p}:80 img"),
        ] {
            let came = docker.run_with(&line, |command| {
                command.env("PATH", docker.home.path("broken"));
            });
            assert_eq!((came.ran.code, &came.given), (status, &None), "{came:#?}");
            let said = "error: 'docker' cannot be executed: ";
            assert!(came.ran.err.starts_with(said), "{came:#?}");
        }
    }
    assert_eq!(docker.reserved(), [] as [serde_json::Value; 0]);
}

#[test]
fn another_machine_is_left_alone() {
    let docker = Docker::new();
    let p = ports::one();
    let _taken = TcpListener::bind(("127.0.0.1", p)).unwrap();
    let said = "freeport: docker runs it on another machine, whose ports cannot be seen: they are published as they are\n";
    for (host, line) in [
        ("tcp://10.0.0.5:2376", format!("run -p {p}:80 img")),
        ("ssh://me@build", format!("run -d -p {p}:80 img")),
        ("", format!("-H tcp://build:2376 create -p {p}:80 img")),
    ] {
        let came = docker.run_with(&line, |command| {
            command.env("DOCKER_HOST", host);
        });
        assert_eq!(
            (came.line(), came.ran.err.as_str()),
            (line, said),
            "{came:#?}"
        );
    }
    // Nothing is said where nothing would have been done.
    let came = docker.run_with("run img", |command| {
        command.env("DOCKER_HOST", "tcp://10.0.0.5:2376");
    });
    came.is_unchanged("run img");
    let here = docker.run_with(&format!("run -p {p}:80 img"), |command| {
        command.env("DOCKER_HOST", "unix:///run/user/1000/docker.sock");
    });
    assert_ne!(here.port_in("run -p {}:80 img"), p);
}

#[test]
fn what_is_not_known_is_said() {
    let docker = Docker::new();
    let p = ports::one();
    let _taken = TcpListener::bind(("127.0.0.1", p)).unwrap();
    let came = docker.run(&format!("run -p {p}:80 --novel img -p {p}:81"));
    assert_ne!(
        came.port_in(&format!("run -p {{}}:80 --novel img -p {p}:81")),
        p
    );
    let said =
        "freeport: the option '--novel' is not known: what comes after it is left as it is\n";
    assert!(came.ran.err.starts_with(said), "{came:#?}");
    let many = "run -p 20000-20128:30000-30128 img";
    let came = docker.run(many);
    assert_eq!(came.line(), many);
    let said = "freeport: 129 ports are published as they are: at most 128 of a line are claimed\n";
    assert_eq!(came.ran.err, said, "{came:#?}");
    // Those that docker chooses from are not claimed.
    let any = "run -p 1024-65535:80 img";
    docker.run(any).is_unchanged(any);
}

#[test]
fn hostile_words_do_no_harm() {
    let docker = Docker::new();
    let p = ports::one();
    let _taken = TcpListener::bind(("127.0.0.1", p)).unwrap();
    let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let word = |text: &str| OsString::from(text);
    let long = "x".repeat(100_000);
    for words in [
        vec![
            word("run"),
            bytes(b"--name=\xff\xfe"),
            word("-p"),
            word("{}:80"),
            bytes(b"\xff"),
        ],
        vec![
            word("run"),
            word("--name"),
            word("\x1b[31m\n"),
            word("-p"),
            word("{}:80"),
            word("i\nmg"),
        ],
        vec![
            word("run"),
            word("--name"),
            word(&long),
            word("-p"),
            word("{}:80"),
            word(&long),
        ],
        vec![word("run"), word(""), word("-p"), word("{}:80")],
        vec![word("run"), word("-p"), word("{}:80"), word("")],
        vec![
            word("run"),
            word("--\x1b]0;x\x07"),
            word("img"),
            word("-p"),
            word("{}:80"),
        ],
        vec![
            word("run"),
            word("-p"),
            word("99999999999999999999:80"),
            word("-p"),
            word("{}:80"),
            word("img"),
        ],
        vec![
            word("run"),
            word("-p"),
            word("-1:-1"),
            word("-p=:::"),
            word("-p"),
            word("{}:80"),
            word("img"),
        ],
        vec![
            word("run"),
            bytes(b"-p\xff3000:80"),
            word("-p"),
            word("{}:80"),
            word("img"),
        ],
        vec![bytes(b"\xff"), word("run"), word("-p"), word("{}:80")],
    ] {
        let spec = format!("{p}:80");
        let asked: Vec<OsString> = words
            .iter()
            .map(|one| {
                if one == "{}:80" {
                    spec.clone().into()
                } else {
                    one.clone()
                }
            })
            .collect();
        let (mut command, record) = docker.command(&asked);
        let came = Docker::finish(&mut command, &record);
        assert_eq!(came.ran.code, 0, "{came:#?}");
        assert!(!came.ran.err.contains(['\x1b', '\x07']), "{came:#?}");
        // Only the port is another one, if anything is.
        let given = came.given.unwrap();
        assert_eq!(given.len(), asked.len());
        for (given, asked) in given.iter().zip(&asked) {
            let moved = given.to_str().and_then(|word| word.strip_suffix(":80"));
            let moved = moved.is_some_and(|port| port.parse::<u16>().is_ok());
            assert!(given == asked || *asked == *spec && moved);
        }
    }
}
