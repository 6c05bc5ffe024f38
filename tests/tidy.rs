//! The tree keeps its shape: no `use` goes up, no file grows too long, nothing lies about at the top.

use std::path::{Path, PathBuf};

/// The stations by height; a file may use its own height and what is below. Those without a height serve all.
const HEIGHTS: &[(&str, u32)] = &[
    ("main", 6),
    ("cli", 5),
    ("app", 4),
    ("capture", 3),
    ("mqtt", 3),
    ("web", 3),
    ("store", 3),
    ("pipeline", 2),
    ("track", 1),
    ("detect", 1),
    ("prompts", 1),
    ("regions", 1),
    ("clip", 1),
    ("eval", 0),
    ("frame", 0),
];
/// One adapter that may know another: MQTT drains the store and tells a camera's status, the page shows it.
const BESIDE: &[(&str, &str)] = &[("mqtt", "store"), ("mqtt", "capture"), ("web", "capture")];
const LONGEST: usize = 400;
const TOP: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "config",
    "models",
    "tests",
    "systemd",
    "cross.toml",
    "README.md",
    "NOTICE",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "deny.toml",
    "benches",
    "docs",
    "scripts",
    "tools",
    "target",
];

fn height(module: &str) -> Option<u32> {
    HEIGHTS.iter().find(|(name, _)| *name == module).map(|(_, height)| *height)
}

/// What is wrong with a source file of `module`, if anything.
fn faults(module: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > LONGEST {
        faults.push(format!("{lines} lines; at most {LONGEST}"));
    }
    for mark in ["todo!(", "unimplemented!(", "dbg!(", "#[ignore"] {
        if text.contains(mark) {
            faults.push(format!("holds {mark}"));
        }
    }
    let used = text.split("crate::").skip(1).flat_map(|rest| {
        // `use crate::{a, b::c}` names several at once.
        let list = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or(rest, |(list, _)| list);
        let names = if rest.starts_with('{') { list.split(',').collect() } else { vec![list] };
        names
            .into_iter()
            .map(|n| n.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned())
    });
    for other in used {
        let (Some(own), Some(theirs)) = (height(module), height(&other)) else { continue };
        let beside = own == theirs && own == 3 && module != other && !BESIDE.contains(&(module, other.as_str()));
        if theirs > own || beside {
            faults.push(format!("{module} uses {other}"));
        }
    }
    faults
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|p| p.extension().is_some_and(|e| e == "rs"))
        .collect()
}

#[test]
fn no_source_file_breaks_the_rules() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    for file in sources(&src) {
        let inner = file.strip_prefix(&src).expect("inside");
        let module = inner.iter().next().and_then(|part| part.to_str()).expect("a name").trim_end_matches(".rs");
        let text = std::fs::read_to_string(&file).expect("readable");
        all.extend(faults(module, &text).into_iter().map(|fault| format!("{}: {fault}", inner.display())));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn a_planted_fault_is_found() {
    assert_eq!(faults("detect", "use crate::app::run;"), ["detect uses app"]);
    assert_eq!(faults("track", "use crate::{frame::Frame, mqtt::Topics};"), ["track uses mqtt"]);
    assert_eq!(faults("web", "fn f() { crate::store::open() }"), ["web uses store"]);
    assert_eq!(faults("frame", &"\n".repeat(401)).len(), 1);
    assert_eq!(faults("app", "todo!()"), ["holds todo!("]);
    assert!(faults("mqtt", "use crate::store::Store;\nuse crate::shutdown::Shutdown;").is_empty());
}

#[test]
fn nothing_lies_about_at_the_top() {
    let entries = std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let strange: Vec<String> = names.filter(|name| !name.starts_with('.') && !TOP.contains(&name.as_str())).collect();
    assert!(strange.is_empty(), "{strange:?}");
}
