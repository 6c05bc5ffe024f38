//! Heaps: glibc gives each of many threads one of its own, and each keeps what it has once needed. GStreamer starts and
//! ends threads with every pipeline, so a program that runs for months is better off with few. And what the encoder needs
//! for a batch it needs again for the next: given back to the system in between, its pages would be cleared each time,
//! which takes a tenth to a third of an encoder's time.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Variables that glibc reads before the program begins: heaps; bytes from which something is asked of the system alone;
/// bytes that are kept.
const VARIABLES: &[(&str, &str)] =
    &[("MALLOC_ARENA_MAX", "2"), ("MALLOC_MMAP_THRESHOLD_", "67108864"), ("MALLOC_TRIM_THRESHOLD_", "67108864")];

/// Starts the program anew, in the same process, with two heaps, unless the environment says how many heaps. Goes on as it is
/// where that cannot be done.
pub fn keep_few() {
    if !cfg!(target_env = "gnu") || std::env::var_os(VARIABLES[0].0).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    let error = again.args(arguments).envs(VARIABLES.iter().copied()).exec();
    eprintln!("lookout: goes on with more heaps than it needs: {error}");
}
