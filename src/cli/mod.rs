//! The command line: a file per subcommand.

mod bench;
mod check;
mod demo;
mod detect;
mod embed;
mod eval;
mod eval_page;
mod eval_pass;
mod eval_report;
mod events;
mod models;
mod offline;
mod page;
mod place;
mod prompts;
mod report;
mod run;
mod timed;
mod trial;
mod r#try;
mod tune;
mod watch;

use std::process::ExitCode;

use crate::photo;

/// What to do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Watch the cameras of a configuration until SIGTERM or SIGINT
    Run(run::RunArgs),
    /// Watch the embedded clip with the embedded model
    Demo(demo::DemoArgs),
    /// Look for described things in a photo or a video file
    Detect(detect::DetectArgs),
    /// Tell what a camera would have told of recorded clips, and how near the rest came
    Try(r#try::TryArgs),
    /// Propose phrases, negatives and a threshold from a clip and a few marked moments
    Tune(tune::TuneArgs),
    /// Print token ids, embeddings and similarities, to compare with other implementations
    Embed(embed::EmbedArgs),
    /// Judge a model and prompts on pictures or a video whose truth is known
    Eval(eval::EvalArgs),
    /// Measure how fast a model's image encoder is here, and what 8 bits keep of it
    Bench(bench::BenchArgs),
    /// Published models: list, fetch, import, inspect, remove
    Models(models::ModelsArgs),
    /// Print the resolved settings, or every fault in them
    Check(check::CheckArgs),
    /// List, follow, export or purge stored events
    Events(events::EventsArgs),
    /// Explain the thresholds that a lookout has learnt from its cameras' backgrounds
    Prompts(prompts::PromptsArgs),
    /// Follow what a lookout publishes, as readable lines
    Watch(watch::WatchArgs),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// What went wrong, in one message for the person who typed the command.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Run(args) => run::run(args),
            Self::Demo(args) => demo::run(args),
            Self::Detect(args) => detect::run(args).map(|()| ExitCode::SUCCESS),
            Self::Try(args) => r#try::run(args).map(|()| ExitCode::SUCCESS),
            Self::Tune(args) => tune::run(args).map(|()| ExitCode::SUCCESS),
            Self::Embed(args) => embed::run(args).map(|()| ExitCode::SUCCESS),
            Self::Eval(args) => eval::run(args).map(|()| ExitCode::SUCCESS),
            Self::Bench(args) => bench::run(&args),
            Self::Models(args) => models::run(args),
            Self::Check(args) => check::run(args).map(|()| ExitCode::SUCCESS),
            Self::Events(args) => events::run(args).map(|()| ExitCode::SUCCESS),
            Self::Prompts(args) => prompts::run(args).map(|()| ExitCode::SUCCESS),
            Self::Watch(args) => watch::run(args).map(|()| ExitCode::SUCCESS),
        }
    }
}
