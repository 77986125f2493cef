//! The picture of the icon: a template, which macOS draws in the colour that the menu bar needs.

use std::io::Cursor;

use tray_icon::{BadIcon, Icon};

/// 18 points at two pixels a point.
const PICTURE: &[u8] = include_bytes!("../../../icons/tray/template-36.png");

/// The width and height in pixels that are drawn as 22 points, the height of the menu bar, at two
/// pixels a point: tray-icon fits taller pictures into it.
const CANVAS: usize = 44;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The file is not as it should be.
    #[error(transparent)]
    File(#[from] png::DecodingError),
    /// It has another size or other pixels than the canvas.
    #[error("it does not fit its canvas")]
    Form,
    /// It cannot be shown.
    #[error(transparent)]
    Icon(#[from] BadIcon),
}

/// The picture, in the middle of an empty canvas.
pub fn template() -> Result<Icon, PictureError> {
    let mut reader = png::Decoder::new(Cursor::new(PICTURE)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or(PictureError::Form)?];
    let info = reader.next_frame(&mut pixels)?;
    let (width, height) = (info.width as usize, info.height as usize);
    let is_rgba = (info.color_type, info.bit_depth) == (png::ColorType::Rgba, png::BitDepth::Eight);
    if !is_rgba || width.max(height) > CANVAS {
        return Err(PictureError::Form);
    }
    let mut canvas = vec![0; CANVAS * CANVAS * 4];
    let (left, top) = ((CANVAS - width) / 2, (CANVAS - height) / 2);
    for (y, row) in pixels.chunks_exact(width * 4).take(height).enumerate() {
        let start = ((top + y) * CANVAS + left) * 4;
        canvas[start..start + row.len()].copy_from_slice(row);
    }
    Ok(Icon::from_rgba(canvas, CANVAS as u32, CANVAS as u32)?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_picture_can_be_read() {
        super::template().unwrap();
    }
}
