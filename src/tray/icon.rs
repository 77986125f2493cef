//! The pictures of the tray icon, as `icons/render` makes them: ARGB, 4 bytes a pixel.

/// A picture.
pub struct Picture {
    /// Its width and height in pixels.
    pub size: i32,
    /// Its pixels, in rows.
    pub argb: &'static [u8],
}

macro_rules! pictures {
    ($state:literal) => {
        [
            Picture {
                size: 22,
                argb: include_bytes!(concat!("../../icons/tray/", $state, "-22.argb")),
            },
            Picture {
                size: 32,
                argb: include_bytes!(concat!("../../icons/tray/", $state, "-32.argb")),
            },
            Picture {
                size: 48,
                argb: include_bytes!(concat!("../../icons/tray/", $state, "-48.argb")),
            },
        ]
    };
}

/// When all is well.
pub const NORMAL: [Picture; 3] = pictures!("normal");
/// When something is in conflict.
pub const CONFLICT: [Picture; 3] = pictures!("conflict");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_have_the_size_that_they_say() {
        for picture in NORMAL.iter().chain(&CONFLICT) {
            assert_eq!(
                picture.argb.len() as i64,
                i64::from(picture.size) * i64::from(picture.size) * 4
            );
        }
    }
}
