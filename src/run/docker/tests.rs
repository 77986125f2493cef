//! Lines of `docker run` as people write them, with what is published and what becomes of them.

use proptest::prelude::*;

use super::*;

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

fn read(line: &str) -> DockerRun {
    DockerRun::read(&words(line)).unwrap_or_else(|| panic!("{line}"))
}

/// The line where each port is published 1000 ports above.
fn moved(line: &str) -> String {
    let args = words(line);
    let read = DockerRun::read(&args).unwrap();
    let above = |publish: &Publish| Port::new(publish.ports.first().get() + 1000);
    let args = read.rewrite(&args, above);
    let args: Vec<_> = args.iter().map(|word| word.to_str().unwrap()).collect();
    args.join(" ")
}

#[test]
fn every_form_is_rewritten() {
    for (line, expected) in [
        ("run -p 3000:80 img", "run -p 4000:80 img"),
        ("run -p3000:80 img", "run -p4000:80 img"),
        ("run -p=3000:80 img", "run -p=4000:80 img"),
        ("run --publish 3000:80 img", "run --publish 4000:80 img"),
        ("run --publish=3000:80 img", "run --publish=4000:80 img"),
        ("run -itp 3000:80 img", "run -itp 4000:80 img"),
        ("run -ditp3000:80 img", "run -ditp4000:80 img"),
        (
            "run -p 127.0.0.1:3000:3000 img",
            "run -p 127.0.0.1:4000:3000 img",
        ),
        ("run -p [::1]:3000:3000 img", "run -p [::1]:4000:3000 img"),
        ("run -p 3000:3000/udp img", "run -p 4000:3000/udp img"),
        ("run -p 3000-3005:80-85 img", "run -p 4000-4005:80-85 img"),
        ("run -p 3000-3005:80 img", "run -p 4000:80 img"),
        (
            "run -p published=3000,target=80 img",
            "run -p published=4000,target=80 img",
        ),
        ("create -p 3000:80 img", "create -p 4000:80 img"),
        (
            "container run -p 3000:80 img",
            "container run -p 4000:80 img",
        ),
        (
            "container create -p 3000:80 img",
            "container create -p 4000:80 img",
        ),
        (
            "-H unix:///x -Dl info run -p 3000:80 img",
            "-H unix:///x -Dl info run -p 4000:80 img",
        ),
        (
            "run -p 80:80 -p 443:443 -p 443:443/udp img",
            "run -p 1080:80 -p 1443:443 -p 1443:443/udp img",
        ),
        (
            "run -p 3000:80 --rm -e A=B -v /x:/y -p 1:1 img",
            "run -p 4000:80 --rm -e A=B -v /x:/y -p 1001:1 img",
        ),
    ] {
        assert_eq!(moved(line), expected);
    }
}

#[test]
fn everything_else_stays_as_it_is() {
    for line in [
        "run -p 3000 img",
        "run -p :3000 img",
        "run -p 127.0.0.1::80 img",
        "run -p 3000:80/sctp img",
        "run -P img -p 3000:80",
        "run img -p 3000:80",
        "run --name -p img --publish 3000:80",
        "run -e -p img -p 3000:80",
        "run -h p img -p 3000:80",
        "run -- img -p 3000:80",
        "run - -p 3000:80",
        "run --network host -p 3000:80 img",
        "run --net=none -p 3000:80 img",
        "run --network=name=host,alias=x -p 3000:80 img",
        "run --network container:db -p 3000:80 img",
        "run --new img -p 3000:80",
        "run -p localhost:3000:80 img",
        "run -p",
        "run --publish",
        "run",
        "-c remote run img -p 3000:80",
    ] {
        assert_eq!(moved(line), line);
    }
    assert_eq!(
        moved("run --network shop -p 3000:80 img"),
        "run --network shop -p 4000:80 img"
    );
}

