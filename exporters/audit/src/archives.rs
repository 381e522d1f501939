//! What rotation leaves behind: `log.N.jsonl` and `log.jsonl.N`, plain or gzipped; 1 is the newest.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

/// More archives are not looked at.
const MOST: usize = 1000;

/// How much of a file's beginning tells it from others.
pub(crate) const HEAD: usize = 256;
/// How much before the reading position tells whether the file is still the same.
const TAIL: usize = 64;

/// One file behind the live one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Archive {
    pub(crate) number: u32,
    pub(crate) path: PathBuf,
    pub(crate) packed: bool,
}

/// The archives of a log, the newest first. Where a plain and a packed one have the same number, packing was cut
/// short, and the plain one counts.
pub(crate) fn archives(live: &Path) -> Vec<Archive> {
    let Some(folder) = live.parent() else { return Vec::new() };
    let (Some(name), Ok(entries)) = (live.file_name().and_then(|name| name.to_str()), fs::read_dir(folder)) else {
        return Vec::new();
    };
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let mut found: Vec<Archive> = Vec::new();
    for entry in entries.flatten() {
        let file_name = entry.file_name();
        let Some(candidate) = file_name.to_str() else { continue };
        let (plain, packed) = match candidate.strip_suffix(".gz") {
            Some(plain) => (plain, true),
            None => (candidate, false),
        };
        let number = plain
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('.'))
            .or_else(|| plain.strip_prefix(stem)?.strip_prefix('.')?.strip_suffix(extension)?.strip_suffix('.'));
        if let Some(number) = number.and_then(|digits| digits.parse().ok()).filter(|&number| number > 0) {
            found.push(Archive { number, path: entry.path(), packed });
        }
    }
    found.retain(|archive| archive.path.is_file());
    found.sort_by_key(|archive| (archive.number, archive.packed));
    found.dedup_by_key(|archive| archive.number);
    found.truncate(MOST);
    found
}

/// Opens a file. Pipes and the like are refused before they are opened, as that could take for ever.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() {
        return File::open(path);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "no regular file: a log is expected here"))
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

/// A file, read from its beginning to its end.
pub(crate) enum Contents {
    Plain(File),
    Packed(Box<MultiGzDecoder<File>>),
}

impl Contents {
    pub(crate) fn open(archive: &Archive) -> io::Result<Self> {
        let file = open_file(&archive.path)?;
        Ok(if archive.packed { Self::Packed(Box::new(MultiGzDecoder::new(file))) } else { Self::Plain(file) })
    }
}

impl Read for Contents {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Packed(decoder) => decoder.read(buffer),
        }
    }
}

/// An archive that was opened: it stays the same when its name goes to another file.
pub(crate) struct Opened {
    pub(crate) archive: Archive,
    file: File,
    metadata: fs::Metadata,
}

impl Opened {
    /// Its bytes, from the start.
    pub(crate) fn contents(&self) -> io::Result<Contents> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Ok(if self.archive.packed {
            Contents::Packed(Box::new(MultiGzDecoder::new(file)))
        } else {
            Contents::Plain(file)
        })
    }

    /// Its first bytes.
    pub(crate) fn beginning(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(HEAD);
        self.contents()?.take(HEAD as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Its beginning as a place to read from.
    pub(crate) fn position(&self) -> Position {
        let mut position = Position::default();
        position.move_to(&self.metadata);
        position
    }

    /// Whether it is the file of this position, which was renamed.
    pub(crate) fn was(&self, position: &Position) -> bool {
        !self.archive.packed && position.is(&self.metadata)
    }
}

/// The newest archives, opened, while `live` is the live file. Names move while files are rotated, so what is found is
/// only good when nothing has moved meanwhile.
///
/// # Errors
/// Files are being rotated just now; or an archive cannot be opened.
pub(crate) fn open_all(path: &Path, live: &File, most: usize) -> io::Result<Vec<Opened>> {
    let live = live.metadata()?;
    let look = || {
        let mut found = archives(path);
        found.truncate(most);
        found
    };
    let archives = look();
    let mut opened = Vec::new();
    for archive in &archives {
        let file = open_file(&archive.path)?;
        let metadata = file.metadata()?;
        opened.push(Opened { archive: archive.clone(), file, metadata });
    }
    let stands =
        |path: &Path, metadata: &fs::Metadata| fs::metadata(path).is_ok_and(|now| identity(&now) == identity(metadata));
    let still = opened.iter().all(|opened| stands(&opened.archive.path, &opened.metadata));
    if still && look() == archives && stands(path, &live) {
        return Ok(opened);
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, "files are being rotated"))
}

/// A beginning that was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    length: usize,
    hash: String,
}

