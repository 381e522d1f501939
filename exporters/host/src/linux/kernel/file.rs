//! Kernel files kept open. Opening a file of /proc costs as much as reading it, so each is opened once and read
//! again from its start.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::PathBuf,
    time::{Duration, Instant},
};

use aura_model::{Missing, Reason};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{
    attribute::integer,
    scan::{number, words},
    stat::Stat,
};

/// One buffer for all files of a source: the largest of them decides how much memory it takes.
#[derive(Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// What the cpu collector left for the stat collector: one read of /proc/stat serves both.
    pub(crate) stat: Option<Stat>,
}

/// No file that we read is larger; one that is (a text file gone wild) is refused rather than held in memory.
const LARGEST: usize = 4 << 20;

/// A file that is read again and again from its start.
pub(crate) struct KeptFile {
    path: PathBuf,
    file: Option<File>,
    /// When it could not be opened, and why.
    refused: Option<(Instant, Missing)>,
    shape: Shape,
}

/// A file that is not there, or not for us, is tried again after this long: a failing `open` each second for each
/// thing that a box does not have costs as much as what it has.
const RETRY: Duration = Duration::from_secs(30);

/// What is known of a file saves reads.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    /// Nothing: only an empty read is the end.
    Any,
    /// Short lines, or made in one go: a read that leaves room for a line in the kernel's page is the last.
    Lines,
    /// A line of a sysctl: for these the kernel clears as much memory as we offer, so we offer little.
    Line,
}

/// The kernel hands a file out in pages, and never breaks a line that would fit on the next.
const PAGE: usize = 4096;

/// Longer than any line of the files called short, and than any sysctl that we read.
const LINE: usize = 512;

impl KeptFile {
    /// Remembers the path; the file is opened when it is first read.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), file: None, refused: None, shape: Shape::Any }
    }

    /// A file whose lines have less than 512 bytes, or that the kernel makes in one go whatever its lines
    /// (`single_open`). Spares the read that finds the end, which for some files costs as much as the first.
    pub(crate) fn short_lines(path: impl Into<PathBuf>) -> Self {
        Self { shape: Shape::Lines, ..Self::new(path) }
    }

    /// A file below /proc/sys or /sys of one line with less than 512 bytes.
    pub(crate) fn one_line(path: impl Into<PathBuf>) -> Self {
        Self { shape: Shape::Line, ..Self::new(path) }
    }

    /// The whole content. A file whose device went away is opened anew once: another may have its place.
    pub(crate) fn read<'b>(&mut self, buffer: &'b mut Buffer) -> Result<&'b [u8], Missing> {
        if let Some((when, missing)) = &self.refused
            && when.elapsed() < RETRY
        {
            return Err(missing.clone());
        }
        let length = match self.fill(buffer) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) && self.file.take().is_some() => self.fill(buffer),
            other => other,
        };
        self.refused = None;
        match length {
            Ok(length) => Ok(&buffer.bytes[..length]),
            Err(error) => {
                let missing = Missing::from_io(&self.path, &error);
                if self.file.is_none() {
                    self.refused = Some((Instant::now(), missing.clone()));
                }
                Err(missing)
            }
        }
    }

    /// The one number that the file holds.
    pub(crate) fn number(&mut self, buffer: &mut Buffer) -> Result<u64, Missing> {
        let value = words(self.read(buffer)?).next().and_then(number);
        value.ok_or_else(|| self.unreadable("a number"))
    }

    /// The one whole number that the file holds: in decimal, or in hexadecimal with `0x` before it.
    pub(crate) fn integer(&mut self, buffer: &mut Buffer) -> Result<i64, Missing> {
        let value = integer(self.read(buffer)?.trim_ascii());
        value.ok_or_else(|| self.unreadable("a whole number"))
    }

    /// Whether it may hold something else than when it was last asked. The kernel tells so for tables of mounts (see
    /// `poll` in proc_pid_mountinfo(5)); a file that can be written to, as one of a recorded tree, never says no.
    pub(crate) fn changed(&self) -> bool {
        let Some(file) = &self.file else { return true };
        let mut asked = [PollFd::new(file, PollFlags::PRI | PollFlags::OUT)];
        !matches!(poll(&mut asked, Some(&Timespec::default())), Ok(0))
    }

    /// Closes it until it is read again.
    pub(crate) fn close(&mut self) {
        self.file = None;
    }

    /// It was read, and is not what it should be.
    pub(crate) fn unreadable(&self, expected: &str) -> Missing {
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
            let room = if self.shape == Shape::Line { LINE } else { bytes.len() - length };
            match file.read_at(&mut bytes[length..length + room], length as u64) {
                Ok(0) => return Ok(length),
                Ok(read) => {
                    length += read;
                    let last = match self.shape {
                        Shape::Any => false,
                        Shape::Lines => read < room.min(PAGE - LINE),
                        Shape::Line => read < room,
                    };
                    if last {
                        return Ok(length);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_shape_reads_the_whole_file_again_and_again(
            lengths in prop::collection::vec(prop_oneof![0..300_usize, 3800..4200_usize, 16_000..40_000_usize], 1..4)
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            let mut files = [KeptFile::new(&path), KeptFile::short_lines(&path), KeptFile::one_line(&path)];
            let mut buffer = Buffer::default();
            for length in lengths {
                let text: Vec<u8> = (0..length).map(|at| b'a' + (at % 26) as u8).collect();
                std::fs::write(&path, &text).unwrap();
                for file in &mut files {
                    prop_assert_eq!(file.read(&mut buffer).unwrap(), &text);
                }
            }
        }
    }

    #[test]
    fn a_file_that_appears_later_is_read_then() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = KeptFile::new(folder.path().join("file"));
        let mut buffer = Buffer::default();
        let missing = file.read(&mut buffer).unwrap_err();
        assert_eq!(missing.reason, Reason::NoSensor);
        std::fs::write(folder.path().join("file"), "5").unwrap();
        assert_eq!(file.number(&mut buffer), Err(missing), "not at each sample");
        let (when, _) = file.refused.as_mut().unwrap();
        *when -= RETRY;
        assert_eq!(file.number(&mut buffer), Ok(5));
        std::fs::write(folder.path().join("file"), "0x10\n").unwrap();
        assert_eq!(file.integer(&mut buffer), Ok(16));
        std::fs::write(folder.path().join("file"), "forty\n").unwrap();
        assert_eq!(file.integer(&mut buffer).unwrap_err().reason, Reason::Unreadable);
    }

    #[test]
    fn the_table_of_mounts_says_when_it_changes_and_a_plain_file_never_says_that_it_does_not() {
        let mut buffer = Buffer::default();
        let mut table = KeptFile::new("/proc/self/mountinfo");
        assert!(table.changed(), "it was never read");
        // Another test may mount something meanwhile.
        let quiet = (0..100).any(|_| {
            table.read(&mut buffer).unwrap();
            table.changed();
            !table.changed()
        });
        assert!(quiet);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mountinfo"), "").unwrap();
        let mut recorded = KeptFile::new(folder.path().join("mountinfo"));
        recorded.read(&mut buffer).unwrap();
        assert!(recorded.changed());
    }

    #[test]
    fn a_file_gone_wild_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        File::create(&path).unwrap().set_len(LARGEST as u64 + 1).unwrap();
        assert_eq!(KeptFile::new(path).read(&mut Buffer::default()).unwrap_err().reason, Reason::Unreadable);
    }
}
