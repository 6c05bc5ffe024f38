//! What can be wrong with a model.

/// Why a model cannot be used, or could not answer. Names the file, what was found and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the model cannot be read.
    #[error("cannot read {file} of the model: {problem}")]
    File {
        /// Which.
        file: String,
        /// What the system says.
        problem: String,
    },
    /// The manifest says something that cannot be.
    #[error("{file}: {problem}")]
    Manifest {
        /// Which.
        file: String,
        /// The key, the value found and what would be right.
        problem: String,
    },
    /// A file is not the one that the manifest means.
    #[error("{file} is not the file that the manifest means: its sha256 is {found}, expected {expected}")]
    Hash {
        /// Which.
        file: String,
        /// Of the file.
        found: String,
        /// In the manifest.
        expected: String,
    },
    /// The ONNX graph is broken, or not the graph that the manifest describes.
    #[error("{file} is not a usable ONNX model: {problem}")]
    Graph {
        /// Which.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The graph's embeddings are not as wide as the manifest says.
    #[error("{file} gives embeddings {found} wide, but the manifest says embedding.width = {expected}")]
    Width {
        /// Which.
        file: String,
        /// Of the graph.
        found: usize,
        /// In the manifest.
        expected: usize,
    },
    /// The tokenizer is broken, or not the text tower's.
    #[error("{file} is not this model's tokenizer: {problem}")]
    Tokenizer {
        /// Which.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A phrase has more tokens than the text tower reads.
    #[error("the phrase {phrase:?} has {tokens} tokens, but this model reads at most {limit}; say it in fewer words")]
    TooLong {
        /// The phrase, shortened.
        phrase: String,
        /// Start and end tokens included.
        tokens: usize,
        /// The context length.
        limit: usize,
    },
    /// The encoder failed on an input.
    #[error("the encoder failed: {0}")]
    Run(String),
}
