//! Pulling where all goes well in the end.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lookout::clip::{Catalogue, Model};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use crate::support::hub::{Hub, Reply};
use crate::support::repository::{COMMIT, IMAGE, Machine, REPO, Repository, TEXT, said};

/// Longer than anything here takes, on a loaded machine too.
const SOON: Duration = Duration::from_secs(90);

#[test]
fn the_catalogue_names_published_models_with_their_licences() {
    let catalogue = Catalogue::embedded().expect("valid");
    let names = ["tinyclip-8m-16", "tinyclip-39m-16", "tinyclip-40m-32", "clip-vit-b-32", "clip-vit-b-16", "clip-rn50"];
    let apple = ["mobileclip-s0", "mobileclip-s1", "mobileclip-s2", "mobileclip2-s0", "mobileclip2-s2"];
    for name in names {
        assert!(catalogue.find(name).is_some_and(|entry| entry.is_permissive()), "{name}");
    }
    for name in apple {
        let entry = catalogue.find(name).expect(name);
        assert!(!entry.is_permissive() && entry.terms.is_some(), "{name} asks for more than that its licence be kept");
    }
    let default = catalogue.find(&catalogue.default).expect("there is one");
    assert_eq!((default.revision.len(), default.size().1), (40, true));
    let known = default.files.iter().find(|file| file.path == "onnx/model.onnx").expect("its file");
    assert_eq!(known.size, Some(94_071_688));
    assert!(catalogue.models.iter().all(|entry| entry.imagenet.is_some() && entry.gmac.is_some()));
}

#[test]
fn a_pulled_model_is_the_published_one() {
    let repository = Repository::new();
    let elsewhere = repository.clone();
    let store = Hub::start(move |request| elsewhere.answer(request));
    let (served, cdn) = (repository.clone(), store.url());
    // As the hub does it, the files themselves are on another server.
    let hub = Hub::start(move |request| match served.find(&request.path) {
        Some((path, _)) if path.ends_with(".onnx") => served.redirect(path, &format!("{cdn}/cdn/{path}")),
        _ => served.answer(request),
    });
    let machine = Machine::new(&repository.catalogue(&[IMAGE]));
    let mut pull = machine.lookout(&["models", "pull", "tiny", "--json"]);
    let output = pull.env("HF_ENDPOINT", hub.url()).env("HF_TOKEN", "hidden-token").output().expect("starts");
    let (well, text) = said(&output);
    assert!(well && !text.contains("hidden-token"), "{text}");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((told["licence"].as_str(), told["fetched"].as_bool()), (Some("MIT"), Some(true)));
    assert!(hub.heard().iter().all(|request| request.headers["authorization"] == "Bearer hidden-token"));
    let elsewhere = store.heard();
    assert!(!elsewhere.is_empty() && elsewhere.iter().all(|request| !request.headers.contains_key("authorization")));

    let model = Model::open(&machine.models().join("tiny")).expect("opens");
    let manifest = model.manifest();
    assert_eq!((manifest.name.as_str(), manifest.licence.as_str()), ("tiny", "MIT"));
    assert_eq!(manifest.origin, format!("{REPO} at {COMMIT}"));
    assert!(manifest.files.all().iter().all(|file| file.sha256.is_some()) && !manifest.text.fixed);
    let embedding = |model: &Model| model.text_encoder().expect("loads").encode("a blue bicycle").expect("encodes");
    let (found, expected) = (embedding(&model), embedding(&crate::support::rendered_model()));
    assert!(found.cosine(&expected) > 0.9999);
    assert!(!machine.stage().exists(), "nothing is left of putting it together");
}

