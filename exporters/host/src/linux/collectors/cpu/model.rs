//! What the processor is called, from /proc/cpuinfo. Read once: for each CPU that the file lists, the kernel may
//! interrupt that CPU to ask for its clock.

use std::{fs::File, io::Read, path::Path};

use aura_model::Name;

/// Where the name stands: on x86 and 32-bit ARM, MIPS, POWER, RISC-V.
const KEYS: [&str; 4] = ["model name", "cpu model", "cpu", "uarch"];

/// Enough for several hundred CPUs; what lies behind is the same again.
const LARGEST: u64 = 1 << 20;

/// The model, with ` + ` between the kinds of a processor that has several.
pub(super) fn read(path: &Path) -> Option<Name> {
    let mut text = Vec::new();
    let mut file = File::open(path).ok()?.take(LARGEST);
    // The first CPU names the model wherever all are alike.
    let mut page = [0; 4096];
    let length = file.read(&mut page).ok()?;
    text.extend_from_slice(&page[..length]);
    let named = named(&String::from_utf8_lossy(&text));
    named.or_else(|| {
        file.read_to_end(&mut text).ok()?;
        by_part(&String::from_utf8_lossy(&text))
    })
}

fn named(text: &str) -> Option<Name> {
    KEYS.into_iter().find_map(|key| values(text, key).next().map(Name::from))
}

/// 64-bit ARM gives numbers: who designed the core, and which of its cores it is.
fn by_part(text: &str) -> Option<Name> {
    let mut kinds: Vec<&str> = Vec::new();
    for (implementer, part) in values(text, "CPU implementer").zip(values(text, "CPU part")) {
        let kind = PARTS.iter().find(|(designer, number, _)| (*designer, *number) == (implementer, part))?.2;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    (!kinds.is_empty()).then(|| kinds.join(" + ").into())
}

/// The values of the lines `key : value`.
fn values<'t>(text: &'t str, key: &str) -> impl Iterator<Item = &'t str> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.filter(move |(name, value)| name.trim() == key && !value.trim().is_empty()).map(|(_, value)| value.trim())
}

const ARM: &str = "0x41";
const NVIDIA: &str = "0x4e";

/// Cores of boards, servers and AI boxes.
const PARTS: [(&str, &str, &str); 25] = [
    (ARM, "0xd03", "Cortex-A53"),
    (ARM, "0xd04", "Cortex-A35"),
    (ARM, "0xd05", "Cortex-A55"),
    (ARM, "0xd07", "Cortex-A57"),
    (ARM, "0xd08", "Cortex-A72"),
    (ARM, "0xd09", "Cortex-A73"),
    (ARM, "0xd0a", "Cortex-A75"),
    (ARM, "0xd0b", "Cortex-A76"),
    (ARM, "0xd0c", "Neoverse-N1"),
    (ARM, "0xd40", "Neoverse-V1"),
    (ARM, "0xd41", "Cortex-A78"),
    (ARM, "0xd42", "Cortex-A78AE"),
    (ARM, "0xd44", "Cortex-X1"),
    (ARM, "0xd46", "Cortex-A510"),
    (ARM, "0xd47", "Cortex-A710"),
    (ARM, "0xd48", "Cortex-X2"),
    (ARM, "0xd49", "Neoverse-N2"),
    (ARM, "0xd4d", "Cortex-A715"),
    (ARM, "0xd4e", "Cortex-X3"),
    (ARM, "0xd4f", "Neoverse-V2"),
    (ARM, "0xd81", "Cortex-A720"),
    (ARM, "0xd84", "Neoverse-V3"),
    (ARM, "0xd85", "Cortex-X925"),
    (ARM, "0xd87", "Cortex-A725"),
    (NVIDIA, "0x004", "Carmel"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn model(text: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cpuinfo");
        std::fs::write(&path, text).unwrap();
        read(&path).map(|name| name.to_string())
    }

    fn arm(part: &str) -> String {
        format!(
            "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: {part}\n\n"
        )
    }

    #[test]
    fn the_first_name_is_the_processors() {
        for (text, expected) in [
            (
                "processor\t: 0\nmodel\t\t: 207\nmodel name\t: Intel(R) Xeon(R) Processor\n",
                "Intel(R) Xeon(R) Processor",
            ),
            ("processor\t: 0\ncpu\t\t: POWER9, altivec supported\nmachine\t: PowerNV\n", "POWER9, altivec supported"),
            ("processor\t: 0\nisa\t: rv64imafdc\nuarch\t: sifive,u74-mc\n", "sifive,u74-mc"),
            (&arm("0xd4f"), "Neoverse-V2"),
        ] {
            assert_eq!(model(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_processor_of_several_kinds_of_cores_is_called_by_all_of_them() {
        // The second kind lies far behind the first page.
        let text = arm("0xd85").repeat(60) + &arm("0xd87").repeat(10);
        assert_eq!(model(&text).as_deref(), Some("Cortex-X925 + Cortex-A725"));
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        assert_eq!(read(Path::new("/nonexistent/cpuinfo")), None);
        for text in ["", "model name\t:\n", &arm("0xfff"), &(arm("0xd85") + &arm("0xfff"))] {
            assert_eq!(model(text), None, "{text}");
        }
    }
}
