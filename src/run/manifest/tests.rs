//! Files that are read, and what is said of those that cannot be.

use super::*;

fn read_text(text: &str) -> Result<Manifest, String> {
    parse(text, Path::new("/shop/freeport.toml")).map_err(|error| error.to_string())
}

#[test]
fn services_are_in_the_order_of_the_file() {
    let text = r#"
        [services.web]
        port = 3000
        hold = "gate"
        [services."a dns"]
        port = 0x14b4
        protocol = "udp"
        strict = false
        [services.api]
    "#;
    let manifest = read_text(&format!("project = 'shop'\nstrict = true\n{text}")).unwrap();
    let service = |name: &str, port: u16| Service {
        name: name.to_owned(),
        port: Port::new(port),
        strict: true,
        protocol: None,
        hold: None,
    };
    assert_eq!(
        manifest,
        Manifest {
            file: "/shop/freeport.toml".into(),
            project: Some("shop".into()),
            strict: true,
            services: vec![
                Service {
                    hold: Some(HoldMode::Gate),
                    ..service("web", 3000)
                },
                Service {
                    strict: false,
                    protocol: Some(Protocol::Udp),
                    ..service("a dns", 5300)
                },
                service("api", 0),
            ],
        }
    );
    let late = read_text("services.b.port = 1\nservices.a.port = 2\n").unwrap();
    let names: Vec<&str> = late.services.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
    assert!(read_text("").unwrap().services.is_empty());
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, expected) in [
        (
            "\nporject = 'x'",
            ":2: there is no key 'porject': use project, strict and [services.NAME]",
        ),
        (
            "[services.web]\nport = 1\nprot = 1",
            ":3: there is no key 'prot' in services.web: use port, strict, protocol and hold",
        ),
        (
            "[services.web]\nport = 0",
            ":2: port cannot be 0: use a number from 1 to 65535",
        ),
        (
            "[services.web]\nport = 65536",
            ":2: port cannot be 65536: use a number from 1 to 65535",
        ),
        (
            "[services.web]\nport = -1",
            ":2: port cannot be -1: use a number from 1 to 65535",
        ),
        (
            "[services.web]\nport = '80'",
            ":2: port cannot be '80': use a number from 1 to 65535",
        ),
        (
            "[services.web]\nport = 1.5",
            ":2: port cannot be a value of type float: use a number from 1 to 65535",
        ),
        (
            "[services.web]\nstrict = 'yes'",
            ":2: strict cannot be 'yes': use true or false",
        ),
        ("strict = 1", ":1: strict cannot be 1: use true or false"),
        (
            "[services.web]\nprotocol = 'sctp'",
            ":2: protocol cannot be 'sctp': use 'tcp' or 'udp'",
        ),
        (
            "[services.web]\nhold = true",
            ":2: hold cannot be true: use 'seam' or 'gate' or 'off'",
        ),
        (
            "[services]\nweb = 3000",
            ":2: web cannot be 3000: use a table: [services.web]",
        ),
        (
            "services = []",
            ":1: services cannot be a value of type array: use a table: [services.web]",
        ),
        ("project = ''", ":1: project: a name cannot be empty"),
        (
            "project = 5",
            ":1: project cannot be 5: use a name in quotes",
        ),
        (
            "[services.' web']",
            ":1: services: ' web' cannot be a name: leave out control characters, and spaces at its ends",
        ),
    ] {
        let said = read_text(text).unwrap_err();
        assert_eq!(said, format!("/shop/freeport.toml{expected}"), "{text}");
    }
    let twice = read_text("[services.a]\n[services.a]\n").unwrap_err();
    assert!(twice.starts_with("/shop/freeport.toml:2: "), "{twice}");
    let broken = read_text("strict = true\nproject = \n").unwrap_err();
    assert!(broken.starts_with("/shop/freeport.toml:2: "), "{broken}");
}

#[test]
fn it_is_found_from_below_up_to_the_root() {
    let place = std::env::temp_dir().join(format!("freeport-manifest-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&place);
    let folder = place.join("shop/src/deep");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(place.join(NAME), "project = 'above'").unwrap();
    std::fs::write(place.join("shop/package.json"), "{}").unwrap();
    assert_eq!(find(&folder).unwrap(), None, "the root is not left");
    std::fs::write(place.join("shop").join(NAME), "project = 'shop'").unwrap();
    let found = find(&folder).unwrap().unwrap();
    assert_eq!(found.project.as_deref(), Some("shop"));
    assert_eq!(found.file, place.join("shop").join(NAME));
    std::fs::create_dir(folder.join(NAME)).unwrap();
    let said = find(&folder).unwrap_err().to_string();
    assert!(
        said.ends_with("freeport.toml cannot be read: it is not a regular file"),
        "{said}"
    );
    std::fs::remove_dir(folder.join(NAME)).unwrap();
    std::fs::write(folder.join(NAME), "#".repeat(300_000)).unwrap();
    let said = find(&folder).unwrap_err().to_string();
    assert!(said.ends_with("it is longer than 256 KiB"), "{said}");
    std::fs::write(folder.join(NAME), [0xff]).unwrap();
    assert!(find(&folder).is_err(), "it is not UTF-8");
    std::fs::remove_dir_all(&place).unwrap();
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(\\PC|[\\[\\]=.\"'\n]|services|port){0,40}") {
        let _ = read_text(&text);
    }
}
