//! How far a file was counted, and how to know it again: by what it holds.
//!
//! A name says nothing once files are rotated, and an inode says little: editors and `sed -i` give the same lines a
//! new one, and file systems use old ones again. So a position remembers how its file begins, what stands before the
//! place that was reached, and some places in between.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    time::UNIX_EPOCH,
};

use serde::{Deserialize, Serialize};

/// How much of a file's beginning tells it from others, and how much before the place that was reached.
pub(crate) const WINDOW: usize = 1024;
/// Places in between that are remembered.
const MARKS: usize = 16;

/// Bytes that were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) length: usize,
    pub(crate) hash: String,
}

impl Head {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { length: bytes.len(), hash: hash(bytes) }
    }

    /// Whether a file begins like this. An empty beginning is like none.
    pub(crate) fn begins(&self, beginning: &[u8]) -> bool {
        self.length > 0 && beginning.len() >= self.length && hash(&beginning[..self.length]) == self.hash
    }
}

/// What stood before a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    offset: u64,
    hash: String,
}

/// Device, inode and time of birth.
pub(crate) type Identity = (u64, u64, Option<i64>);

/// How far a file was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Position {
    device: u64,
    inode: u64,
    /// When the file was created, in nanoseconds since 1970, where the file system knows: inodes are used again.
    born: Option<i64>,
    /// The start of the first record that was not counted.
    pub(crate) offset: u64,
    /// The offset lies inside a record that is too long.
    pub(crate) skipping: bool,
    head: Head,
    tail: Head,
    /// From the first line on, with ever smaller distances towards the end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    marks: Vec<Mark>,
    #[serde(skip)]
    trail: Trail,
}

/// The bytes that head and tail stand for. They say no more than the hashes do, so two positions are the same without.
#[derive(Clone, Debug, Default)]
struct Trail {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl PartialEq for Trail {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Trail {}

impl Position {
    /// This place in a file.
    pub(crate) fn at(file: &File, offset: u64, skipping: bool) -> io::Result<Self> {
        let mut position = Self { offset, skipping, ..Self::default() };
        position.trail = position.read_trail(file)?;
        Ok(position.in_file(identity(&file.metadata()?)))
    }

    /// The same place in another file, which holds the same up to there.
    pub(crate) fn in_file(mut self, (device, inode, born): Identity) -> Self {
        (self.device, self.inode, self.born) = (device, inode, born);
        self.seal();
        self
    }

    /// With the marks of a position before this one, in what holds the same.
    pub(crate) fn with_marks_of(mut self, other: &Self) -> Self {
        if !other.marks.is_empty() {
            self.marks.clone_from(&other.marks);
        }
        self
    }

    fn read_trail(&self, file: &File) -> io::Result<Trail> {
        Ok(Trail { head: window(file, self.offset.min(WINDOW as u64))?, tail: window(file, self.offset)? })
    }

    pub(crate) fn identity(&self) -> Identity {
        (self.device, self.inode, self.born)
    }

    pub(crate) fn is(&self, metadata: &fs::Metadata) -> bool {
        self.identity() == identity(metadata)
    }

    /// Whether a file begins like this.
    pub(crate) fn begins(&self, beginning: &[u8]) -> bool {
        self.head.begins(beginning)
    }

    /// Whether it is worth while to look further into a file that begins so.
    pub(crate) fn resembles(&self, beginning: &[u8]) -> bool {
        let first = self.place(0).and_then(|place| beginning.get(..usize::try_from(place).ok()?));
        match first {
            Some(before) if self.offset > 0 => self.agrees(0, &before[before.len().saturating_sub(WINDOW)..]),
            _ => self.begins(beginning),
        }
    }

    /// The first bytes, as far as they were seen since the start.
    pub(crate) fn beginning(&self) -> &[u8] {
        &self.trail.head
    }

    /// Whether these bytes end like what was counted.
    fn ends(&self, before: &[u8]) -> bool {
        before.len() >= self.tail.length && hash(&before[before.len() - self.tail.length..]) == self.tail.hash
    }

    /// Goes behind these bytes, which follow what was read before.
    pub(crate) fn pass(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        let Trail { head, tail } = &mut self.trail;
        let missing = WINDOW.saturating_sub(head.len()).min(bytes.len());
        head.extend_from_slice(&bytes[..missing]);
        tail.extend_from_slice(&bytes[bytes.len().saturating_sub(WINDOW)..]);
        tail.drain(..tail.len().saturating_sub(WINDOW));
    }

