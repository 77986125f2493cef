//! Which ports are published instead of those that are taken, in every form, and what is said.

use std::net::{TcpListener, UdpSocket};

use serde_json::json;

use crate::stand_in::{Came, Docker, both};
use crate::support::processes::Server;
use crate::support::{Home, ports};

/// Listens on a port, of a process with a name.
fn taken(home: &Home, port: u16) -> Server {
    Server::start_in(&home.project("other"), home, &format!("--port {port}"))
}

#[track_caller]
fn says(came: &Came, what: &str) {
    let lines: Vec<&str> = came.ran.err.lines().collect();
    let found = lines.iter().any(|line| line.contains(what));
    assert!(found && came.ran.code == 0, "{what}: {came:#?}");
}

#[test]
fn what_is_free_stays() {
    both(|docker| {
        let p = ports::block(8);
        let (q, r) = (p + 2, p + 5);
        for line in [
            format!("run -p {p}:80 img"),
            format!("run -p{p}:80 -p {p}:80/udp --rm img -p 1:1"),
            format!("run --publish=127.0.0.1:{p}:80 -dp {q}:81 img"),
            format!("run -p {q}-{r}:4000-4003 -p {p}:80 img"),
            format!("run -p {q}-{r}:80 img"),
            format!("container create --publish [::1]:{p}:80 img"),
        ] {
            docker.run(&line).is_unchanged(&line);
            // What was claimed for a container would be in the way of the next one.
            for row in docker.reserved() {
                docker.home.run(&format!("release {}", row["port"]));
            }
        }
    });
}

#[test]
fn every_form_gets_another_port() {
    both(|docker| {
        let p = ports::one();
        let server = taken(&docker.home, p);
        for (before, after) in [
            ("run -p ", ":80 img"),
            ("run -p", ":80 img"),
            ("run -p=", ":80 img"),
            ("run --publish ", ":80 img"),
            ("run --publish=", ":80 img"),
            ("run -itp ", ":80 img"),
            ("run --rm -ditp", ":80 img"),
            ("run -p 127.0.0.1:", ":80 img"),
            ("run -p [::1]:", ":80 img sh -c x"),
            ("run -p ", ":80/tcp img"),
            ("run -p published=", ",target=80 img"),
            ("run --name web -e A=B -p ", ":80 -v /x:/y img -p 1:1"),
            ("create -p ", ":80 img"),
            ("container run -p ", ":80 img"),
            ("-D -l info container create -p ", ":80 img"),
        ] {
            let came = docker.run(&format!("{before}{p}{after}"));
            let port = came.port_in(&format!("{before}{{}}{after}"));
            assert_ne!(port, p, "{came:#?}");
            let pid = server.process.pid();
            let said = format!("freeport: port {p} is taken by ");
            assert!(came.ran.err.starts_with(&said), "{came:#?}");
            says(&came, &format!("(pid {pid}, ~/other); publishing "));
            assert_eq!(came.ran.err.lines().count(), 1, "{came:#?}");
        }
    });
}

#[test]
fn the_line_says_what_is_published() {
    let docker = Docker::new();
    let p = ports::one();
    let _server = taken(&docker.home, p);
    let _udp = UdpSocket::bind(("127.0.0.1", p)).unwrap();
    for (template, said) in [
        ("run -p {}:80 img", "; publishing {}:80"),
        ("run -p 127.0.0.1:{}:80 img", "; publishing 127.0.0.1:{}:80"),
        ("run -p [::1]:{}:80 img", "; publishing [::1]:{}:80"),
        ("run -p {}:53/udp img", "; publishing {}:53/udp"),
    ] {
        let came = docker.run(&template.replace("{}", &p.to_string()));
        let port = came.port_in(template);
        says(&came, &said.replace("{}", &port.to_string()));
        let quiet = docker.run(&format!(
            "--quiet {}",
            template.replace("{}", &p.to_string())
        ));
        quiet.port_in(template);
        assert_eq!(quiet.ran.err, "", "{quiet:#?}");
    }
}

#[test]
fn each_protocol_has_ports_of_its_own() {
    both(|docker| {
        let p = ports::one();
        let _udp = UdpSocket::bind(("0.0.0.0", p)).unwrap();
        let line = format!("run -p {p}:53 img");
        docker.run(&line).is_unchanged(&line);
        let came = docker.run(&format!("run -p {p}:53/tcp -p {p}:53/udp img"));
        let port = came.port_in(&format!("run -p {p}:53/tcp -p {{}}:53/udp img"));
        assert_ne!(port, p);
        says(&came, &format!("port {p}/udp is taken by "));
    });
}

#[test]
fn a_row_stays_a_row() {
    both(|docker| {
        let p = ports::block(4);
        let _middle = taken(&docker.home, p + 2);
        let came = docker.run(&format!("run -p {p}-{}:8000-8003 -p {p}:80 img", p + 3));
        let words = came.line();
        let row = words.split(' ').nth(2).unwrap();
        let (first, last) = row.split_once(':').unwrap().0.split_once('-').unwrap();
        let (first, last): (u16, u16) = (first.parse().unwrap(), last.parse().unwrap());
        assert_eq!(last, first + 3, "{came:#?}");
        assert!(first > p + 3, "{came:#?}");
        assert_eq!(
            words,
            format!("run -p {first}-{last}:8000-8003 -p {p}:80 img"),
            "what is free stays"
        );
        says(&came, &format!("port {} is taken by ", p + 2));
        says(&came, &format!("; publishing {first}-{last}:8000-8003"));
    });
}