#[test]
fn other_commands_are_none_of_ours() {
    for line in [
        "",
        "ps",
        "compose up -p 3000:80",
        "exec run -p 3000:80",
        "container",
        "container ls",
        "-D",
        "image run",
        "--new x run -p 3000:80 img",
        "run --help -p 3000:80",
        "--help run -p 3000:80 img",
        "container -D run -p 3000:80 img",
    ] {
        assert_eq!(DockerRun::read(&words(line)), None, "{line}");
    }
    assert_eq!(DockerRun::read(&[]), None);
}

#[test]
fn what_is_to_be_claimed_is_told() {
    let line = read("run -p 127.0.0.1:3000-3002:80-82 -p 5000-5009:90/udp img");
    let [row, any] = line.published() else {
        panic!("{line:?}");
    };
    assert_eq!(row.host_ip, Some("127.0.0.1".parse().unwrap()));
    assert_eq!(
        (row.ports.to_string().as_str(), row.protocol),
        ("3000-3002", Protocol::Tcp)
    );
    assert_eq!((row.count(), row.is_any()), (3, false));
    assert_eq!(
        (any.ports.to_string().as_str(), any.protocol),
        ("5000-5009", Protocol::Udp)
    );
    assert_eq!((any.count(), any.is_any()), (1, true));
    let port = |number| Port::new(number).unwrap();
    assert_eq!(
        row.starting_at(port(4000)).unwrap().to_string(),
        "4000-4002"
    );
    assert_eq!(row.starting_at(port(65534)), None);
}

#[test]
fn what_cannot_be_is_not_written() {
    let args = words("run -p 3000-3002:80-82 img");
    let line = DockerRun::read(&args).unwrap();
    assert_eq!(line.rewrite(&args, |_| Some(Port::MAX)), args);
    assert_eq!(line.rewrite(&args, |_| None), args);
    // Other arguments than were read are another's mistake, and no reason to fail.
    assert_eq!(line.rewrite(&[], |_| Some(Port::MIN)), [] as [OsString; 0]);
}

#[test]
fn what_is_taken_is_said() {
    let why = "port 3000 is taken by vite (pid 4242, ~/shop)";
    let told = |spec: &str, first| {
        let line = read(&format!("run -p {spec} img"));
        let told = line.published()[0].told(why, Port::new(first).unwrap());
        told.strip_prefix(why).unwrap().to_owned()
    };
    assert_eq!(told("3000:3000", 3001), "; publishing 3001:3000");
    assert_eq!(told("3000:53/udp", 3001), "; publishing 3001:53/udp");
    assert_eq!(
        told("127.0.0.1:3000:80", 3001),
        "; publishing 127.0.0.1:3001:80"
    );
    assert_eq!(told("::1:3000:80", 3001), "; publishing [::1]:3001:80");
    assert_eq!(
        told("3000-3002:80-82", 4000),
        "; publishing 4000-4002:80-82"
    );
    assert_eq!(told("3000-3002:80", 4000), "; publishing 4000:80");
}

#[test]
fn whether_the_container_outlives_the_command() {
    for (line, detached) in [
        ("run img", false),
        ("run img -d", false),
        ("run -d img", true),
        ("run -itd img", true),
        ("run -dp 3000:80 img", true),
        ("run --detach img", true),
        ("run --detach=true img", true),
        ("run --detach=false img", false),
        ("run -d=0 img", false),
        ("run -d --detach=F img", false),
        ("run --detach=F -d img", true),
        ("run --detach-keys d img", false),
        ("create img", true),
        ("container create img", true),
    ] {
        assert_eq!(read(line).is_detached(), detached, "{line}");
    }
}

#[test]
fn what_the_ports_are_for() {
    for (line, service) in [
        ("run postgres", Some("postgres")),
        (
            "run --rm example.org:5000/shop/postgres:17@sha256:ab -c x",
            Some("postgres"),
        ),
        ("run --name db postgres", Some("db")),
        ("run --name=db --name db2 postgres", Some("db2")),
        ("run --rm", None),
        ("run --new postgres", None),
    ] {
        assert_eq!(read(line).service(), service, "{line}");
    }
    let args = ["run", "--name", "a\nb", "img"].map(OsString::from);
    let line = DockerRun::read(&args).unwrap();
    // Docker refuses that name.
    assert_eq!((line.name(), line.service()), (None, Some("img")));
}

