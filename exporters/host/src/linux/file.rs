//! Kernel files kept open. Opening a file of /proc costs as much as reading it, so each is opened once and read
//! again from its start.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use aura_model::{Missing, Reason};

use super::{
    scan::{number, words},
    stat::Stat,
};

/// One buffer for all files of a source: the largest of them decides how much memory it takes.
#[derive(Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// What the cpu collector left for the stat collector: one read of /proc/stat serves both.
    pub(super) stat: Option<Stat>,
}

/// No file that we read is larger; one that is (a text file gone wild) is refused rather than held in memory.
const LARGEST: usize = 4 << 20;

/// A file that is read again and again from its start.
pub(super) struct KeptFile {
    path: PathBuf,
    file: Option<File>,
}

impl KeptFile {
    /// Remembers the path; the file is opened when it is first read.
    pub(super) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), file: None }
    }

    /// The whole content. A file that was closed by the kernel (its device went away) is opened anew once.
    pub(super) fn read<'b>(&mut self, buffer: &'b mut Buffer) -> Result<&'b [u8], Missing> {
        let length = match self.fill(buffer) {
            Err(error) if self.file.take().is_some() && error.raw_os_error().is_some() => self.fill(buffer),
            other => other,
        };
        match length {
            Ok(length) => Ok(&buffer.bytes[..length]),
            Err(error) => {
                self.file = None;
                Err(Missing::from_io(&self.path, &error))
            }
        }
    }

    /// The one number that the file holds.
    pub(super) fn number(&mut self, buffer: &mut Buffer) -> Result<u64, Missing> {
        let value = words(self.read(buffer)?).next().and_then(number);
        value.ok_or_else(|| self.unreadable("a number"))
    }

    /// Closes it until it is read again.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// It was read, and is not what it should be.
    pub(super) fn unreadable(&self, expected: &str) -> Missing {
        Missing::new(Reason::Unreadable, format!("{}: expected {expected}", self.path.display()))
    }

    fn fill(&mut self, Buffer { bytes, .. }: &mut Buffer) -> io::Result<usize> {
        if self.file.is_none() {
            self.file = Some(File::open(&self.path)?);
        }
        let Some(file) = &self.file else { return Ok(0) };
        let mut length = 0;
        loop {
            if bytes.len() - length < 4096 {
                if bytes.len() >= LARGEST {
                    return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 4 MiB"));
                }
                bytes.resize((bytes.len() * 2).max(16 << 10), 0);
            }
            // The kernel may hand out a file in pieces (one page of a seq_file at a time), so only an empty read ends it.
            match file.read_at(&mut bytes[length..], length as u64) {
                Ok(0) => return Ok(length),
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The only line of a file that is read too seldom to be kept open.
pub(super) fn line(path: &Path, buffer: &mut Buffer) -> Option<String> {
    let text = KeptFile::new(path).read(buffer).ok()?.trim_ascii();
    (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
}

/// The entries of a folder that are called `prefix` and a number, by number. Nothing if there is no such folder.
pub(super) fn numbered(folder: &Path, prefix: &str) -> Vec<(u32, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some((name.strip_prefix(prefix)?.parse().ok()?, entry.path()))
        })
        .collect();
    found.sort();
    found
}
