//! The arguments of a process, as `sysctl` with `KERN_PROCARGS2` gives them: their number, the path
//! that was executed, padding, the arguments, and then the environment, which is nobody's business.

/// The arguments, of which at most `limit` bytes are taken. Empty when there are none to be read.
pub fn arguments(bytes: &[u8], limit: usize) -> Vec<String> {
    let Some((count, rest)) = bytes.split_first_chunk::<4>() else {
        return Vec::new();
    };
    // Only the exact number keeps the environment out: arguments can be empty.
    let count = usize::try_from(i32::from_ne_bytes(*count)).unwrap_or(0);
    let path = rest.iter().position(|&b| b == 0).unwrap_or(rest.len());
    let padded = &rest[path..];
    let start = padded.iter().position(|&b| b != 0).unwrap_or(padded.len());
    let mut left = limit;
    let mut arguments = Vec::new();
    for word in padded[start..].split(|&b| b == 0).take(count) {
        let word = &word[..word.len().min(left)];
        arguments.push(String::from_utf8_lossy(word).trim_end().to_owned());
        left = left.saturating_sub(word.len() + 1);
        if left == 0 {
            break;
        }
    }
    arguments
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
    }
}