    /// Makes head, tail and marks fit the offset, before the position is kept.
    pub(crate) fn seal(&mut self) {
        let Trail { head, tail } = &self.trail;
        if head.is_empty() {
            // Just read back, and not found again yet: what was kept is all there is to know it by.
            return;
        }
        if self.head.length != head.len() {
            self.head = Head::of(head);
            self.marks.retain(|mark| mark.offset > head.len() as u64);
            let ends = memchr::memchr_iter(b'\n', head).take(2).map(|end| end + 1);
            let first = ends.map(|end| Mark { offset: end as u64, hash: hash(&head[..end]) });
            self.marks.splice(..0, first.collect::<Vec<_>>());
        }
        let tail = Head::of(tail);
        if tail != self.tail && self.marks.last().is_none_or(|mark| mark.offset < self.offset) {
            self.marks.push(Mark { offset: self.offset, hash: tail.hash.clone() });
            if self.marks.len() > MARKS {
                // The one whose neighbours lie closest together, for how far away they are.
                let distance = |index: usize| {
                    let (before, after) = (self.marks[index - 1].offset, self.marks[index + 1].offset);
                    (after - before) * 1024 / (self.offset - before + 1)
                };
                if let Some(index) = (2..self.marks.len() - 1).min_by_key(|&index| distance(index)) {
                    self.marks.remove(index);
                }
            }
        }
        self.tail = tail;
    }

    /// Without what is only needed while the file grows; a few marks tell what was cut from it.
    pub(crate) fn finished(mut self) -> Self {
        self.seal();
        if self.marks.len() > 4 {
            self.marks.drain(2..self.marks.len() - 2);
        }
        self.trail = Trail::default();
        self
    }

    /// Whether the file holds all that was counted, where it was counted. If so, the position knows its bytes.
    pub(crate) fn holds(&mut self, file: &File) -> io::Result<bool> {
        if file.metadata()?.len() < self.offset {
            return Ok(false);
        }
        if !self.trail.head.is_empty() {
            let trail = self.read_trail(file)?;
            return Ok(trail.head == self.trail.head && trail.tail == self.trail.tail);
        }
        if self.offset == 0 {
            return Ok(true);
        }
        let found = self.read_trail(file)?;
        let same = found.head.get(..self.head.length).is_some_and(|head| hash(head) == self.head.hash)
            && self.ends(&found.tail);
        if same {
            self.trail = found;
        }
        Ok(same)
    }

    /// The places that tell how much of this a file holds: marks, and the one that was reached.
    pub(crate) fn place(&self, index: usize) -> Option<u64> {
        let offset = (index == self.marks.len()).then_some(self.offset);
        self.marks.get(index).map(|mark| mark.offset).or(offset)
    }

    /// Whether a file agrees with this at one of these places, by what stands before it.
    pub(crate) fn agrees(&self, index: usize, before: &[u8]) -> bool {
        self.marks.get(index).map_or_else(|| self.ends(before), |mark| mark.hash == hash(before))
    }

    /// What stands before the place that was reached.
    pub(crate) fn before(&self) -> &[u8] {
        &self.trail.tail
    }

    /// Whether these values can be true. What is kept may have been damaged.
    pub(crate) fn is_sound(&self) -> bool {
        let ascending = self.marks.windows(2).all(|pair| pair[0].offset < pair[1].offset);
        let sound = |head: &Head| head.length <= WINDOW && head.length as u64 <= self.offset;
        let last = self.marks.last().is_none_or(|mark| mark.offset <= self.offset);
        let told = self.offset == 0 || (self.head.length > 0 && self.tail.length > 0);
        sound(&self.head) && sound(&self.tail) && told && ascending && last && self.offset < 1 << 53
    }
}

/// Device, inode and time of birth. Systems without inodes have the last alone; a new file in the place of a renamed one
/// may inherit it there, so that only what the files hold tells them apart.
pub(crate) fn identity(metadata: &fs::Metadata) -> Identity {
    #[cfg(unix)]
    let (device, inode) = {
        use std::os::unix::fs::MetadataExt;
        (metadata.dev(), metadata.ino())
    };
    #[cfg(not(unix))]
    let (device, inode) = (0, 0);
    let born = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    (device, inode, born.and_then(|since| i64::try_from(since.as_nanos()).ok()))
}

/// At most so many bytes from there on. Whoever reads the file goes on where he was.
pub(crate) fn peek(mut file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let here = file.stream_position()?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(length);
    let read = file.take(length as u64).read_to_end(&mut bytes);
    file.seek(SeekFrom::Start(here))?;
    read.map(|_| bytes)
}

/// The bytes before this place that tell it from others.
pub(crate) fn window(file: &File, before: u64) -> io::Result<Vec<u8>> {
    let length = before.min(WINDOW as u64);
    peek(file, before - length, length as usize)
}

/// How many first bytes, of at most so many, are the same in both, where the first `low` are known to be. Files that
/// share lines are copies of each other up to there, so windows in between tell enough.
pub(crate) fn common(one: &File, other: &File, mut low: u64, most: u64) -> io::Result<u64> {
    let same = |before: u64| io::Result::Ok(window(one, before)? == window(other, before)?);
    if most <= low || same(most)? {
        return Ok(most);
    }
    let mut high = most;
    while high - low > WINDOW as u64 {
        let middle = low + (high - low) / 2;
        if same(middle)? { low = middle } else { high = middle }
    }
    let length = (high - low) as usize;
    let (one, other) = (peek(one, low, length)?, peek(other, low, length)?);
    Ok(low + one.iter().zip(&other).take_while(|(one, other)| one == other).count() as u64)
}

/// Of nothing it is nothing: a position at the start of a file fits every file.
pub(crate) fn hash(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    sha256(bytes)[..12].iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().try_into().unwrap_or_default()
}
