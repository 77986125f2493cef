//! The options of the docker client: which take a value, and where a line of words has them. Pure.
//!
//! The client reads them as getopt does (pflag, a Go library): `--name VALUE`, `--name=VALUE`, single
//! letters together (`-itp 3000:3000`, `-p3000:3000`, `-p=3000:3000`), up to the first word that is
//! neither an option nor the value of one, or up to `--`.

use std::ffi::OsString;

/// The options of a command, with white space between their long names.
pub(super) struct Options {
    /// Those that take a value.
    valued: &'static str,
    /// Those that take none, or one with `=` only.
    switches: &'static str,
    /// Letters, with the names that they stand for.
    letters: &'static [(u8, &'static str)],
}

/// The options before the command: `docker --context remote run …`.
pub(super) const GLOBAL: Options = Options {
    valued: "config context host log-level tlscacert tlscert tlskey",
    switches: "debug help tls tlsverify version",
    letters: &[
        (b'D', "debug"),
        (b'H', "host"),
        (b'c', "context"),
        (b'h', "help"),
        (b'l', "log-level"),
        (b'v', "version"),
    ],
};

/// The options of `docker run` and `docker create`, of docker 28, with those that its help does not
/// show (`--net`, `--net-alias`, `--dns-opt`).
pub(super) const RUN: Options = Options {
    valued: "
        add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop
        cgroup-parent cgroupns cidfile cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period
        cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems detach-keys device
        device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops
        dns dns-opt dns-option dns-search domainname entrypoint env env-file expose gpus
        group-add health-cmd health-interval health-retries health-start-interval
        health-start-period health-timeout hostname io-maxbandwidth io-maxiops ip ip6 ipc
        isolation kernel-memory label label-file link link-local-ip log-driver log-opt
        mac-address memory memory-reservation memory-swap memory-swappiness mount name net
        net-alias network network-alias oom-score-adj pid pids-limit platform publish pull
        restart runtime security-opt shm-size stop-signal stop-timeout storage-opt sysctl tmpfs
        ulimit user userns uts volume volume-driver volumes-from workdir",
    switches: "
        detach disable-content-trust help init interactive no-healthcheck oom-kill-disable
        privileged publish-all quiet read-only rm sig-proxy tty use-api-socket",
    letters: &[
        (b'P', "publish-all"),
        (b'a', "attach"),
        (b'c', "cpu-shares"),
        (b'd', "detach"),
        (b'e', "env"),
        (b'h', "hostname"),
        (b'i', "interactive"),
        (b'l', "label"),
        (b'm', "memory"),
        (b'p', "publish"),
        (b'q', "quiet"),
        (b't', "tty"),
        (b'u', "user"),
        (b'v', "volume"),
        (b'w', "workdir"),
    ],
};

/// An option that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its long name.
    pub(super) name: &'static str,
    /// Its value: which word it is in, and from which byte on.
    pub(super) value: Option<(usize, usize)>,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The options, in their order.
    pub(super) found: Vec<Found>,
    /// The first word after them.
    pub(super) end: usize,
    /// An option that is not known, where it cannot be told whether the word after it is its value:
    /// from there on nothing was read.
    pub(super) unknown: Option<String>,
}

/// Reads the options from a word on.
pub(super) fn read(words: &[OsString], from: usize, options: &Options) -> Line {
    let mut line = Line {
        found: Vec::new(),
        end: from,
        unknown: None,
    };
    while let Some(word) = words.get(line.end) {
        // What is not UTF-8 is a value, or in one; names and letters are ASCII.
        let word = word.to_string_lossy();
        if word == "--" {
            line.end += 1;
            break;
        }
        let next = line.end + 1;
        let read = match (word.strip_prefix("--"), word.strip_prefix('-')) {
            (Some(long), _) => options.long(long, line.end, &mut line.found),
            (None, Some(letters)) if !letters.is_empty() => {
                options.short(letters, line.end, &mut line.found)
            }
            _ => break,
        };
        let follows = words.get(next).map(|word| word.to_string_lossy());
        match read {
            Read::Whole => line.end = next,
            Read::NextIsValue => line.end = next + 1,
            // Hardly any value begins like an option.
            Read::Unknown
                if follows.is_some_and(|next| next.len() > 1 && next.starts_with('-')) =>
            {
                line.end = next;
            }
            Read::Unknown => {
                line.unknown = Some(word.into_owned());
                break;
            }
        }
    }
    line
}

