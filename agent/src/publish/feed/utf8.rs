//! UTF-8 checked as it arrives, so that a text message fails at its first wrong byte and not at its end.

/// Where a validator stands inside a stream of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Utf8 {
    /// Continuation bytes that the character under way still needs.
    missing: u8,
    /// What the next of them may be. The first one's range is narrower after E0, ED, F0 and F4: that is what
    /// keeps overlong forms, surrogates and numbers beyond U+10FFFF out.
    lowest: u8,
    highest: u8,
}

impl Default for Utf8 {
    fn default() -> Self {
        Self { missing: 0, lowest: 0x80, highest: 0xBF }
    }
}

impl Utf8 {
    /// Takes the next bytes; `false` as soon as no continuation could make them valid.
    #[must_use]
    pub(super) fn take(&mut self, bytes: &[u8]) -> bool {
        bytes.iter().all(|&byte| self.step(byte))
    }

    /// Whether the bytes so far end between two characters.
    pub(super) fn complete(self) -> bool {
        self.missing == 0
    }

    fn step(&mut self, byte: u8) -> bool {
        if self.missing > 0 {
            let fits = (self.lowest..=self.highest).contains(&byte);
            *self = Self { missing: self.missing - 1, ..Self::default() };
            return fits;
        }
        let (missing, lowest, highest) = match byte {
            0x00..=0x7F => return true,
            0xC2..=0xDF => (1, 0x80, 0xBF),
            0xE0 => (2, 0xA0, 0xBF),
            0xED => (2, 0x80, 0x9F),
            0xE1..=0xEF => (2, 0x80, 0xBF),
            0xF0 => (3, 0x90, 0xBF),
            0xF1..=0xF3 => (3, 0x80, 0xBF),
            0xF4 => (3, 0x80, 0x8F),
            _ => return false,
        };
        *self = Self { missing, lowest, highest };
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The standard library tells "wrong" from "not yet complete" too, on the whole prefix.
    fn check(bytes: &[u8]) {
        let mut validator = Utf8::default();
        for (at, byte) in bytes.iter().enumerate() {
            let accepted = validator.take(&[*byte]);
            let (possible, complete) = match std::str::from_utf8(&bytes[..=at]) {
                Ok(_) => (true, true),
                Err(error) => (error.error_len().is_none(), false),
            };
            assert_eq!(accepted, possible, "{:02x?}", &bytes[..=at]);
            if !accepted {
                return;
            }
            assert_eq!(validator.complete(), complete, "{:02x?}", &bytes[..=at]);
        }
    }

    #[test]
    fn every_pair_and_every_start_of_a_longer_form() {
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                check(&[first, second, 0x80, 0xBF, b'a']);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn agrees_with_the_standard_library_on_every_prefix(
            text in "\\PC{0,20}", junk in proptest::collection::vec(0x7Fu8..=0xFF, 0..5), more in "\\PC{0,5}",
        ) {
            check(&[text.as_bytes(), &junk, more.as_bytes()].concat());
        }
    }
}
