//! Pulling where something is wrong: one clear error each, no model, and of what came only what can be gone on from.

use std::path::PathBuf;

use crate::support::hub::{Hub, Reply, Request};
use crate::support::repository::{IMAGE, Machine, Repository, TEXT, sha256};

/// Pulls from a hub whose answers for the image tower are changed, and checks that nothing is installed. What was said, and
/// the machine.
fn fault(known: &[&str], change: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) -> (String, Machine) {
    let repository = Repository::new();
    let machine = Machine::new(&repository.catalogue(known));
    let text = fault_on(&machine, change);
    (text, machine)
}

fn fault_on(machine: &Machine, change: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) -> String {
    let repository = Repository::new();
    let hub = Hub::start(move |request| {
        let reply = repository.answer(request);
        if request.path.ends_with(IMAGE) { change(request, reply) } else { reply }
    });
    let (well, text) = machine.pull(&hub.url(), &[]);
    assert!(!well && !machine.is_installed(), "{text}");
    assert!(text.contains("tiny is not installed: "), "{text}");
    text
}

fn part(machine: &Machine) -> PathBuf {
    machine.stage().join(format!("{IMAGE}.part"))
}

fn is_data(request: &Request) -> bool {
    request.path.starts_with("/cdn/")
}

#[test]
fn a_length_other_than_the_known_one_is_refused() {
    let size = Repository::new().0[IMAGE].len();
    let announced = |length: usize| {
        move |request: &Request, reply: Reply| match is_data(request) {
            true => Reply { length: Some(Some(length)), ..reply },
            false => reply,
        }
    };
    for (length, known) in [(size - 1, &[IMAGE][..]), (size + 1, &[IMAGE]), (size / 2, &[]), (size * 2, &[])] {
        let (text, machine) = fault(known, announced(length));
        let whose = if known.is_empty() { "as the server says" } else { "as the catalogue says" };
        let wanted = format!("{IMAGE} should have {size} bytes, {whose}, but {length} are announced");
        assert!(text.contains(&wanted) && !part(&machine).exists(), "{wanted} in {text}");
    }
    // Nothing is announced, and too much comes.
    let (text, machine) = fault(&[IMAGE], |request, reply| match is_data(request) {
        true => Reply { length: Some(None), body: [reply.body, vec![7; 100_000]].concat(), ..Reply::new(200) },
        false => reply,
    });
    assert!(text.contains("but more came") && !part(&machine).exists(), "{text}");
}

#[test]
fn a_server_that_always_breaks_off_is_given_up_and_what_came_is_kept() {
    let (text, machine) = fault(&[IMAGE], |request, reply| match is_data(request) {
        true => Reply { cut: Some(if request.from().is_some() { 0 } else { 300_000 }), ..reply },
        false => reply,
    });
    assert!(text.contains("given up after 5 tries") && text.contains("300000 bytes are kept"), "{text}");
    assert_eq!(std::fs::metadata(part(&machine)).expect("kept").len(), 300_000);
    let (well, text) = machine.run(&["models", "remove", "tiny"]);
    assert!(well && text.contains("removed what had been fetched") && !machine.stage().exists(), "{text}");
}

#[test]
fn a_server_that_always_breaks_off_and_cannot_be_gone_on_with_is_given_up_too() {
    // It tells neither a hash nor a mark, so that nothing can be gone on from.
    let (text, machine) = fault(&[], |_, reply| Reply {
        cut: Some(300_000),
        body: vec![7; 400_000],
        ..Reply { headers: Vec::new(), status: 200, ..reply }
    });
    assert!(text.contains("given up after 5 tries") && !text.contains("kept"), "{text}");
    assert!(!part(&machine).exists());
}

#[test]
fn a_wrong_byte_is_refused_and_removed() {
    let (text, machine) = fault(&[IMAGE], |request, mut reply| {
        if is_data(request) {
            reply.body[123_456] ^= 1;
        }
        reply
    });
    assert!(text.contains("is not the file that the catalogue means: its sha256 is"), "{text}");
    assert!(!part(&machine).exists());
    // So is one that only the server's own hash tells.
    let (text, _machine) = fault(&[], |request, mut reply| {
        if is_data(request) {
            reply.body[123_456] ^= 1;
        }
        reply
    });
    assert!(text.contains("is not the file that the server means"), "{text}");
}

#[test]
fn a_server_with_another_file_is_refused_before_it_sends_it() {
    let (text, machine) = fault(&[IMAGE], |request, reply| match is_data(request) {
        true => reply,
        false => {
            let mut reply = reply;
            reply.headers.retain(|(name, _)| name != "X-Linked-ETag");
            reply.header("X-Linked-ETag", format!("\"{}\"", sha256(b"another")))
        }
    });
    assert!(text.contains(&format!("its sha256 is {}", sha256(b"another"))) && !part(&machine).exists(), "{text}");
}