/// How far a word reaches.
enum Read {
    Whole,
    NextIsValue,
    Unknown,
}

impl Options {
    fn switch(&self, name: &str) -> Option<&'static str> {
        self.switches
            .split_whitespace()
            .find(|known| *known == name)
    }

    fn valued(&self, name: &str) -> Option<&'static str> {
        self.valued.split_whitespace().find(|known| *known == name)
    }

    fn long(&self, text: &str, word: usize, found: &mut Vec<Found>) -> Read {
        let (name, is_value_here) = match text.split_once('=') {
            Some((name, _)) => (name, true),
            None => (text, false),
        };
        let here = is_value_here.then_some((word, name.len() + 3));
        if let Some(name) = self.switch(name) {
            found.push(Found { name, value: here });
            Read::Whole
        } else if let Some(name) = self.valued(name) {
            let value = here.or(Some((word + 1, 0)));
            found.push(Found { name, value });
            if is_value_here {
                Read::Whole
            } else {
                Read::NextIsValue
            }
        } else if is_value_here {
            // Whatever it is, it is complete.
            Read::Whole
        } else {
            Read::Unknown
        }
    }

    fn short(&self, letters: &str, word: usize, found: &mut Vec<Found>) -> Read {
        for (at, letter) in letters.bytes().enumerate() {
            let Some((_, name)) = self.letters.iter().find(|(known, _)| *known == letter) else {
                return Read::Unknown;
            };
            let rest = &letters.as_bytes()[at + 1..];
            // After the letter, and the dash before all of them.
            let after = at + 2;
            if rest.len() > 1 && rest[0] == b'=' {
                found.push(Found {
                    name,
                    value: Some((word, after + 1)),
                });
                return Read::Whole;
            }
            if self.switch(name).is_some() {
                found.push(Found { name, value: None });
                continue;
            }
            let is_value_here = !rest.is_empty();
            let value = if is_value_here {
                (word, after)
            } else {
                (word + 1, 0)
            };
            found.push(Found {
                name,
                value: Some(value),
            });
            return if is_value_here {
                Read::Whole
            } else {
                Read::NextIsValue
            };
        }
        Read::Whole
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    /// The options as `name=value`, what comes after them, and what is not known.
    fn told(line: &str) -> (Vec<String>, String, Option<String>) {
        let words = words(line);
        let read = read(&words, 0, &RUN);
        let value = |(word, from): (usize, usize)| match words.get(word) {
            Some(word) => format!("={}", &word.to_str().unwrap()[from..]),
            None => "=?".to_owned(),
        };
        let options = read.found.iter();
        let options =
            options.map(|one| format!("{}{}", one.name, one.value.map_or(String::new(), value)));
        let rest: Vec<_> = words
            .iter()
            .skip(read.end)
            .map(|word| word.to_str().unwrap())
            .collect();
        (options.collect(), rest.join(" "), read.unknown)
    }

    #[test]
    fn options_end_where_the_image_is() {
        for (line, options, rest) in [
            (
                "-p 3000:80 img -p 1:1",
                &["publish=3000:80"][..],
                "img -p 1:1",
            ),
            ("-p3000:80 img", &["publish=3000:80"], "img"),
            ("-p=3000:80 img", &["publish=3000:80"], "img"),
            ("--publish 3000:80 img", &["publish=3000:80"], "img"),
            ("--publish=3000:80 img", &["publish=3000:80"], "img"),
            (
                "-itp 3000:80 img",
                &["interactive", "tty", "publish=3000:80"],
                "img",
            ),
            ("-dp3000:80 img", &["detach", "publish=3000:80"], "img"),
            (
                "-dit=false img",
                &["detach", "interactive", "tty=false"],
                "img",
            ),
            ("-hp x img", &["hostname=p"], "x img"),
            ("-e p=1 img", &["env=p=1"], "img"),
            ("-ep=1 img", &["env=p=1"], "img"),
            ("--name -p img", &["name=-p"], "img"),
            ("--rm --name= img", &["rm", "name="], "img"),
            ("-P -- -p 1:1", &["publish-all"], "-p 1:1"),
            ("-d -", &["detach"], "-"),
            ("-t --entrypoint", &["tty", "entrypoint=?"], ""),
            ("--detach false -p 1:1", &["detach"], "false -p 1:1"),
        ] {
            let (found, after, unknown) = told(line);
            assert_eq!(found, options, "{line}");
            assert_eq!((after.as_str(), unknown), (rest, None), "{line}");
        }
    }

    #[test]
    fn what_is_not_known_is_passed_over_only_where_that_is_safe() {
        for (line, options, unknown) in [
            ("--new=x -p 1:1 img", &["publish=1:1"][..], None),
            ("--new -p 1:1 img", &["publish=1:1"], None),
            ("-zd -p 1:1 img", &["publish=1:1"], None),
            ("-dz -p 1:1 img", &["detach", "publish=1:1"], None),
            ("-p 1:1 --new img -p 2:2", &["publish=1:1"], Some("--new")),
            ("-p 1:1 -z img -p 2:2", &["publish=1:1"], Some("-z")),
            ("-z - -p 2:2", &[], Some("-z")),
            ("--new", &[], Some("--new")),
        ] {
            let (found, _, not_known) = told(line);
            assert_eq!(found, options, "{line}");
            assert_eq!(not_known.as_deref(), unknown, "{line}");
        }
    }

    #[test]
    fn what_is_not_text_is_a_value() {
        let bytes = |bytes: &[u8]| crate::platform::os_text(bytes.to_vec());
        let words = [
            bytes(b"--name=\xff"),
            bytes(b"-v\xff:/x"),
            bytes(b"-e"),
            bytes(b"\xff"),
            bytes(b"\xff"),
        ];
        let line = read(&words, 0, &RUN);
        let names: Vec<_> = line.found.iter().map(|one| one.name).collect();
        assert_eq!(
            (names, line.end, line.unknown),
            (vec!["name", "volume", "env"], 4, None)
        );
    }

    #[test]
    fn no_option_is_in_two_places() {
        for table in [&RUN, &GLOBAL] {
            let names = |names: &'static str| names.split_whitespace();
            assert!(names(table.valued).is_sorted() && names(table.switches).is_sorted());
            assert!(names(table.valued).all(|name| table.switch(name).is_none()));
            for (_, name) in table.letters {
                let known = table.switch(name).or(table.valued(name));
                assert!(known.is_some(), "{name}");
            }
        }
    }

    /// What the help of the client says of an option: `-p, --publish list   Publish …`.
    fn helped(line: &str) -> Option<(Option<u8>, &str, bool)> {
        let line = line.trim_start();
        let (letter, line) = match line.strip_prefix("--") {
            Some(_) => (None, line),
            None => (Some(line.strip_prefix('-')?.as_bytes()[0]), line.get(4..)?),
        };
        let (name, rest) = line.strip_prefix("--")?.split_once(' ')?;
        Some((letter, name, !rest.starts_with(' ')))
    }

    #[test]
    fn the_client_has_the_same_options() {
        for (args, table) in [
            (&["run", "--help"][..], &RUN),
            (&["create", "--help"], &RUN),
            (&["--help"], &GLOBAL),
        ] {
            let Ok(help) = Command::new("docker").args(args).output() else {
                use std::io::Write as _;
                let _ = writeln!(
                    std::io::stderr(),
                    "SKIPPED: there is no docker to compare with"
                );
                return;
            };
            let help = String::from_utf8(help.stdout).unwrap();
            let mut seen = 0;
            for (letter, name, is_valued) in help.lines().filter_map(helped) {
                seen += 1;
                assert_eq!(table.valued(name).is_some(), is_valued, "{args:?} --{name}");
                assert_eq!(table.switch(name).is_none(), is_valued, "{args:?} --{name}");
                if let Some(letter) = letter {
                    assert!(
                        table.letters.contains(&(letter, name)),
                        "-{}, --{name}",
                        char::from(letter)
                    );
                }
            }
            assert!(seen >= 10, "{args:?}: the help was read");
        }
    }
}
