//! The heat map: an evidence map as a small picture that can be laid over the camera's.

use super::EvidenceMap;

/// Columns and rows at most: what tiles can tell is no finer.
const MOST: (usize, usize) = (64, 36);
/// Steps from nothing to certain; a picture of so many takes half a byte a pixel.
const STEPS: usize = 16;

/// Where on a frame a prompt was seen, as PNG of at most 64x36 pixels and 2 KB over the whole frame. Nothing is
/// transparent; then come yellow, orange and red, each less transparent than the one before.
#[derive(Clone, PartialEq, Eq)]
pub struct HeatMap(Vec<u8>);

impl std::fmt::Debug for HeatMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HeatMap({} bytes)", self.0.len())
    }
}

impl HeatMap {
    /// The picture of a map.
    pub fn new(map: &EvidenceMap) -> Self {
        let (columns, rows) = map.size();
        let (width, height) = (columns.min(MOST.0), rows.min(MOST.1));
        let step = |x: usize, y: usize| {
            let within = |at: usize, all: usize, of: usize| at * of / all..((at + 1) * of).div_ceil(all);
            let cells =
                within(y, height, rows).flat_map(|row| within(x, width, columns).map(move |c| row * columns + c));
            let strongest = cells.map(|cell| map.cells()[cell]).fold(0.0, f32::max);
            (strongest.clamp(0.0, 1.0) * (STEPS - 1) as f32).round() as u8
        };
        // Rows of a picture of four bits a pixel begin with a byte of their own.
        let row = |y: usize| {
            let pixel = move |x: usize| if x < width { step(x, y) } else { 0 };
            (0..width.div_ceil(2)).map(move |pair| pixel(2 * pair) << 4 | pixel(2 * pair + 1))
        };
        let pixels: Vec<u8> = (0..height).flat_map(row).collect();
        // It fails only for a size of nothing, which no map has.
        Self(encoded(width as u32, height as u32, &pixels).unwrap_or_default())
    }

    /// The PNG file.
    pub fn png(&self) -> &[u8] {
        &self.0
    }

    /// What a PNG file holds, as it came over the wire.
    pub fn from_png(png: Vec<u8>) -> Self {
        Self(png)
    }
}

fn encoded(width: u32, height: u32, pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Four);
    encoder.set_compression(png::Compression::High);
    let share = |step: usize| step as f32 / (STEPS - 1) as f32;
    let colour = |step| [255, (230.0 * (1.0 - share(step))) as u8, 0];
    encoder.set_palette((0..STEPS).flat_map(colour).collect::<Vec<u8>>());
    // What is unlikely shows faintly, so that the picture below stays to be seen.
    encoder.set_trns((0..STEPS).map(|step| (200.0 * share(step).powf(1.5)) as u8).collect::<Vec<u8>>());
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::UnitBox;

    #[test]
    fn what_is_strong_is_red_and_what_is_not_lets_the_picture_through() {
        let tiles = [(UnitBox::new(0.0, 0.0, 0.5, 1.0), 0.0), (UnitBox::new(0.5, 0.0, 1.0, 1.0), 0.97)];
        let map = EvidenceMap::new(tiles.into_iter(), 16.0 / 9.0);
        let picture = image::load_from_memory(HeatMap::new(&map).png()).expect("a PNG").into_rgba8();
        assert_eq!(picture.dimensions(), (64, 36));
        assert_eq!(picture.get_pixel(3, 20).0[3], 0);
        let [red, green, blue, alpha] = picture.get_pixel(60, 3).0;
        assert!(red == 255 && green < 20 && blue == 0 && alpha > 190, "{red} {green} {blue} {alpha}");
    }

    #[test]
    fn no_map_takes_more_than_two_kilobytes() {
        let mut random = fastrand::Rng::with_seed(1);
        for aspect in [0.2, 0.5625, 1.0, 1.7778, 40.0] {
            let tiles: Vec<_> = (0..20_000)
                .map(|_| {
                    let (x, y) = (random.f32(), random.f32());
                    (UnitBox::new(x, y, x + 0.02, y + 0.03), random.f32())
                })
                .collect();
            let heat = HeatMap::new(&EvidenceMap::new(tiles.into_iter(), aspect));
            assert!(heat.png().len() < 2000, "{aspect}: {}", heat.png().len());
            assert!(image::load_from_memory(heat.png()).is_ok());
        }
    }
}
