//! A request to the portserver: the pid that a port is for, in ASCII. Pure.

/// The most bytes that are looked at.
const LIMIT: usize = 20;

/// The pid in a request. Spaces around it, such as the newline, mean nothing.
pub(super) fn pid(request: &[u8]) -> Option<u32> {
    if request.len() > LIMIT {
        return None;
    }
    let digits = request.trim_ascii();
    let digits = digits.strip_prefix(b"+").unwrap_or(digits);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_is_read_with_or_without_its_newline() {
        for (request, expected) in [
            ("8", 8),
            ("8\n", 8),
            (" 8 \r\n", 8),
            ("+8\n", 8),
            ("0008", 8),
            ("4294967295", u32::MAX),
            ("00000000000000000001", 1),
        ] {
            assert_eq!(pid(request.as_bytes()), Some(expected), "{request:?}");
        }
    }

    #[test]
    fn what_is_no_pid_is_refused() {
        for request in [
            "",
            "\n",
            "99Z",
            "99 8",
            "-8",
            "+",
            "++8",
            "8.0",
            "0x8",
            "4294967296",
            "99999999999999999999",
            "12345678901234567890123456789012345",
            "000000000000000000001",
            "8\0",
            "\u{0663}",
        ] {
            assert_eq!(pid(request.as_bytes()), None, "{request:?}");
        }
    }
}
