//! What chips are called.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use aura_model::Missing;

use crate::linux::kernel::attribute;

/// The chips and what each is called. Where several would be called alike their own names are appended, or their
/// numbers where these are alike too.
pub(super) fn chips(root: &Path) -> Result<Vec<(PathBuf, String)>, Missing> {
    let mut chips: Vec<(PathBuf, String, String)> = Vec::new();
    for entry in attribute::entries(root)? {
        let folder = root.join(entry);
        // One that goes away while it is listed is left out.
        let Some(chip) = chip_of(&folder).filter(|_| folder.is_dir()) else { continue };
        let own = attribute::text(&folder.join("name")).unwrap_or_default();
        chips.push((folder, chip, own));
    }
    let (mut alike, mut quite_alike) = (HashMap::new(), HashMap::new());
    for (_, chip, own) in &chips {
        *alike.entry(chip.clone()).or_insert(0) += 1;
        *quite_alike.entry((chip.clone(), own.clone())).or_insert(0) += 1;
    }
    let name = |(folder, chip, own): (PathBuf, String, String)| {
        if alike[&chip] == 1 {
            return (folder, chip);
        }
        let number = || clean(&folder.file_name().unwrap_or_default().to_string_lossy());
        let suffix = Some(clean(&own)).filter(|suffix| !suffix.is_empty());
        let suffix = match quite_alike[&(chip.clone(), own)] {
            1 => suffix.unwrap_or_else(number),
            _ => number(),
        };
        let chip = format!("{chip}_{suffix}");
        (folder, chip)
    };
    Ok(chips.into_iter().map(name).collect())
}

/// The chip by the path of its device, by its own name, or by its number.
fn chip_of(folder: &Path) -> Option<String> {
    if let Ok(device) = folder.join("device").canonicalize() {
        let part = |path: Option<&Path>| {
            path.and_then(Path::file_name).map(|name| clean(&name.to_string_lossy())).unwrap_or_default()
        };
        let (kind, name) = (part(device.parent()), part(Some(&device)));
        match (kind.is_empty(), name.is_empty()) {
            (false, false) => return Some(format!("{kind}_{name}")),
            (true, false) => return Some(name),
            _ => {}
        }
    }
    clean_file(&folder.join("name")).or_else(|| {
        let name = clean(&folder.canonicalize().ok()?.file_name()?.to_string_lossy());
        (!name.is_empty()).then_some(name)
    })
}

pub(super) fn clean_file(path: &Path) -> Option<String> {
    attribute::text(path).ok().map(|text| clean(&text)).filter(|name| !name.is_empty())
}

/// Lower case, with an underscore for what has no place in a name.
pub(super) fn clean(text: &str) -> String {
    let letter = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || ":_".contains(c) { c } else { '_' };
    text.to_lowercase().chars().map(letter).collect::<String>().trim_matches('_').to_owned()
}
