//! Attributes of sysfs that are read too seldom to be kept open: small files of one value. Those that move are
//! [`KeptFile`](super::file::KeptFile)s.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use aura_model::{Missing, Reason};

/// The kernel hands out at most one page.
const PAGE: usize = 4096;

/// The value as text without the white space around it; what is not UTF-8 is replaced.
pub(crate) fn text(path: &Path) -> Result<String, Missing> {
    let mut page = [0; PAGE];
    Ok(String::from_utf8_lossy(read(path, &mut page)?.trim_ascii()).into_owned())
}

/// The value as it stands, without the line ends around it; what is not UTF-8 is replaced.
pub(crate) fn line(path: &Path) -> Result<String, Missing> {
    let mut page = [0; PAGE];
    Ok(String::from_utf8_lossy(read(path, &mut page)?).trim_matches('\n').to_owned())
}

fn read<'p>(path: &Path, page: &'p mut [u8; PAGE]) -> Result<&'p [u8], Missing> {
    let read = File::open(path).and_then(|mut file| file.read(page));
    read.map(|length| &page[..length]).map_err(|error| Missing::from_io(path, &error))
}

/// The value as a whole number in decimal or with `0x` before it.
pub(crate) fn number(path: &Path) -> Result<i64, Missing> {
    integer(text(path)?.as_bytes())
        .ok_or_else(|| Missing::new(Reason::Unreadable, format!("{}: expected a whole number", path.display())))
}

/// The names in a directory, sorted so that `eth2` comes before `eth10`. Names that are not UTF-8 are left out:
/// the kernel makes none.
pub(crate) fn entries(path: &Path) -> Result<Vec<String>, Missing> {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .map_err(|error| Missing::from_io(path, &error))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_by(|one, other| natural(one).cmp(&natural(other)));
    Ok(names)
}

/// The entries of a directory that are called `prefix` and a number, by number.
pub(crate) fn numbered(folder: &Path, prefix: &str) -> Result<Vec<(u32, PathBuf)>, Missing> {
    let number = |name: &str| {
        let digits = name.strip_prefix(prefix)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    Ok(entries(folder)?.iter().filter_map(|name| Some((number(name)?, folder.join(name)))).collect())
}

fn natural(name: &str) -> (&str, u64, &str) {
    let digits = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (digits, name[digits.len()..].parse().unwrap_or(0), name)
}

/// A whole number in decimal, or in hexadecimal with `0x` before it.
pub(crate) fn integer(word: &[u8]) -> Option<i64> {
    let word = std::str::from_utf8(word).ok()?;
    match word.strip_prefix("0x") {
        Some(digits) if !digits.starts_with(['+', '-']) => i64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None => word.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_is_read_as_the_kernel_prints_it(number: i64, bytes: Vec<u8>) {
            prop_assert_eq!(integer(number.to_string().as_bytes()), Some(number));
            let short = i64::from(number as u32);
            prop_assert_eq!(integer(format!("{short:#x}").as_bytes()), Some(short));
            integer(&bytes);
        }
    }

    #[test]
    fn devices_are_sorted_by_their_number() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["hwmon10", "hwmon2", "power", "hwmonx", "hwmon", "hwmon+3"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let found = numbered(folder.path(), "hwmon").unwrap();
        assert_eq!(found, [2, 10].map(|number| (number, folder.path().join(format!("hwmon{number}")))));
    }
}
