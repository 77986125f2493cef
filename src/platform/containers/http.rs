//! HTTP/1.1 (RFC 9112), as far as the API of a container engine needs it: one request a connection, and
//! an answer of bounded size. What comes may come from anybody: nothing in it is trusted.

use std::io::{self, BufRead, Read as _};

/// The longest line of a head, and the longest line before a chunk.
const LINE: u64 = 8 * 1024;
/// The most lines of a head.
const LINES: usize = 128;
/// The largest body: a thousand containers are two megabytes.
const BODY: u64 = 8 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// It could not be read.
    #[error("{}", told(.0))]
    Io(#[from] io::Error),
    /// It is not HTTP.
    #[error("it does not speak HTTP as it should")]
    NotHttp,
    /// It is larger than anything that is expected.
    #[error("its answer is too large")]
    TooLarge,
}

fn told(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "it does not answer in time".into(),
        io::ErrorKind::UnexpectedEof => {
            "it closed the connection before its answer was over".into()
        }
        _ => error.to_string(),
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its status, as 200.
    pub status: u16,
    /// The version of Podman's own API, when this is Podman.
    pub libpod: Option<String>,
    /// What was sent.
    pub body: Vec<u8>,
}

/// A request, ready to be sent. `path` is made of ids and numbers alone.
pub fn request(method: &str, path: &str) -> String {
    // A request with a body of no bytes is what POST is without one.
    let length = if method == "POST" {
        "Content-Length: 0\r\n"
    } else {
        ""
    };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: freeport\r\nAccept: application/json\r\n{length}Connection: close\r\n\r\n"
    )
}

/// How the end of a body is known.
enum Framing {
    Nothing,
    Length(u64),
    Chunked,
    ToTheEnd,
}

/// Reads an answer to its end.
pub fn read(from: &mut impl BufRead) -> Result<Response, HttpError> {
    let status = status(&line(from)?)?;
    let mut framing = match status {
        204 | 304 => Framing::Nothing,
        _ => Framing::ToTheEnd,
    };
    let mut libpod = None;
    for _ in 0..LINES {
        let line = line(from)?;
        if line.is_empty() {
            let body = body(from, &framing)?;
            return Ok(Response {
                status,
                libpod,
                body,
            });
        }
        let (name, value) = line.split_once(':').ok_or(HttpError::NotHttp)?;
        let value = value.trim();
        match (name.to_ascii_lowercase().as_str(), &framing) {
            ("libpod-api-version", _) => libpod = Some(value.to_owned()),
            ("transfer-encoding", Framing::Nothing) | ("content-length", Framing::Nothing) => {}
            ("transfer-encoding", _) if value.eq_ignore_ascii_case("chunked") => {
                framing = Framing::Chunked;
            }
            ("transfer-encoding", _) => return Err(HttpError::NotHttp),
            ("content-length", Framing::ToTheEnd) => {
                let length = value.parse().map_err(|_| HttpError::NotHttp)?;
                framing = Framing::Length(length);
            }
            _ => {}
        }
    }
    Err(HttpError::TooLarge)
}

/// `HTTP/1.1 200 OK`.
fn status(line: &str) -> Result<u16, HttpError> {
    let rest = line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(1..)?.strip_prefix(' '))
        .ok_or(HttpError::NotHttp)?;
    let digits = rest.get(..3).ok_or(HttpError::NotHttp)?;
    let status = digits.parse().map_err(|_| HttpError::NotHttp)?;
    // Nothing that is asked has an answer in two parts.
    if (200..600).contains(&status) {
        Ok(status)
    } else {
        Err(HttpError::NotHttp)
    }
}