#[test]
fn what_the_catalogue_does_not_know_is_recorded_and_held_to() {
    let mut repository = Repository::new();
    let served = repository.clone();
    let hub = Hub::start(move |request| served.answer(request));
    let machine = Machine::new(&repository.catalogue(&[IMAGE]));
    let (well, text) = machine.pull(&hub.url(), &[]);
    assert!(well, "{text}");
    assert!(
        hub.heard_of("config.json")
            .iter()
            .all(|request| request.path.contains("/main/") || request.path.contains(COMMIT))
    );
    let recorded = std::fs::read_to_string(machine.models().join("recorded.toml")).expect("recorded");
    assert!(
        recorded.contains(COMMIT) && recorded.contains("tokenizer.json") && !recorded.contains(IMAGE),
        "{recorded}"
    );

    repository.0.insert("config.json".to_owned(), crate::support::repository::CONFIG.replace("128", "128 ").into());
    let served = repository.clone();
    let hub = Hub::start(move |request| served.answer(request));
    let (well, text) = machine.pull(&hub.url(), &["--force"]);
    assert!(!well && text.contains("config.json should have") && text.contains("recorded on its first pull"), "{text}");
    assert!(
        hub.heard_of("config.json").iter().all(|request| request.path.contains(COMMIT)),
        "not what main has become"
    );
    assert!(machine.is_installed(), "the old one stays");
    let (well, text) = machine.pull(&hub.url(), &["--renew"]);
    assert!(well, "{text}");
}

#[test]
fn a_broken_connection_is_taken_up_where_it_broke() {
    let repository = Repository::new();
    let served = repository.clone();
    let hub = Hub::start(move |request| {
        let reply = served.answer(request);
        let cut = (request.path == format!("/cdn/{IMAGE}") && request.nth == 0).then_some(1_000_000);
        Reply { cut, ..reply }
    });
    let machine = Machine::new(&repository.catalogue(&[IMAGE, TEXT]));
    let (well, text) = machine.pull(&hub.url(), &[]);
    assert!(well && text.contains("broken off"), "{text}");
    let asked: Vec<Option<usize>> =
        hub.heard_of(&format!("/cdn/{IMAGE}")).iter().map(|request| request.from()).collect();
    assert_eq!(asked, [None, Some(1_000_000)]);
}

#[test]
fn a_server_that_ignores_ranges_is_heard_from_the_beginning() {
    let repository = Repository::new();
    let served = repository.clone();
    let hub = Hub::start(move |request| {
        let reply = match request.path.strip_prefix("/cdn/") {
            Some(path) => Reply { body: served.0[path].clone(), ..Reply::new(200) },
            None => served.answer(request),
        };
        Reply { cut: (request.path.starts_with("/cdn/") && request.nth == 0).then_some(50_000), ..reply }
    });
    let machine = Machine::new(&repository.catalogue(&[IMAGE, TEXT]));
    let (well, text) = machine.pull(&hub.url(), &[]);
    assert!(well, "{text}");
}

#[test]
fn a_busy_server_is_asked_again() {
    let repository = Repository::new();
    let served = repository.clone();
    let hub = Hub::start(move |request| if request.nth == 0 { Reply::new(503) } else { served.answer(request) });
    let machine = Machine::new(&repository.catalogue(&[]));
    let (well, text) = machine.pull(&hub.url(), &[]);
    assert!(well && text.contains("answers 503"), "{text}");
}

#[test]
fn a_killed_pull_leaves_no_model_and_goes_on_from_where_it_was() {
    const HALF: usize = 2_000_000;
    let repository = Repository::new();
    let served = repository.clone();
    let hub = Hub::start(move |request| {
        let reply = served.answer(request);
        let first = request.path == format!("/cdn/{IMAGE}") && request.nth == 0;
        Reply { cut: first.then_some(HALF), hold: first, ..reply }
    });
    let machine = Machine::new(&repository.catalogue(&[]));
    let mut pull = machine.lookout(&["models", "pull", "tiny", "--no-trial"]);
    let mut child = pull.env("HF_ENDPOINT", hub.url()).spawn().expect("starts");
    let part = machine.stage().join(format!("{IMAGE}.part"));
    let until = Instant::now() + SOON;
    while std::fs::metadata(&part).map_or(0, |part| part.len()) < HALF as u64 {
        assert!(Instant::now() < until, "it never came so far");
        std::thread::sleep(Duration::from_millis(5));
    }
    let (well, text) = machine.pull(&hub.url(), &[]);
    assert!(!well && text.contains("another lookout is fetching"), "{text}");
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(!machine.is_installed());

    let (well, text) = machine.pull(&hub.url(), &[]);
    assert!(well, "{text}");
    let last = hub.heard_of(&format!("/cdn/{IMAGE}")).last().and_then(|request| request.from());
    assert_eq!(last, Some(HALF));
    Model::open(&machine.models().join("tiny")).and_then(|model| model.image_encoder(1)).expect("whole");
}