impl Head {
    /// Whether a file begins like this. An empty beginning is like none.
    pub(crate) fn begins(&self, beginning: &[u8]) -> bool {
        self.length > 0 && beginning.len() >= self.length && hash(&beginning[..self.length]) == self.hash
    }
}

/// The first bytes of an archive.
pub(crate) fn beginning(archive: &Archive) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(HEAD);
    Contents::open(archive)?.take(HEAD as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// How far a file was read, and how to know it again under another name, copied or packed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// When the file was created, in nanoseconds since 1970, where the file system knows: inodes are used again.
    pub(crate) born: Option<i64>,
    /// The start of the first record that was not counted.
    pub(crate) offset: u64,
    /// The offset lies inside a record that is too long.
    pub(crate) skipping: bool,
    head: Head,
    tail: Head,
    #[serde(skip)]
    trail: Trail,
}

/// The bytes that head and tail stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Trail {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Position {
    /// The beginning of a file.
    pub(crate) fn start(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let (device, inode, born) = identity(&metadata);
        Ok(Self { device, inode, born, ..Self::default() })
    }

    pub(crate) fn is(&self, metadata: &fs::Metadata) -> bool {
        (self.device, self.inode, self.born) == identity(metadata)
    }

    /// The same bytes stand in this file now.
    pub(crate) fn move_to(&mut self, metadata: &fs::Metadata) {
        (self.device, self.inode, self.born) = identity(metadata);
    }

    pub(crate) fn head(&self) -> Head {
        self.head.clone()
    }

    /// Goes behind these bytes, which follow what was read before.
    pub(crate) fn pass(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        let Trail { head, tail } = &mut self.trail;
        let missing = HEAD.saturating_sub(head.len()).min(bytes.len());
        head.extend_from_slice(&bytes[..missing]);
        tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
        tail.drain(..tail.len().saturating_sub(TAIL));
    }

    /// Makes head and tail fit the offset, before the position is kept.
    pub(crate) fn seal(&mut self) {
        let Trail { head, tail } = &self.trail;
        if head.is_empty() {
            // Just read back, and not found again yet: head and tail are all there is to know it by.
            return;
        }
        if self.head.length != head.len() {
            self.head = Head { length: head.len(), hash: hash(head) };
        }
        self.tail = Head { length: tail.len(), hash: hash(tail) };
    }

    /// Whether the file still holds, before the offset, what was read there.
    pub(crate) fn holds(&self, file: &File) -> io::Result<bool> {
        let tail = &self.trail.tail;
        Ok(peek(file, self.offset - tail.len() as u64, tail.len())? == *tail)
    }

    /// Looks whether this is the file, or a copy of it. If so, it is now at the offset, and the position knows it.
    pub(crate) fn recognise(&mut self, contents: &mut Contents) -> io::Result<bool> {
        let before = self.offset - self.tail.length as u64;
        let read = match contents {
            Contents::Plain(file) => {
                let found = (peek(file, 0, self.head.length)?, peek(file, before, self.tail.length)?);
                file.seek(SeekFrom::Start(self.offset)).map(|_| found)
            }
            Contents::Packed(decoder) => {
                let mut head = Vec::new();
                decoder
                    .by_ref()
                    .take(self.head.length as u64)
                    .read_to_end(&mut head)
                    .and_then(|_| skip(decoder, before.saturating_sub(self.head.length as u64)))
                    .and_then(|()| {
                        // A short file's tail reaches into its head.
                        let known = (head.len() as u64).saturating_sub(before) as usize;
                        let mut rest = vec![0; self.tail.length.saturating_sub(known)];
                        decoder.read_exact(&mut rest)?;
                        let tail = [&head[head.len() - known.min(head.len())..], &rest].concat();
                        Ok((head, tail))
                    })
            }
        };
        let (head, tail) = match read {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        };
        let same = hash(&head) == self.head.hash && hash(&tail) == self.tail.hash;
        if same {
            self.trail = Trail { head, tail };
        }
        Ok(same)
    }
}

/// Device, inode and time of birth. Systems without inodes have the last alone; a new file in the place of a renamed one
/// may inherit it there, so that only what the files hold tells them apart.
fn identity(metadata: &fs::Metadata) -> (u64, u64, Option<i64>) {
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

fn skip(reader: &mut impl Read, length: u64) -> io::Result<()> {
    let skipped = io::copy(&mut reader.by_ref().take(length), &mut io::sink())?;
    if skipped == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Of nothing it is nothing: a position at the start of a file fits every file.
pub(crate) fn hash(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref()[..12].iter().map(|byte| format!("{byte:02x}")).collect()
}