/// A line without its end.
fn line(from: &mut impl BufRead) -> Result<String, HttpError> {
    let mut bytes = Vec::new();
    from.by_ref().take(LINE).read_until(b'\n', &mut bytes)?;
    match bytes.pop() {
        Some(b'\n') => {}
        Some(_) if bytes.len() as u64 + 1 >= LINE => return Err(HttpError::TooLarge),
        _ => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    String::from_utf8(bytes).map_err(|_| HttpError::NotHttp)
}

fn body(from: &mut impl BufRead, framing: &Framing) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    match *framing {
        Framing::Nothing => {}
        Framing::Length(length) => exactly(from, length, &mut body)?,
        Framing::Chunked => loop {
            let line = line(from)?;
            let size = line.split(';').next().unwrap_or_default().trim();
            // `from_str_radix` takes a sign, too.
            if !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(HttpError::NotHttp);
            }
            let size = u64::from_str_radix(size, 16).map_err(|_| HttpError::NotHttp)?;
            if size == 0 {
                break;
            }
            exactly(from, size, &mut body)?;
            if !self::line(from)?.is_empty() {
                return Err(HttpError::NotHttp);
            }
        },
        Framing::ToTheEnd => {
            from.by_ref().take(BODY + 1).read_to_end(&mut body)?;
            if body.len() as u64 > BODY {
                return Err(HttpError::TooLarge);
            }
        }
    }
    Ok(body)
}

/// Appends so many bytes. Takes memory for those that came, and not for those that were promised.
fn exactly(from: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> Result<(), HttpError> {
    if length > BODY.saturating_sub(body.len() as u64) {
        return Err(HttpError::TooLarge);
    }
    let came = from.by_ref().take(length).read_to_end(body)?;
    if came as u64 == length {
        Ok(())
    } else {
        Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(text: &str) -> Result<Response, HttpError> {
        read(&mut text.as_bytes())
    }

    #[test]
    fn bodies_end_in_three_ways() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[{}]and more",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n3;x=y\r\n{}]\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: Chunked\r\n\r\n004\r\n[{}]\r\n0\r\n",
            "HTTP/1.0 200 OK\r\n\r\n[{}]",
            "HTTP/1.1 200 OK\n\n[{}]",
        ] {
            let found = answer(text).unwrap();
            assert_eq!(
                (found.status, found.body.as_slice()),
                (200, &b"[{}]"[..]),
                "{text}"
            );
        }
    }

    #[test]
    fn podman_says_which_it_is() {
        let text =
            "HTTP/1.1 204 No Content\r\nLibpod-Api-Version: 4.3.1\r\nContent-Length: 7\r\n\r\n";
        let found = answer(text).unwrap();
        assert_eq!(
            (found.status, found.libpod.as_deref()),
            (204, Some("4.3.1"))
        );
        assert_eq!(found.body, b"");
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for text in [
            "",
            "HTTP/1.1 200 OK",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 xx\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[{}]",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+4\r\n[{}]\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n[{}]0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n[",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n800000\r\n[",
        ] {
            assert!(answer(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_does_not_end_is_too_large() {
        let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(10_000));
        assert!(matches!(answer(&long), Err(HttpError::TooLarge)));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(200));
        assert!(matches!(answer(&many), Err(HttpError::TooLarge)));
        let head = b"HTTP/1.1 200 OK\r\n\r\n";
        let mut endless = io::BufReader::new(head.chain(io::repeat(b'x')));
        assert!(matches!(read(&mut endless), Err(HttpError::TooLarge)));
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = b"1\r\nx\r\n".repeat(100);
        let chunks = std::iter::repeat_n(chunk, 100_000)
            .flatten()
            .collect::<Vec<u8>>();
        let mut endless = head.chain(chunks.as_slice());
        assert!(matches!(read(&mut endless), Err(HttpError::TooLarge)));
    }

    proptest! {
        #[test]
        fn nothing_makes_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), head in 0usize..4) {
            let heads = ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"];
            let mut text = heads[head].as_bytes().to_vec();
            text.extend(bytes);
            let _ = read(&mut text.as_slice());
        }
    }
}
