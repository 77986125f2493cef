//! Engines that answer slowly, wrongly, or not at all. What a real one answers is tested with it.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use super::*;
use crate::platform::local_socket::Listener;

/// A socket that answers each connection with the next of these texts; without one, it keeps the
/// connection and is silent.
fn engine(name: &str, answers: &'static [&'static str]) -> (Place, PathBuf) {
    let path = std::env::temp_dir().join(format!("freeport-{name}-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = Listener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer);
            match answers.get(number) {
                Some(answer) => drop(stream.write_all(answer.as_bytes())),
                None => kept.push(stream),
            }
        }
    });
    (Place::Unix(path.clone()), path)
}

const PING: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[test]
fn dockers_answer_is_read() {
    let list = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2f\r\n[{\"Id\":\"abc\",\"Names\":[\"/web\"],\"State\":\"running\"\r\n2\r\n}]\r\n0\r\n\r\n";
    let (place, path) = engine("docker", Box::leak(Box::new([PING, list])));
    let found = containers(&place, 3, soon());
    std::fs::remove_file(path).unwrap();
    let found = found.unwrap();
    assert_eq!(
        (found[0].container.name.as_str(), found[0].place),
        ("web", 3)
    );
}

#[test]
fn what_is_silent_is_given_up() {
    let (place, path) = engine("silent", &[PING]);
    let deadline = Instant::now() + Duration::from_millis(200);
    let found = containers(&place, 0, deadline).unwrap_err();
    std::fs::remove_file(path).unwrap();
    assert_eq!(found.to_string(), "it does not answer in time");
}

#[test]
fn where_nobody_listens_there_is_nothing_to_tell() {
    let path = std::env::temp_dir().join(format!("freeport-none-{}.sock", std::process::id()));
    let place = Place::Unix(path.clone());
    let error = containers(&place, 0, soon()).unwrap_err();
    assert!(matches!(error, AskError::Absent), "{error}");
    drop(Listener::bind(&path).unwrap());
    let error = containers(&place, 0, soon()).unwrap_err();
    std::fs::remove_file(path).unwrap();
    assert!(matches!(error, AskError::Absent), "{error}");
}

#[test]
fn complaints_are_passed_on() {
    let no = "HTTP/1.1 500 Oh\r\nContent-Length: 19\r\n\r\n{\"message\":\"oh no\"}";
    let (place, path) = engine("complaint", Box::leak(Box::new([no, PING, "SSH-2.0\r\n"])));
    let container = Container::of_id("abc", crate::model::container::EngineKind::Docker);
    let address = place.address().unwrap();
    let stopped = stop(&address, &container, Stop::Kill, Duration::from_secs(20));
    assert_eq!(stopped.unwrap_err().to_string(), "its engine says: oh no");
    let wrong = containers(&place, 0, soon()).unwrap_err();
    std::fs::remove_file(path).unwrap();
    assert_eq!(wrong.to_string(), "it does not speak HTTP as it should");
}
