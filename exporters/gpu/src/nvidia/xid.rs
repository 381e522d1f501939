//! What NVIDIA's error codes (XID) mean, in few words.

/// A few words for a code.
pub(crate) fn meaning(code: u64) -> &'static str {
    match code {
        0 => "No Error",
        8 => "GPU stopped processing",
        13 => "Graphics engine exception",
        31 => "GPU memory page fault",
        32 => "Invalid or corrupted push buffer",
        38 => "Driver firmware error",
        43 => "GPU stopped processing: a program's fault",
        45 => "Preemptive cleanup after earlier errors",
        48 => "Double bit ECC error",
        61 | 62 => "Internal micro-controller halt",
        63 => "Page retired or row remapped",
        64 => "Page retirement or row remapping failed",
        69 => "Graphics engine class error",
        74 => "NVLink error",
        79 => "GPU has fallen off the bus",
        92 => "High single-bit ECC error rate",
        94 => "Contained memory error",
        95 => "Uncontained memory error",
        109 => "Context switch timeout",
        119 | 120 => "GPU system processor error",
        121 => "C2C link corrected error",
        140 => "Unrecovered ECC error",
        143 => "GPU initialization error",
        _ => "Unknown Error",
    }
}
