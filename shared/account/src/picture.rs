//! Pictures as far as they are looked at here: which kind, how large. Decoding is the page's.
//!
//! Invariant: what has a kind begins as a picture of that kind does, and says of itself that it is
//! 256x256 at most. The rest of it is not vouched for.

/// Longest picture, bytes.
pub const PICTURE_BYTES_MAX: usize = 12_288;
/// Longest side, pixels.
pub const PICTURE_SIDE_MAX: u32 = 256;

/// Kinds that every browser shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Png,
    Jpeg,
    Webp,
}

impl Kind {
    /// As in a data URL.
    pub fn media(self) -> &'static str {
        match self {
            Kind::Png => "image/png",
            Kind::Jpeg => "image/jpeg",
            Kind::Webp => "image/webp",
        }
    }
}

/// The kind of a picture that may be shown.
pub fn kind(bytes: &[u8]) -> Option<Kind> {
    if bytes.len() > PICTURE_BYTES_MAX {
        return None;
    }
    let (kind, (width, height)) = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        (Kind::Png, png(bytes)?)
    } else if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        (Kind::Jpeg, jpeg(bytes)?)
    } else if bytes.starts_with(b"RIFF") {
        (Kind::Webp, webp(bytes)?)
    } else {
        return None;
    };
    let fits = |side| (1..=PICTURE_SIDE_MAX).contains(&side);
    (fits(width) && fits(height)).then_some(kind)
}

/// The first chunk is IHDR.
fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    let rest = bytes.get(8..)?.strip_prefix(&[0, 0, 0, 13])?;
    let rest = rest.strip_prefix(b"IHDR")?;
    Some((be32(rest.get(..4)?)?, be32(rest.get(4..8)?)?))
}

/// The first frame header, behind segments that are skipped.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.get(2..)?;
    loop {
        let [0xff, marker, tail @ ..] = rest else {
            return None;
        };
        match marker {
            // Filling.
            0xff => {
                rest = rest.get(1..)?;
                continue;
            }
            // Start of a frame: not the tables 0xc4, 0xc8 and 0xcc.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let [_, _, _bits, h0, h1, w0, w1, ..] = tail else {
                    return None;
                };
                let side = |high: &u8, low: &u8| u32::from(*high) << 8 | u32::from(*low);
                return Some((side(w0, w1), side(h0, h1)));
            }
            // Such as stand alone, and the data that would have needed a frame before.
            0x01 | 0xd0..=0xda => return None,
            _ => {}
        }
        let [l0, l1, ..] = tail else { return None };
        let len = usize::from(*l0) << 8 | usize::from(*l1);
        rest = tail.get(len.max(2)..)?;
    }
}

/// Lossy, lossless or extended: the first chunk says it. An extended one has pictures in its later
/// chunks that decoders hold to the size it names.
fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    let rest = bytes.get(8..)?.strip_prefix(b"WEBP")?;
    let (name, rest) = rest.split_first_chunk::<4>()?;
    let data = rest.get(4..)?;
    let le = |bytes: &[u8]| -> Option<u32> {
        let few = bytes.iter().rev();
        (bytes.len() <= 4).then(|| few.fold(0, |n, byte| n << 8 | u32::from(*byte)))
    };
    match name {
        b"VP8 " => {
            let sides = data.get(3..)?.strip_prefix(&[0x9d, 0x01, 0x2a])?;
            let width = le(sides.get(..2)?)? & 0x3fff;
            Some((width, le(sides.get(2..4)?)? & 0x3fff))
        }
        b"VP8L" => {
            let bits = le(data.strip_prefix(&[0x2f])?.get(..4)?)?;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8X" => Some((le(data.get(4..7)?)? + 1, le(data.get(7..10)?)? + 1)),
        _ => None,
    }
}

fn be32(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use alloc::vec::Vec;
    use shared::crypto::Rng;

    pub(crate) fn a_png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend_from_slice(&width.to_be_bytes());
        bytes.extend_from_slice(&height.to_be_bytes());
        bytes.extend_from_slice(&[8, 6, 0, 0, 0]);
        bytes
    }

    fn a_jpeg(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = alloc::vec![
            0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc2, 0, 11, 8
        ];
        bytes.extend_from_slice(&height.to_be_bytes());
        bytes.extend_from_slice(&width.to_be_bytes());
        bytes
    }

    fn a_webp(chunk: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF\x40\0\0\0WEBP".to_vec();
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(&(data.len() as u32).to_le_bytes());
        bytes.extend_from_slice(data);
        bytes
    }

    #[test]
    fn kinds_and_sides() {
        assert_eq!(kind(&a_png(256, 1)), Some(Kind::Png));
        assert_eq!(kind(&a_png(257, 1)), None);
        assert_eq!(kind(&a_png(0, 1)), None);
        assert_eq!(kind(&a_jpeg(256, 200)), Some(Kind::Jpeg));
        assert_eq!(kind(&a_jpeg(256, 257)), None);
        let lossy = [1, 2, 3, 0x9d, 0x01, 0x2a, 0, 1, 255, 0];
        assert_eq!(kind(&a_webp(b"VP8 ", &lossy)), Some(Kind::Webp));
        // 14 bits of each side, less one.
        let bits =
            |w: u32, h: u32| [&[0x2f], &((w - 1) | (h - 1) << 14).to_le_bytes()[..]].concat();
        assert_eq!(kind(&a_webp(b"VP8L", &bits(256, 256))), Some(Kind::Webp));
        assert_eq!(kind(&a_webp(b"VP8L", &bits(256, 257))), None);
        let wide = [0, 0, 0, 0, 0, 1, 0, 0xff, 0, 0];
        assert_eq!(kind(&a_webp(b"VP8X", &wide)), None);
        let right = [0, 0, 0, 0, 0xff, 0, 0, 0xff, 0, 0];
        assert_eq!(kind(&a_webp(b"VP8X", &right)), Some(Kind::Webp));
        for not in [&b""[..], b"GIF89a", b"<svg/>", b"RIFF", b"\xff\xd8\xff"] {
            assert_eq!(kind(not), None);
        }
    }

    #[test]
    fn long_and_cut_ones_are_none() {
        let mut long = a_png(9, 9);
        long.resize(PICTURE_BYTES_MAX, 0);
        assert_eq!(kind(&long), Some(Kind::Png));
        long.push(0);
        assert_eq!(kind(&long), None);
        let jpeg = a_jpeg(9, 9);
        for cut in 0..jpeg.len() {
            assert_eq!(kind(&jpeg[..cut]), None);
        }
        for cut in 0..24 {
            assert_eq!(kind(&a_png(9, 9)[..cut]), None);
        }
    }

    #[test]
    fn random_bytes_do_no_harm() {
        let mut rng = Rng::new([7; 32]);
        let right = [0, 0, 0, 0, 0xff, 0, 0, 0xff, 0, 0];
        for good in [a_png(9, 9), a_jpeg(9, 9), a_webp(b"VP8X", &right)] {
            for _ in 0..5_000 {
                let mut bytes = good.clone();
                for _ in 0..1 + rng.below(6) {
                    let at = rng.below(bytes.len() as u64) as usize;
                    bytes[at] = rng.u64() as u8;
                }
                kind(&bytes);
            }
        }
    }
}
