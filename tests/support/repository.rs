//! A small repository, as a hub has it: the demo model in the layout of a Hugging Face export, and a catalogue that names it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::hub::{Reply, Request};

pub const REPO: &str = "someone/tiny-clip";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub const IMAGE: &str = "onnx/vision_model.onnx";
pub const TEXT: &str = "onnx/text_model.onnx";
pub const CONFIG: &str = r#"{ "projection_dim": 128, "text_config": { "max_position_embeddings": 32 } }"#;
const PREPROCESSOR: &str = r#"{ "crop_size": { "height": 64, "width": 64 }, "resample": 3,
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711] }"#;

pub fn demo(file: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo");
    std::fs::read(folder.join(file)).expect("a file of the demo model")
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Its files by path. Those with an `.onnx` are in LFS.
#[derive(Clone)]
pub struct Repository(pub BTreeMap<String, Vec<u8>>);

impl Repository {
    pub fn new() -> Self {
        let files = [
            (IMAGE, demo("vision.onnx")),
            (TEXT, demo("text.onnx")),
            ("tokenizer.json", demo("tokenizer.json")),
            ("config.json", CONFIG.into()),
            ("preprocessor_config.json", PREPROCESSOR.into()),
        ];
        Self(files.into_iter().map(|(path, content)| (path.to_owned(), content)).collect())
    }

    /// Writes its files below a folder.
    pub fn write(&self, folder: &Path) {
        for (path, content) in &self.0 {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, content).expect("writes");
        }
    }

    /// The file that an address means.
    pub fn find(&self, address: &str) -> Option<(&str, &[u8])> {
        let path = address.strip_prefix(&format!("/{REPO}/resolve/"))?.split_once('/')?.1;
        self.0.get_key_value(path).map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    /// Answers as the hub does: LFS files by a redirect that tells their hash, others at once.
    pub fn answer(&self, request: &Request) -> Reply {
        if let Some(path) = request.path.strip_prefix("/cdn/") {
            return Reply::content(request, &self.0[path]);
        }
        let Some((path, content)) = self.find(&request.path) else { return Reply::new(404) };
        if path.ends_with(".onnx") {
            return self.redirect(path, &format!("/cdn/{path}"));
        }
        Reply::content(request, content).header("X-Repo-Commit", COMMIT).header("ETag", "\"a-git-blob\"")
    }

    /// The hub's redirect for an LFS file.
    pub fn redirect(&self, path: &str, to: &str) -> Reply {
        let content = &self.0[path];
        Reply::new(302)
            .header("Location", to)
            .header("X-Repo-Commit", COMMIT)
            .header("X-Linked-Size", content.len())
            .header("X-Linked-ETag", format!("\"{}\"", sha256(content)))
    }

    /// A catalogue that knows the length and hash of those files, and names the others without.
    pub fn catalogue(&self, known: &[&str]) -> String {
        let entry = |(path, content): (&String, &Vec<u8>)| {
            let role = match path.as_str() {
                IMAGE => "image",
                TEXT => "text",
                "tokenizer.json" => "tokenizer",
                _ => "config",
            };
            let facts = match known.contains(&path.as_str()) {
                true => format!(", size = {}, sha256 = \"{}\"", content.len(), sha256(content)),
                false => String::new(),
            };
            format!("{{ role = \"{role}\", path = \"{path}\"{facts}, optional = {} }}", role == "config")
        };
        let files: Vec<String> = self.0.iter().map(entry).collect();
        format!(
            "default = \"tiny\"\n[[model]]\nname = \"tiny\"\ntitle = \"A small one\"\nlicence = \"MIT\"\nlicence_url = \"x\"\n\
             repo = \"{REPO}\"\nrevision = \"main\"\nevidence = \"made by a test\"\nfiles = [\n{}\n]\n\
             settings = {{ logit_scale = 17.0792 }}\n",
            files.join(",\n")
        )
    }
}

/// A machine: a models folder and a catalogue of its own, and nothing of this one's environment.
pub struct Machine {
    pub folder: TempDir,
}

impl Machine {
    pub fn new(catalogue: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("catalog.toml"), catalogue).expect("writes");
        Self { folder }
    }

    pub fn models(&self) -> PathBuf {
        self.folder.path().join("models")
    }

    /// The folder in which a model is put together.
    pub fn stage(&self) -> PathBuf {
        self.models().join(".partial/tiny")
    }

    pub fn lookout(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lookout"));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            command.env_remove(name).env_remove(name.to_uppercase());
        }
        for name in ["HF_ENDPOINT", "HF_TOKEN", "LOOKOUT_MIRROR"] {
            command.env_remove(name);
        }
        command.env("LOOKOUT_MODELS", self.models());
        command.env("LOOKOUT_CATALOGUE", self.folder.path().join("catalog.toml"));
        command
    }

    pub fn pull(&self, endpoint: &str, more: &[&str]) -> (bool, String) {
        let mut command = self.lookout(&["models", "pull", "tiny", "--no-trial"]);
        said(&command.args(more).env("HF_ENDPOINT", endpoint).output().expect("the program starts"))
    }

    pub fn run(&self, arguments: &[&str]) -> (bool, String) {
        said(&self.lookout(arguments).output().expect("the program starts"))
    }

    pub fn is_installed(&self) -> bool {
        self.models().join("tiny").exists()
    }
}

/// Whether it went well, and everything that was said.
pub fn said(output: &Output) -> (bool, String) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}