#[test]
fn where_the_container_runs() {
    for (line, host, elsewhere) in [
        ("run img", "", false),
        ("run img", "unix:///run/docker.sock", false),
        ("run img", "tcp://10.0.0.5:2376", true),
        ("run img", "ssh://me@build", true),
        ("run img", "ssh://me@localhost:22/run/docker.sock", false),
        ("run img", "tcp://127.0.0.1:2375", false),
        ("run img", "tcp://[::1]:2375", false),
        ("run img", "tcp://[2001:db8::1]:2375", true),
        ("run img", "tcp://", false),
        ("-H unix:///x run img", "tcp://10.0.0.5:2376", false),
        ("-Htcp://build:1 run img", "", true),
        ("--host=ssh://build run img", "", true),
        ("--context x run img", "tcp://10.0.0.5:2376", false),
    ] {
        let line_read = read(line);
        assert_eq!(
            line_read.is_elsewhere(Some(OsStr::new(host))),
            elsewhere,
            "{line} {host}"
        );
    }
    assert!(!read("run img").is_elsewhere(None));
}

#[test]
fn what_is_not_known_is_told() {
    assert_eq!(read("run -p 3000:80 --new img").unknown(), Some("--new"));
    assert_eq!(
        moved("run -p 3000:80 --new img -p 1:1"),
        "run -p 4000:80 --new img -p 1:1"
    );
    assert_eq!(read("run --new -p 3000:80 img").unknown(), None);
}

/// Words that lines are made of, and some that are not even text.
fn word() -> impl Strategy<Value = OsString> {
    let parts = prop::sample::select(vec![
        "run",
        "create",
        "container",
        "-p",
        "--publish",
        "--publish=",
        "-itp",
        "-d",
        "-e",
        "--name",
        "--net",
        "host",
        "--new",
        "--",
        "-",
        "-P",
        "-H",
        "3000:80",
        "[::1]:1-2:3-4/udp",
        "9-8:1",
        "published=3000,target=80",
        "=",
        ":",
        "-p=1:1",
        "img",
        "-pé:80",
        "--détach",
    ]);
    prop_oneof![
        4 => parts.clone().prop_map(OsString::from),
        2 => (parts.clone(), parts).prop_map(|(one, other)| OsString::from(format!("{one}{other}"))),
        1 => prop::collection::vec(any::<u8>(), 0..12).prop_map(crate::platform::os_text),
    ]
}

proptest! {
    #[test]
    fn whatever_is_written_only_ports_change(
        first in prop::sample::select(vec!["run", "create", "-D"]),
        rest in prop::collection::vec(word(), 0..12),
        to in 1..=u16::MAX,
    ) {
        let mut args = vec![OsString::from(first)];
        args.extend(rest);
        let Some(line) = DockerRun::read(&args) else { return Ok(()) };
        prop_assert_eq!(&line.rewrite(&args, |_| None), &args);
        prop_assert_eq!(&line.rewrite(&args, |one| Some(one.ports.first()).filter(|_| !one.is_any())), &args);
        let moved = line.rewrite(&args, |_| Port::new(to));
        prop_assert_eq!(moved.len(), args.len());
        let changed = moved.iter().zip(&args).filter(|(one, other)| one != other).count();
        prop_assert!(changed <= line.published().len());
        // The line means the same as before, aside from the ports of this machine.
        let again = DockerRun::read(&moved).unwrap();
        prop_assert_eq!(again.published().len(), line.published().len());
        for (new, old) in again.published().iter().zip(line.published()) {
            prop_assert_eq!((new.host_ip, new.container, new.protocol), (old.host_ip, old.container, old.protocol));
            if let Some(ports) = Port::new(to).and_then(|to| old.starting_at(to)) {
                prop_assert_eq!(new.ports, ports);
            }
        }
        prop_assert_eq!(again.service(), line.service());
        prop_assert_eq!(again.is_detached(), line.is_detached());
    }
}