#[test]
fn a_damaged_beginning_is_fetched_anew() {
    let repository = Repository::new();
    let machine = Machine::new(&repository.catalogue(&[IMAGE]));
    let part = part(&machine);
    std::fs::create_dir_all(part.parent().expect("a parent")).expect("a folder");
    std::fs::write(&part, vec![7; 100_000]).expect("writes");
    let of = format!("sha256:{}", sha256(&repository.0[IMAGE]));
    std::fs::write(machine.stage().join(format!("{IMAGE}.part.of")), of).expect("writes");
    let served = repository.clone();
    let hub = Hub::start(move |request| served.answer(request));
    let (well, text) = machine.pull(&hub.url(), &[]);
    assert!(well && text.contains("fetching it anew"), "{text}");
    let asked: Vec<_> = hub.heard_of(&format!("/cdn/{IMAGE}")).iter().map(|request| request.from()).collect();
    assert_eq!(asked, [Some(100_000), None]);
}

#[test]
fn a_beginning_of_another_file_is_not_gone_on_from() {
    let repository = Repository::new();
    let machine = Machine::new(&repository.catalogue(&[IMAGE]));
    let served = repository.clone();
    let hub = Hub::start(move |request| served.answer(request));
    for of in [None, Some(format!("sha256:{}", sha256(b"another")))] {
        let part = part(&machine);
        std::fs::create_dir_all(part.parent().expect("a parent")).expect("a folder");
        std::fs::write(&part, vec![7; 100_000]).expect("writes");
        if let Some(of) = of {
            std::fs::write(part.with_extension("part.of"), of).expect("writes");
        }
        let (well, text) = machine.pull(&hub.url(), &["--force"]);
        assert!(well, "{text}");
    }
    assert!(hub.heard_of(&format!("/cdn/{IMAGE}")).iter().all(|request| request.from().is_none()));
}

#[test]
fn refusals_of_the_server_are_told() {
    let status = |status: u16| fault(&[], move |_, _| Reply::new(status)).0;
    let (missing, forbidden) = (status(404), status(403));
    assert!(missing.contains("answers 404 for onnx/vision_model.onnx: the repository has no such file"), "{missing}");
    assert!(forbidden.contains("answers 403") && forbidden.contains("HF_TOKEN"), "{forbidden}");
    let gone = fault(&[], |_, _| Reply::new(401).header("X-Error-Code", "RepoNotFound")).0;
    assert!(gone.contains("answers 401") && gone.contains("there is no such repository"), "{gone}");
    let round = fault(&[], |request, _| Reply::new(302).header("Location", request.path.clone())).0;
    assert!(round.contains("redirects more than"), "{round}");
}

#[test]
fn a_missing_settings_file_is_no_fault() {
    let mut repository = Repository::new();
    let machine = Machine::new(&repository.catalogue(&[IMAGE, TEXT]));
    repository.0.remove("config.json");
    let hub = Hub::start(move |request| repository.answer(request));
    let (well, text) = machine.pull(&hub.url(), &[]);
    assert!(well && text.contains("config.json: not there; going on"), "{text}");
}

#[test]
fn without_a_network_it_says_how_to_do_without() {
    let machine = Machine::new(&Repository::new().catalogue(&[]));
    // Free a moment ago, and nobody listens.
    let port = Hub::start(|_| Reply::new(200)).port;
    let (well, text) = machine.pull(&format!("http://127.0.0.1:{port}"), &[]);
    assert!(!well && text.contains("cannot reach 127.0.0.1") && text.contains("--mirror DIR"), "{text}");
    assert!(!text.contains("trying again"), "{text}");
    let (well, text) = machine.pull("ftp://hub", &[]);
    assert!(!well && text.contains("HF_ENDPOINT is \"ftp://hub\""), "{text}");
}

#[test]
fn a_full_disk_is_told() {
    if !std::path::Path::new("/dev/full").exists() {
        eprintln!("skipped: /dev/full is not here");
        return;
    }
    let machine = Machine::new(&Repository::new().catalogue(&[]));
    let part = part(&machine);
    std::fs::create_dir_all(part.parent().expect("a parent")).expect("a folder");
    std::os::unix::fs::symlink("/dev/full", &part).expect("a link");
    let text = fault_on(&machine, |_, reply| reply);
    assert!(text.contains("cannot write") && text.contains("make room and run the same command again"), "{text}");
}

#[test]
fn a_licence_that_is_not_permissive_is_asked_about() {
    let repository = Repository::new();
    let terms = "licence = \"LicenseRef-Theirs\"\nterms = \"for research only\"";
    let machine = Machine::new(&repository.catalogue(&[]).replace("licence = \"MIT\"", terms));
    let served = repository.clone();
    let hub = Hub::start(move |request| served.answer(request));
    let (well, text) = machine.pull(&hub.url(), &[]);
    assert!(!well && text.contains("for research only") && text.contains("--accept-licence"), "{text}");
    assert!(hub.heard().is_empty(), "nothing was asked for before");
    let (well, text) = machine.pull(&hub.url(), &["--accept-licence"]);
    assert!(well, "{text}");
    let (well, text) = machine.run(&["models", "pull", "tinny"]);
    assert!(!well && text.contains("did you mean \"tiny\"?"), "{text}");
}
