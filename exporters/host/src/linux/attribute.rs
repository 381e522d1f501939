//! Attributes of sysfs: small files of one value. One `pread` at the start asks the driver anew.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use aura_model::{Missing, Reason};

/// The kernel hands out at most one page.
const PAGE: usize = 4096;

/// An attribute whose value moves: kept open, asked again at each sample.
pub(super) struct Attribute {
    path: PathBuf,
    file: Option<File>,
}

impl Attribute {
    /// Remembers the path; the file is opened when it is first read.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// The value without the white space around it.
    pub(super) fn read<'b>(&mut self, page: &'b mut Page) -> Result<&'b [u8], Missing> {
        let missing = |error: io::Error| Missing::from_io(&self.path, &error);
        let file = match self.file.take() {
            Some(file) => file,
            None => File::open(&self.path).map_err(missing)?,
        };
        let length = file.read_at(&mut page.0, 0).map_err(missing)?;
        self.file = Some(file);
        Ok(page.0[..length].trim_ascii())
    }

    /// Closes the file; the next read opens it again.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// The value as a whole number.
    pub(super) fn number(&mut self, page: &mut Page) -> Result<i64, Missing> {
        parse(self.read(page)?).ok_or_else(|| not_a_number(&self.path))
    }
}

/// Room for one attribute.
pub(super) struct Page([u8; PAGE]);

impl Default for Page {
    fn default() -> Self {
        Self([0; PAGE])
    }
}

/// An attribute that seldom changes, as text without the white space around it; what is not UTF-8 is replaced.
pub(super) fn text(path: &Path) -> Result<String, Missing> {
    let mut page = [0; PAGE];
    let length =
        File::open(path).and_then(|mut file| file.read(&mut page)).map_err(|error| Missing::from_io(path, &error))?;
    Ok(String::from_utf8_lossy(page[..length].trim_ascii()).into_owned())
}

/// An attribute that seldom changes, as a whole number in decimal or with `0x` before it.
pub(super) fn number(path: &Path) -> Result<i64, Missing> {
    parse(text(path)?.as_bytes()).ok_or_else(|| not_a_number(path))
}

/// The names in a directory, sorted so that `eth2` comes before `eth10`. Names that are not UTF-8 are left out:
/// the kernel makes none.
pub(super) fn entries(path: &Path) -> Result<Vec<String>, Missing> {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .map_err(|error| Missing::from_io(path, &error))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_by(|one, other| natural(one).cmp(&natural(other)));
    Ok(names)
}

/// The names in a directory that are `prefix` and a number, with that number.
pub(super) fn numbered<'n>(names: &'n [String], prefix: &str) -> impl Iterator<Item = (&'n str, &'n str)> {
    names.iter().filter_map(move |name| {
        let number = name.strip_prefix(prefix)?;
        (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some((name.as_str(), number))
    })
}

fn natural(name: &str) -> (&str, u64, &str) {
    let digits = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (digits, name[digits.len()..].parse().unwrap_or(0), name)
}

fn parse(word: &[u8]) -> Option<i64> {
    let word = std::str::from_utf8(word).ok()?;
    match word.strip_prefix("0x") {
        Some(digits) if !digits.starts_with(['+', '-']) => i64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None => word.parse().ok(),
    }
}

fn not_a_number(path: &Path) -> Missing {
    Missing::new(Reason::Unreadable, format!("{}: expected a whole number", path.display()))
}

/// A reading of what hardly ever changes: taken anew after a while and shared in between.
pub(super) struct Seldom<T> {
    every: Duration,
    taken: Option<(Instant, Result<Arc<T>, Missing>)>,
}

impl<T> Seldom<T> {
    /// Takes the reading anew when it is this old.
    pub(super) fn new(every: Duration) -> Self {
        Self { every, taken: None }
    }

    /// The reading, taken now or before.
    pub(super) fn get(&mut self, take: impl FnOnce() -> Result<T, Missing>) -> Result<Arc<T>, Missing> {
        match &self.taken {
            Some((when, reading)) if when.elapsed() < self.every => reading.clone(),
            _ => {
                let reading = take().map(Arc::new);
                self.taken = Some((Instant::now(), reading.clone()));
                reading
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
        fn a_number_is_read_as_the_kernel_prints_it(number: i64, bytes: Vec<u8>) {
            prop_assert_eq!(parse(number.to_string().as_bytes()), Some(number));
            let short = i64::from(number as u32);
            prop_assert_eq!(parse(format!("{short:#x}").as_bytes()), Some(short));
            parse(&bytes);
        }
    }

    #[test]
    fn an_attribute_that_went_away_says_so_and_one_that_comes_back_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        let mut attribute = Attribute::new(path.clone());
        let mut page = Page::default();
        assert_eq!(attribute.number(&mut page).unwrap_err().reason, Reason::NoSensor);
        std::fs::write(&path, "42\n").unwrap();
        assert_eq!(attribute.number(&mut page), Ok(42));
        std::fs::write(&path, "43\n").unwrap();
        assert_eq!(attribute.number(&mut page), Ok(43), "a kept file is read anew");
        std::fs::write(&path, "forty\n").unwrap();
        assert_eq!(attribute.number(&mut page).unwrap_err().reason, Reason::Unreadable);
    }

    #[test]
    fn devices_are_sorted_by_their_number() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["hwmon10", "hwmon2", "power", "hwmonx"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let names = entries(folder.path()).unwrap();
        assert_eq!(numbered(&names, "hwmon").collect::<Vec<_>>(), [("hwmon2", "2"), ("hwmon10", "10")]);
    }
}
