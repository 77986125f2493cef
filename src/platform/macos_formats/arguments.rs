//! The arguments of a process, as `sysctl` with `KERN_PROCARGS2` gives them: their number, the path
//! that was executed, padding, the arguments, and then the environment, which is nobody's business
//! but for the mark by which a run knows its own.

/// What the path is padded to (`exec_extract_strings` in xnu's kern_exec.c: the size of a pointer).
const PADDING: usize = 8;

/// The arguments, of which at most `limit` bytes are taken. Empty when there are none to be read.
pub fn arguments(bytes: &[u8], limit: usize) -> Vec<String> {
    let Some((count, words)) = words(bytes) else {
        return Vec::new();
    };
    let mut left = limit;
    let mut arguments = Vec::new();
    for word in words.take(count) {
        let word = &word[..word.len().min(left)];
        arguments.push(String::from_utf8_lossy(word).trim_end().to_owned());
        left = left.saturating_sub(word.len() + 1);
        if left == 0 {
            break;
        }
    }
    arguments
}

/// Whether the environment sets anything to exactly this value. It cannot be read of most programs
/// that came with the system: none is there then.
pub fn environment_has(bytes: &[u8], value: &[u8]) -> bool {
    let is_value = |word: &[u8]| {
        let equals = word.iter().position(|&b| b == b'=');
        equals.is_some_and(|at| &word[at + 1..] == value)
    };
    words(bytes).is_some_and(|(count, words)| {
        // What the kernel adds lies behind an empty one.
        let mut variables = words.skip(count).take_while(|word| !word.is_empty());
        variables.any(is_value)
    })
}

/// How many of the words are arguments, and the words.
fn words(bytes: &[u8]) -> Option<(usize, impl Iterator<Item = &[u8]>)> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    // Only the exact number keeps the environment out: arguments can be empty.
    let count = usize::try_from(i32::from_ne_bytes(*count)).unwrap_or(0);
    let path = rest.iter().position(|&b| b == 0).unwrap_or(rest.len());
    let used = rest[path..].iter().position(|&b| b != 0);
    // Zeros behind the padding are arguments without a letter.
    let padded = (path + 1).next_multiple_of(PADDING).min(rest.len());
    let start = used.map_or(padded, |used| padded.min(path + used));
    Some((count, rest[start..].split(|&b| b == 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(count: i32, rest: &str) -> Vec<u8> {
        let mut bytes = count.to_ne_bytes().to_vec();
        bytes.extend(rest.bytes());
        bytes
    }

    #[test]
    fn arguments_end_where_the_environment_starts() {
        let bytes = block(
            3,
            "/bin/node\0\0\0\0node\0server.js\0--port=3000\0SECRET=1\0",
        );
        assert_eq!(
            arguments(&bytes, 4096),
            ["node", "server.js", "--port=3000"]
        );
        let bytes = block(3, "/bin/x\0x\0\0last\0SECRET=1\0");
        assert_eq!(arguments(&bytes, 4096), ["x", "", "last"], "an empty one");
    }

    #[test]
    fn long_ones_are_cut() {
        let bytes = block(3, "/bin/x\0x\0abcdef\0y\0");
        assert_eq!(arguments(&bytes, 5), ["x", "abc"]);
    }

    #[test]
    fn nonsense_gives_none() {
        for bytes in [
            &b""[..],
            &[1, 0],
            &block(0, "/x\0x\0"),
            &block(-1, "/x\0x\0"),
        ] {
            assert_eq!(arguments(bytes, 4096), [""; 0]);
        }
        assert_eq!(arguments(&block(2, "/x"), 4096), [""]);
        assert!(!environment_has(b"", b""));
    }

    #[test]
    fn an_empty_first_argument_does_not_let_the_environment_in() {
        let bytes = block(2, "/bin/x\0\0\0b\0SECRET=1\0");
        assert_eq!(arguments(&bytes, 4096), ["", "b"]);
        let bytes = block(2, "/bin/abcd\0\0\0\0\0\0\0\0b\0SECRET=1\0");
        assert_eq!(arguments(&bytes, 4096), ["", "b"]);
    }

    #[test]
    fn values_are_found_in_the_environment_only() {
        let bytes = block(2, "/x\0\0\0\0\0\0x\0A=77\0B=12\0C=1=77\0D=\0\0E=99\0");
        assert!(environment_has(&bytes, b"12"));
        assert!(environment_has(&bytes, b"1=77"));
        for other in ["77", "1", "B=12", "99", "2"] {
            assert!(!environment_has(&bytes, other.as_bytes()), "{other}");
        }
        assert!(!environment_has(&block(2, "/x\0x\0"), b"12"), "not shown");
    }
}
