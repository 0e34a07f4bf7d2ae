//! Grey images as text: the plain form of PGM (`P2`), which any editor shows and any image viewer opens.

use serde::{Deserialize, Serialize};
use std::path::Path;
use vastflow::{NodeError, Result};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Image {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// From 0, black, to 9, white.
    pixels: Vec<u8>,
}

impl Image {
    /// Reads an image. That it is missing may be better at the next try; that it is no image will not.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|why| format!("{}: {why}", file.display()))?;
        let no_image = |why: &str| NodeError::fatal(format!("{} is no image: {why}", file.display()));
        let numbers = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).skip(1);
        let numbers: Vec<usize> =
            numbers.map(str::parse).collect::<Result<_, _>>().map_err(|_| no_image("it has more than numbers"))?;
        let [width, height, 9, pixels @ ..] = numbers.as_slice() else {
            return Err(no_image("its head is wrong").into());
        };
        if pixels.len() != width * height {
            return Err(no_image("it has too few or too many pixels").into());
        }
        let pixels = pixels.iter().map(|pixel| u8::try_from(*pixel).unwrap_or(9)).collect();
        Ok(Image { width: *width, height: *height, pixels })
    }

    /// How many pixels are dark, as eyes and mouths are.
    pub(crate) fn dark_pixels(&self) -> usize {
        self.pixels.iter().filter(|pixel| **pixel < 3).count()
    }

    /// How alike two images are, in per cent.
    pub(crate) fn likeness(&self, other: &Self) -> u32 {
        let apart: u32 = self.pixels.iter().zip(&other.pixels).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        let most = u32::try_from(self.pixels.len() * 9).unwrap_or(u32::MAX).max(1);
        100 - (100 * apart / most).min(100)
    }
}
