//! Which tile holds what, and where it lies (C2SP tlog-tiles).

/// Hashes of a full tile: its height is 8.
pub const TILE_WIDTH: u64 = 256;
pub(crate) const TILE_HEIGHT: u32 = 8;
/// Bytes of a hash in a tile.
pub(crate) const HASH_BYTES: u64 = 32;

/// One tile: `width` hashes from the `index`-th run of 256 at a level. Level 0 holds leaf hashes, each hash of a higher level the root
/// of a full tile of the level below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// 0 to 7: a `u64` of leaves has no more.
    pub level: u8,
    pub index: u64,
    /// 1 to 256; below 256 the tile is partial.
    pub width: u16,
}

impl Tile {
    /// The tiles of a tree of `size` leaves, level by level, from the left.
    pub fn all(size: u64) -> impl Iterator<Item = Tile> {
        (0..u64::BITS / TILE_HEIGHT)
            .map(move |level| (level as u8, size >> (TILE_HEIGHT * level)))
            .take_while(|(_, hashes)| *hashes > 0)
            .flat_map(|(level, hashes)| {
                (0..hashes.div_ceil(TILE_WIDTH)).map(move |index| {
                    let width = (hashes - index * TILE_WIDTH).min(TILE_WIDTH) as u16;
                    Tile {
                        level,
                        index,
                        width,
                    }
                })
            })
    }

    pub fn is_full(&self) -> bool {
        u64::from(self.width) == TILE_WIDTH
    }

    /// The same tile when it is full.
    pub fn full(self) -> Tile {
        Tile {
            width: TILE_WIDTH as u16,
            ..self
        }
    }

    /// Below the log's prefix: `tile/0/x001/x234/067` or `tile/0/x001/x234/067.p/5`.
    pub fn path(&self) -> String {
        bundle_path(&format!("tile/{}", self.level), self.index, self.width)
    }

    /// Bytes of the tile's file.
    pub fn bytes(&self) -> u64 {
        u64::from(self.width) * HASH_BYTES
    }

    /// The first leaf under the tile's `nth` hash.
    pub fn leaf(&self, nth: u64) -> u64 {
        (self.index * TILE_WIDTH + nth) << (TILE_HEIGHT * u32::from(self.level))
    }
}

fn bundle_path(folder: &str, index: u64, width: u16) -> String {
    let mut groups = vec![format!("{:03}", index % 1000)];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(format!("x{:03}", rest % 1000));
        rest /= 1000;
    }
    groups.push(folder.to_owned());
    groups.reverse();
    let path = groups.join("/");
    if u64::from(width) == TILE_WIDTH {
        path
    } else {
        format!("{path}.p/{width}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |level, index, width| {
            Tile {
                level,
                index,
                width,
            }
            .path()
        };
        assert_eq!(path(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(3, 7, 5), "tile/3/007.p/5");
        assert_eq!(path(1, 1000, 256), "tile/1/x001/000");
    }

    #[test]
    fn the_tiles_of_70_000_leaves_are_those_of_the_specification() {
        let tiles: Vec<_> = Tile::all(70_000).collect();
        let count = |level, full: bool| {
            let of = tiles
                .iter()
                .filter(|tile| tile.level == level && tile.is_full() == full);
            of.count()
        };
        assert_eq!((count(0, true), count(0, false)), (273, 1));
        assert_eq!((count(1, true), count(1, false)), (1, 1));
        assert_eq!((count(2, true), count(2, false)), (0, 1));
        let partial: Vec<_> = tiles.iter().filter(|tile| !tile.is_full()).collect();
        assert_eq!(
            partial.iter().map(|tile| tile.width).collect::<Vec<_>>(),
            [112, 17, 1]
        );
        assert_eq!(partial[1].leaf(0), 65_536);
        assert_eq!(Tile::all(256).count(), 2);
        assert_eq!(Tile::all(0).count(), 0);
        assert_eq!(Tile::all(u64::MAX >> 40).last().unwrap().level, 2);
    }
}
