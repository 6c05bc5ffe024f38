//! The machine's health, as Linux tells it.

/// The hottest thermal zone, degrees Celsius. `None` where there is none, as in most virtual machines.
pub(super) fn temperature_c() -> Option<f64> {
    let zones = std::fs::read_dir("/sys/class/thermal").ok()?.filter_map(Result::ok);
    let read = |zone: std::fs::DirEntry| std::fs::read_to_string(zone.path().join("temp")).ok()?.trim().parse().ok();
    // Some zones are switched off, and then say 0 or less.
    zones.filter_map(read).filter(|millis: &f64| *millis > 0.0).map(|millis| millis / 1000.0).reduce(f64::max)
}

/// Memory that the program holds, 10⁶ bytes.
pub(super) fn memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let held = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = held.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_test_holds_some_memory() {
        assert!(super::memory_mb().is_some_and(|mb| mb > 0.5));
    }
}
