//! Heaps: glibc gives each of many threads one of its own, and each keeps what it has once needed. GStreamer starts and
//! ends threads with every pipeline, so a program that runs for months is better off with few.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// The variable that glibc reads before the program begins.
const VARIABLE: &str = "MALLOC_ARENA_MAX";

/// Starts the program anew, in the same process, with two heaps, unless the environment says how many. Goes on as it is
/// where that cannot be done.
pub fn keep_few() {
    if !cfg!(target_env = "gnu") || std::env::var_os(VARIABLE).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    let error = again.args(arguments).env(VARIABLE, "2").exec();
    eprintln!("lookout: goes on with more heaps than it needs: {error}");
}
