//! What the allocator keeps for itself.

/// glibc gives each thread a heap of its own, and after the first large answer keeps the room for the next. The agent's
/// threads are busy for a thousandth of the time: one heap is enough, and what was large goes back to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "no crate offers mallopt without it; it only sets numbers, before there is another thread"
)]
pub(super) fn keep_small() {
    // SAFETY: these are the parameters and the range of values that mallopt(3) names.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
    }
}

/// Other systems have other allocators.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn keep_small() {}