#[test]
fn a_mirror_folder_does_without_a_network() {
    let repository = Repository::new();
    let nobody = "http://127.0.0.1:1";
    for inner in [format!("{REPO}/resolve/main"), REPO.to_owned()] {
        let machine = Machine::new(&repository.catalogue(&[IMAGE]));
        let mirror = machine.folder.path().join("mirror");
        let mirror = mirror.to_str().expect("text");
        let (well, text) = machine.pull(nobody, &["--mirror", mirror]);
        assert!(!well && text.contains("is not in the mirror: there is no") && text.contains(REPO), "{text}");
        repository.write(&Path::new(mirror).join(&inner));
        let (well, text) = machine.pull(nobody, &["--mirror", mirror]);
        assert!(well && machine.is_installed(), "{text}");
        let mut other = repository.clone();
        other.0.get_mut(IMAGE).expect("there")[1000] ^= 1;
        other.write(&Path::new(mirror).join(&inner));
        let (well, text) = machine.pull(nobody, &["--mirror", mirror, "--force"]);
        assert!(!well && text.contains("sha256") && machine.is_installed(), "{text}");
    }
}

/// Lets every connection through to `port`, whatever name it asks for, and hands out the names.
fn proxy(port: u16) -> (u16, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let own = listener.local_addr().expect("its address").port();
    let (tell, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let lines = BufReader::new(client.try_clone().expect("a clone")).lines().map_while(Result::ok);
            let asked: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            if tell.send(asked[0].clone()).is_err() {
                break;
            }
            let mut client = client;
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the server");
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("answers");
            let (mut from, mut to) = (client.try_clone().expect("a clone"), server.try_clone().expect("a clone"));
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || {
                let (mut client, mut server) = (client, server);
                let _ = std::io::copy(&mut server, &mut client);
                let _ = client.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    (own, asked)
}

#[test]
fn the_proxy_of_the_environment_is_used_unless_it_is_excluded() {
    let repository = Repository::new();
    let served = repository.clone();
    let hub = Hub::start(move |request| served.answer(request));
    let (port, asked) = proxy(hub.port);
    let machine = Machine::new(&repository.catalogue(&[]));
    let pull = |no_proxy: &str| {
        let mut pull = machine.lookout(&["models", "pull", "tiny", "--no-trial", "--force"]);
        let proxy = format!("http://user:hidden-password@127.0.0.1:{port}");
        pull.env("http_proxy", proxy).env("no_proxy", no_proxy).env("HF_ENDPOINT", "http://hub.invalid");
        said(&pull.output().expect("starts"))
    };
    let (well, text) = pull("other.invalid");
    assert!(well, "{text}");
    assert!(asked.recv_timeout(SOON).expect("asked").starts_with("CONNECT hub.invalid:80 "));
    let (well, text) = pull("localhost,.invalid");
    assert!(!well && text.contains("cannot reach hub.invalid") && !text.contains("hidden-password"), "{text}");
}

#[test]
fn tls_trusts_the_authorities_of_the_system() {
    let own = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&own).expect("a certificate");
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let server = server.signed_by(&key, &Issuer::new(authority, own)).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], key)
        .expect("a configuration");

    let repository = Repository::new();
    let served = repository.clone();
    let hub = Hub::with_tls(Some(Arc::new(config)), move |request| served.answer(request));
    let machine = Machine::new(&repository.catalogue(&[]));
    let roots = machine.folder.path().join("roots.pem");
    std::fs::write(&roots, certificate.pem()).expect("writes");
    let endpoint = format!("https://localhost:{}", hub.port);
    let (well, text) = machine.pull(&endpoint, &[]);
    assert!(!well && text.contains("cannot reach localhost") && text.contains("certificate"), "{text}");
    let mut pull = machine.lookout(&["models", "pull", "tiny", "--no-trial"]);
    let output = pull.env("HF_ENDPOINT", endpoint).env("SSL_CERT_FILE", roots).output().expect("starts");
    assert!(output.status.success(), "{}", said(&output).1);
}