#[test]
fn of_ports_that_docker_chooses_from_one_is_enough() {
    both(|docker| {
        let p = ports::block(3);
        let _first = taken(&docker.home, p);
        docker
            .home
            .run(&format!("reserve {} --project other", p + 1))
            .ends(0);
        let line = format!("run -p {p}-{}:80 img", p + 2);
        docker.run(&line).is_unchanged(&line);
        let _last = TcpListener::bind(("127.0.0.1", p + 2)).unwrap();
        let came = docker.run(&line);
        let port = came.port_in("run -p {}:80 img");
        assert!(!(p..p + 3).contains(&port), "{came:#?}");
        let all = format!(
            "all of the ports {p}-{} are taken; publishing {port}:80",
            p + 2
        );
        says(&came, &all);
        let strict = docker.run(&format!("--strict {line}"));
        assert_eq!((strict.ran.code, &strict.given), (5, &None), "{strict:#?}");
    });
}

#[test]
fn the_same_port_on_two_addresses_stays_the_same() {
    both(|docker| {
        let p = ports::one();
        let line = |p| format!("run -p 127.0.0.1:{p}:80 -p [::1]:{p}:80 img");
        docker.run(&line(p)).is_unchanged(&line(p));
        let _server = taken(&docker.home, p);
        let came = docker.run(&line(p));
        let words = came.line();
        let port = words.split(':').nth(1).unwrap().parse().unwrap();
        assert_ne!(port, p);
        assert_eq!(words, line(port));
        assert_eq!(came.ran.err.lines().count(), 2, "{came:#?}");
    });
}

#[test]
fn several_get_one_each() {
    both(|docker| {
        let p = ports::block(4);
        let servers: Vec<Server> = (p..p + 3).map(|p| taken(&docker.home, p)).collect();
        let line = format!(
            "--project shop run --name web -p {p}:80 -p {}:443 -p {}:90 -p {}:91 img",
            p + 1,
            p + 2,
            p + 3
        );
        let chosen = |came: &Came| -> Vec<String> {
            let words = came.line();
            let published = words.split(' ').filter_map(|word| word.split_once(':'));
            published.map(|(port, _)| port.to_owned()).collect()
        };
        let came = docker.run(&line);
        let first = chosen(&came);
        let mut distinct = first.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 4, "{came:#?}");
        assert_eq!(first[3], (p + 3).to_string(), "{came:#?}");
        assert_eq!(came.ran.err.lines().count(), 3, "{came:#?}");
        // Each has its own again.
        let again = docker.run(&line);
        assert_eq!(chosen(&again), first, "{again:#?}");
        drop(servers);
        docker
            .run(&line)
            .is_unchanged(line.strip_prefix("--project shop ").unwrap());
    });
}

#[test]
fn what_is_reserved_is_taken_for_others_only() {
    both(|docker| {
        let p = ports::block(2);
        docker
            .home
            .run(&format!("reserve {p} --project shop --service db"))
            .ends(0);
        let line = format!("--project shop run --name db -p {p}:5432 postgres");
        let shop = docker.run(&line);
        shop.is_unchanged(line.strip_prefix("--project shop ").unwrap());
        let wiki = docker.run(&format!(
            "--project wiki run --name db -p {p}:5432 postgres"
        ));
        wiki.port_in("run --name db -p {}:5432 postgres");
        says(&wiki, &format!("port {p} is "));
        says(&wiki, "for shop db");
        let web = docker.run(&format!("--project shop --service db run -p {p}:5432 img"));
        web.is_unchanged(&format!("run -p {p}:5432 img"));
        // A server of the same project is in the way of docker all the same.
        let server = Server::start_in(
            &docker.home.project("shop"),
            &docker.home,
            &format!("--port {}", p + 1),
        );
        for detach in ["", " -d"] {
            let came = docker.run(&format!("--project shop run{detach} -p {}:80 img", p + 1));
            came.port_in(&format!("run{detach} -p {{}}:80 img"));
            says(&came, &format!("(pid {}, ~/shop)", server.process.pid()));
        }
    });
}

#[test]
fn strict_publishes_all_or_runs_nothing() {
    both(|docker| {
        let p = ports::block(3);
        let line = format!(
            "run -d -p {p}:80 -p {}:81 -p {}-{}:82-83 img",
            p + 1,
            p + 1,
            p + 2
        );
        let free = docker.run(&format!("--strict run -p {p}:80 img"));
        free.is_unchanged(&format!("run -p {p}:80 img"));
        let _server = taken(&docker.home, p + 2);
        let came = docker.run(&format!("--strict {line}"));
        assert_eq!((came.ran.code, &came.given), (5, &None), "{came:#?}");
        let said = format!("error: port {} is taken by ", p + 2);
        assert!(came.ran.err.starts_with(&said), "{came:#?}");
        assert!(came.ran.err.contains("\n hint: "), "{came:#?}");
        assert_eq!(docker.reserved(), [json!(null); 0], "nothing of it is left");
        // By what is reserved, too.
        docker
            .home
            .run(&format!("reserve {p} --project other"))
            .ends(0);
        let came = docker.run(&format!("--strict run -p {p}:80 img"));
        assert_eq!((came.ran.code, &came.given), (5, &None), "{came:#?}");
        let said = format!("error: port {p} is reserved for other");
        assert!(came.ran.err.starts_with(&said), "{came:#?}");
        let both = docker.run(&format!("--strict --fallback run -p {p}:80 img"));
        assert_eq!((both.ran.code, &both.given), (2, &None), "{both:#?}");
    });
}
