//! What rotation leaves behind: `log.N.jsonl` and `log.jsonl.N`, plain or gzipped; 1 is the newest.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Seek},
    path::{Path, PathBuf},
    time::SystemTime,
};

use flate2::bufread::MultiGzDecoder;

use crate::position::{Head, Identity, WINDOW, identity, peek, window};

/// More archives are not looked at.
const MOST: usize = 1000;

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

/// A file as it was at one moment: which one, how long, and when it was written last.
pub(crate) type Stamp = (Identity, u64, Option<SystemTime>);

/// Opens a file. Pipes and the like are refused before they are opened, as that could take for ever.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() {
        return File::open(path);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "no regular file: a log is expected here"))
}

/// A file that was opened: it stays the same when its name goes to another one.
pub(crate) struct Opened {
    /// Its name; none for the live file, and for one that has none any more.
    pub(crate) archive: Option<Archive>,
    pub(crate) file: File,
    pub(crate) metadata: fs::Metadata,
}

impl Opened {
    pub(crate) fn new(archive: Option<Archive>, file: File) -> io::Result<Self> {
        Ok(Self { archive, metadata: file.metadata()?, file })
    }

    pub(crate) fn identity(&self) -> Identity {
        identity(&self.metadata)
    }

    /// What is another one once the file was changed, as far as the clock of the file system tells.
    pub(crate) fn stamp(&self) -> Stamp {
        (self.identity(), self.metadata.len(), self.metadata.modified().ok())
    }

    pub(crate) fn packed(&self) -> bool {
        self.archive.as_ref().is_some_and(|archive| archive.packed)
    }

    /// At most so many of the first bytes of what it holds.
    pub(crate) fn beginning(&self, most: usize) -> io::Result<Vec<u8>> {
        if !self.packed() {
            return peek(&self.file, 0, most);
        }
        let mut bytes = Vec::with_capacity(most);
        unpacked(&self.file)?.take(most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Late writers may still append to the newest, and it may be a copy that is still being made.
    pub(crate) fn may_grow(&self) -> bool {
        self.archive.as_ref().is_none_or(|archive| archive.number == 1) && !self.packed()
    }

    /// What tells a packed file from others as it lies there: its end holds its length and a sum of all it holds.
    pub(crate) fn seal(&self) -> io::Result<Head> {
        let size = self.metadata.len();
        let mut bytes = peek(&self.file, 0, WINDOW)?;
        bytes.extend(window(&self.file, size)?);
        bytes.extend(size.to_le_bytes());
        Ok(Head::of(&bytes))
    }

    /// How long a packed file says it is unpacked, to 4 GiB. It is wrong where files were strung together.
    pub(crate) fn said_length(&self) -> io::Result<u32> {
        let end = self.metadata.len().saturating_sub(4);
        let bytes = peek(&self.file, end, 4)?;
        Ok(bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)))
    }
}

/// A packed file's bytes.
pub(crate) type Unpacked = MultiGzDecoder<BufReader<File>>;

/// From its start. Nobody else reads through this descriptor meanwhile.
pub(crate) fn unpacked(file: &File) -> io::Result<Unpacked> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    Ok(MultiGzDecoder::new(BufReader::with_capacity(64 << 10, file)))
}

/// The newest archives, opened, the oldest first, while `live` is the live file. Names move while files are rotated, so
/// what is found is only good when nothing has moved meanwhile.
///
/// # Errors
/// Files are being rotated just now; or an archive cannot be opened.
pub(crate) fn open_all(path: &Path, live: Option<Identity>, most: usize) -> io::Result<Vec<Opened>> {
    let look = || {
        let mut found = archives(path);
        found.truncate(most);
        found
    };
    let archives = look();
    let mut opened = Vec::new();
    for archive in &archives {
        opened.push(Opened::new(Some(archive.clone()), open_file(&archive.path)?)?);
    }
    let now = |path: &Path| fs::metadata(path).ok().map(|now| identity(&now));
    let still = archives.iter().zip(&opened).all(|(archive, opened)| now(&archive.path) == Some(opened.identity()));
    if still && look() == archives && now(path) == live {
        opened.reverse();
        return Ok(opened);
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, "files are being rotated"))
}
